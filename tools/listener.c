// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "listener.h"
#include "sockets.h"

/* What is looked for, and what was found */
struct search {
	int family;
	uint16_t port;			/* 0: any; becomes the transparent one */
	struct listeners found;
};

static bool is_any(const struct inet_diag_msg *msg)
{
	static const struct in6_addr any;

	return !memcmp(msg->id.idiag_src, &any, msg->idiag_family == AF_INET6 ?
		       sizeof(any) : sizeof(struct in_addr));
}

/* A socket on [::] takes IPv4 as well, unless told not to. */
static bool is_wanted(const struct search *search, const struct inet_diag_msg *msg,
		      const struct nlmsghdr *nlh)
{
	if (!search->port)
		return true;
	if (ntohs(msg->id.idiag_sport) != search->port)
		return false;
	return msg->idiag_family == search->family ||
	       (msg->idiag_family == AF_INET6 && !socket_v6only(nlh));
}

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = socket_of(nlh);
	struct search *search = data;
	struct listeners *found = &search->found;

	if (!msg || !is_wanted(search, msg, nlh))
		return MNL_CB_OK;
	if (socket_transparent(nlh)) {
		found->best = LISTENER_TRANSPARENT;
		if (!search->port)
			search->port = ntohs(msg->id.idiag_sport);
		return MNL_CB_OK;
	}
	if (found->best == LISTENER_NONE)
		found->best = LISTENER_OPAQUE;
	found->opaque = msg->idiag_inode;
	if (is_any(msg) && !msg->id.idiag_if)
		found->beside = msg->idiag_inode;
	return MNL_CB_OK;
}

static void ask(struct search *search, int family, int proto)
{
	sockets_dump(family, proto, proto == IPPROTO_TCP ? SOCKET_LISTEN :
							   SOCKET_CLOSE,
		     on_socket, search);
}

struct listeners listeners_find(int family, int proto, uint16_t port)
{
	struct search search = { .family = family, .port = port };

	ask(&search, AF_INET6, proto);
	if (family == AF_INET)
		ask(&search, AF_INET, proto);
	return search.found;
}

uint16_t listener_any(void)
{
	struct search search = { .family = AF_INET };

	ask(&search, AF_INET, IPPROTO_TCP);
	ask(&search, AF_INET6, IPPROTO_TCP);
	return search.port;
}
