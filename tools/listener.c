// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <sys/socket.h>

#include "listener.h"
#include "sockets.h"

/* What is looked for, and what was found */
struct search {
	int family;
	uint16_t port;			/* 0: any; becomes the transparent one */
	enum listener found;
};

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = socket_of(nlh);
	struct search *search = data;
	enum listener found;

	if (!msg)
		return MNL_CB_OK;
	/* A socket on [::] takes IPv4 as well, unless told not to. */
	if (search->port && (ntohs(msg->id.idiag_sport) != search->port ||
			     (msg->idiag_family == AF_INET &&
			      search->family == AF_INET6)))
		return MNL_CB_OK;
	found = socket_transparent(nlh) ? LISTENER_TRANSPARENT : LISTENER_OPAQUE;
	if (found > search->found)
		search->found = found;
	if (found == LISTENER_TRANSPARENT && !search->port)
		search->port = ntohs(msg->id.idiag_sport);
	return MNL_CB_OK;
}

static void ask(struct search *search, int family, int proto)
{
	sockets_dump(family, proto, proto == IPPROTO_TCP ? SOCKET_LISTEN :
							   SOCKET_CLOSE,
		     on_socket, search);
}

enum listener listener_find(int family, int proto, uint16_t port)
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
