// SPDX-License-Identifier: GPL-2.0-only
/*
 * mst: a bridge's multiple spanning trees, for a bridge(8) that cannot.
 *
 *   mst on|off BRIDGE		as "ip link set BRIDGE type bridge mst_enabled"
 *   mst vlan BRIDGE VID MSTI	as "bridge vlan global set ... msti"
 *   mst state PORT MSTI STATE	as "bridge mst set"
 *
 * STATE is disabled, listening, learning, forwarding or blocking.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef IFLA_BRIDGE_MST_MAX /* headers of before Linux 5.18 */
#define BR_BOOLOPT_MST_ENABLE		2
#define BRIDGE_VLANDB_GLOBAL_OPTIONS	2
#define BRIDGE_VLANDB_GOPTS_ID		1
#define BRIDGE_VLANDB_GOPTS_MSTI	18
#define IFLA_BRIDGE_MST			6
#define IFLA_BRIDGE_MST_ENTRY		1
#define IFLA_BRIDGE_MST_ENTRY_MSTI	1
#define IFLA_BRIDGE_MST_ENTRY_STATE	2
#endif

/* By what the kernel calls them: BR_STATE_* */
static const char *const states[] = {
	"disabled", "listening", "learning", "forwarding", "blocking",
};

static char buf[1024];
static struct nlmsghdr *nlh;

static void die(const char *what)
{
	fprintf(stderr, "mst: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fputs("usage: mst on|off BRIDGE\n"
	      "       mst vlan BRIDGE VID MSTI\n"
	      "       mst state PORT MSTI STATE\n", stderr);
	exit(2);
}

static unsigned int device(const char *name)
{
	unsigned int ifindex = if_nametoindex(name);

	if (!ifindex)
		die(name);
	return ifindex;
}

static uint8_t state(const char *name)
{
	uint8_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(states[i], name))
			return i;
	usage();
	return 0;
}

static void link_message(uint16_t type, uint8_t family, const char *dev)
{
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = family;
	ifi->ifi_index = device(dev);
}

static void put_enabled(const char *bridge, int on)
{
	struct br_boolopt_multi opt = {
		.optval = on << BR_BOOLOPT_MST_ENABLE,
		.optmask = 1 << BR_BOOLOPT_MST_ENABLE,
	};
	struct nlattr *info, *data;

	link_message(RTM_NEWLINK, AF_UNSPEC, bridge);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put(nlh, IFLA_BR_MULTI_BOOLOPT, sizeof(opt), &opt);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static void put_vlan(const char *bridge, uint16_t vid, uint16_t msti)
{
	struct br_vlan_msg *bvm;
	struct nlattr *options;

	nlh->nlmsg_type = RTM_NEWVLAN;
	bvm = mnl_nlmsg_put_extra_header(nlh, sizeof(*bvm));
	bvm->family = AF_BRIDGE;
	bvm->ifindex = device(bridge);
	options = mnl_attr_nest_start(nlh, BRIDGE_VLANDB_GLOBAL_OPTIONS);
	mnl_attr_put_u16(nlh, BRIDGE_VLANDB_GOPTS_ID, vid);
	mnl_attr_put_u16(nlh, BRIDGE_VLANDB_GOPTS_MSTI, msti);
	mnl_attr_nest_end(nlh, options);
}

static void put_state(const char *port, uint16_t msti, uint8_t to)
{
	struct nlattr *spec, *mst, *entry;

	link_message(RTM_SETLINK, AF_BRIDGE, port);
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	mst = mnl_attr_nest_start(nlh, IFLA_BRIDGE_MST);
	entry = mnl_attr_nest_start(nlh, IFLA_BRIDGE_MST_ENTRY);
	mnl_attr_put_u16(nlh, IFLA_BRIDGE_MST_ENTRY_MSTI, msti);
	mnl_attr_put_u8(nlh, IFLA_BRIDGE_MST_ENTRY_STATE, to);
	mnl_attr_nest_end(nlh, entry);
	mnl_attr_nest_end(nlh, mst);
	mnl_attr_nest_end(nlh, spec);
}

static void request(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	char answer[4096];
	int len;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
	len = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (len < 0 || mnl_cb_run(answer, len, nlh->nlmsg_seq,
				  mnl_socket_get_portid(nl), NULL, NULL) < 0)
		die("the kernel says");
	mnl_socket_close(nl);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		usage();
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	if (argc == 3 && (!strcmp(argv[1], "on") || !strcmp(argv[1], "off")))
		put_enabled(argv[2], !strcmp(argv[1], "on"));
	else if (argc == 5 && !strcmp(argv[1], "vlan"))
		put_vlan(argv[2], atoi(argv[3]), atoi(argv[4]));
	else if (argc == 5 && !strcmp(argv[1], "state"))
		put_state(argv[2], atoi(argv[3]), state(argv[4]));
	else
		usage();
	request();
	return 0;
}
