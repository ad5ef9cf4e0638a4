// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>

#include "netlink.h"
#include "say.h"
#include "sockets.h"

void sockets_dump(int family, int proto, uint32_t states, mnl_cb_t each,
		  void *data)
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
	request->idiag_states = states;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "sock_diag: %s", strerror(errno));
	netlink_receive(nl, 1, each, data);
	mnl_socket_close(nl);
}

const struct inet_diag_msg *socket_of(const struct nlmsghdr *nlh)
{
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct inet_diag_msg))
		return NULL;
	return mnl_nlmsg_get_payload(nlh);
}

bool socket_transparent(const struct nlmsghdr *nlh)
{
	const struct inet_diag_sockopt *option;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct inet_diag_msg)) {
		option = mnl_attr_get_payload(attr);
		if (mnl_attr_get_type(attr) == INET_DIAG_SOCKOPT &&
		    mnl_attr_get_payload_len(attr) >= sizeof(*option))
			return option->transparent;
	}
	return false;
}

bool socket_v6only(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct inet_diag_msg))
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
		    mnl_attr_validate(attr, MNL_TYPE_U8) >= 0)
			return mnl_attr_get_u8(attr);
	return false;
}
