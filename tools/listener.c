// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "listener.h"
#include "netlink.h"
#include "say.h"

#define TCP_LISTEN	10
#define TCP_CLOSE	7	/* also the state of a UDP socket without a peer */

/* What is looked for, and what was found */
struct search {
	int family;
	uint16_t port;			/* 0: any; becomes the transparent one */
	enum listener found;
};

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct inet_diag_sockopt *option;
	struct search *search = data;
	const struct nlattr *attr;
	enum listener found = LISTENER_OPAQUE;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	/* A socket on [::] takes IPv4 as well, unless told not to. */
	if (search->port && (ntohs(msg->id.idiag_sport) != search->port ||
			     (msg->idiag_family == AF_INET &&
			      search->family == AF_INET6)))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) != INET_DIAG_SOCKOPT ||
		    mnl_attr_get_payload_len(attr) < sizeof(*option))
			continue;
		option = mnl_attr_get_payload(attr);
		if (option->transparent)
			found = LISTENER_TRANSPARENT;
	}
	if (found > search->found)
		search->found = found;
	if (found == LISTENER_TRANSPARENT && !search->port)
		search->port = ntohs(msg->id.idiag_sport);
	return MNL_CB_OK;
}

/* As ss(8) does: the kernel dumps the sockets with their options. */
static void ask(struct search *search, int family, int proto)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct inet_diag_req_v2 *request;
	struct nlmsghdr *nlh;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "sock_diag: %s; run: modprobe inet_diag",
		    strerror(errno));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = proto;
	request->idiag_states = 1 << (proto == IPPROTO_TCP ? TCP_LISTEN :
							     TCP_CLOSE);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "sock_diag: %s", strerror(errno));
	netlink_receive(nl, 1, on_socket, search);
	mnl_socket_close(nl);
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
