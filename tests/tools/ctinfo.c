// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctinfo: the MACKEEP records of conntrack entries, by way of ctnetlink.
 *
 *   ctinfo dump
 *	a line per IPv4 entry, read with libnetfilter_conntrack:
 *	PROTO SADDR DADDR SPORT DPORT VERSION FLAGS VIA VLAN POLICY DEVICE SRC DST
 *	where all from VERSION on is "-" for an entry without record
 *   ctinfo batch
 *	does what each line of stdin says and prints "OK" or what strerror(3) says:
 *	create|update|delete PROTO SADDR DADDR SPORT DPORT [RECORD]
 *	RECORD is CTA_HELP_INFO in hexadecimal, of any length; "empty" is one
 *	of no bytes; "none" names the helper and leaves the attribute out.
 *	Without it, no helper.
 *   ctinfo fill COUNT RECORD
 *	creates so many UDP entries for an hour, to 203.0.113.73 port 443
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/if.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/xt_MACKEEP.h>

#define RECORD_MAX	256

static void die(const char *what)
{
	fprintf(stderr, "ctinfo: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- dump --------------------------------------------------------------- */

static void print_mac(const __u8 *mac)
{
	printf(" %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
	       mac[4], mac[5]);
}

static void print_info(const struct mackeep_info *info)
{
	char name[IF_NAMESIZE] = "any";

	if (info->ifindex && !if_indextoname(info->ifindex, name))
		snprintf(name, sizeof(name), "gone");
	printf(" %u %u %u %u %u %s", info->version, info->flags, info->via,
	       info->vlan, info->policy, name);
	print_mac(info->src);
	print_mac(info->dst);
}

static int dump_one(enum nf_conntrack_msg_type type, struct nf_conntrack *ct,
		    void *data)
{
	char saddr[INET_ADDRSTRLEN], daddr[INET_ADDRSTRLEN];
	const char *helper = NULL;
	struct nfct_handle *single = data;
	struct mackeep_info info;
	struct in_addr addr;
	bool kept;

	(void)type;

	if (nfct_attr_is_set(ct, ATTR_HELPER_NAME) > 0)
		helper = nfct_get_attr(ct, ATTR_HELPER_NAME);
	kept = helper && !strcmp(helper, MACKEEP_HELPER_NAME);
	/* A dump leaves the record out where the block has no room for it. */
	if (kept && nfct_attr_is_set(ct, ATTR_HELPER_INFO) <= 0) {
		if (single && nfct_query(single, NFCT_Q_GET, ct) >= 0)
			return NFCT_CB_CONTINUE;
		kept = false;
	}

	addr.s_addr = nfct_get_attr_u32(ct, ATTR_ORIG_IPV4_SRC);
	inet_ntop(AF_INET, &addr, saddr, sizeof(saddr));
	addr.s_addr = nfct_get_attr_u32(ct, ATTR_ORIG_IPV4_DST);
	inet_ntop(AF_INET, &addr, daddr, sizeof(daddr));
	switch (nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO)) {
	case IPPROTO_TCP:
		printf("tcp");
		break;
	case IPPROTO_UDP:
		printf("udp");
		break;
	default:
		printf("%u", nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO));
	}
	printf(" %s %s %u %u", saddr, daddr,
	       ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC)),
	       ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST)));

	if (kept) {
		memcpy(&info, nfct_get_attr(ct, ATTR_HELPER_INFO),
		       sizeof(info));
		print_info(&info);
	} else {
		printf(" -");
	}
	putchar('\n');
	return NFCT_CB_CONTINUE;
}

static int do_dump(void)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	struct nfct_handle *single = nfct_open(CONNTRACK, 0);
	uint32_t family = AF_INET;
	int ret;

	if (!h || !single)
		die("nfct_open");
	nfct_callback_register(single, NFCT_T_ALL, dump_one, NULL);
	nfct_callback_register(h, NFCT_T_ALL, dump_one, single);
	ret = nfct_query(h, NFCT_Q_DUMP, &family);
	if (ret < 0)
		die("dump");
	nfct_close(single);
	nfct_close(h);
	return 0;
}

/* --- batch -------------------------------------------------------------- */

struct tuple {
	uint32_t saddr;		/* all in network order */
	uint32_t daddr;
	uint16_t sport;
	uint16_t dport;
	uint8_t proto;
};

static void put_tuple(struct nlmsghdr *nlh, uint16_t attr, struct tuple t,
		      int turned)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, attr), *inner;

	inner = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, turned ? t.daddr : t.saddr);
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, turned ? t.saddr : t.daddr);
	mnl_attr_nest_end(nlh, inner);
	inner = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t.proto);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, turned ? t.dport : t.sport);
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, turned ? t.sport : t.dport);
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, nest);
}

static void put_record(struct nlmsghdr *nlh, const char *text)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_HELP);
	uint8_t record[RECORD_MAX];
	size_t len;

	mnl_attr_put_strz(nlh, CTA_HELP_NAME, MACKEEP_HELPER_NAME);
	if (strcmp(text, "none")) {
		if (!strcmp(text, "empty"))
			text = "";
		for (len = 0; len < RECORD_MAX && *text; len++, text += 2)
			if (sscanf(text, "%2hhx", &record[len]) != 1)
				break;
		mnl_attr_put(nlh, CTA_HELP_INFO, len, record);
	}
	mnl_attr_nest_end(nlh, nest);
}

static void put_tcp(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_PROTOINFO), *inner;

	inner = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE,
			TCP_CONNTRACK_ESTABLISHED);
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, nest);
}

static int request(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	char buf[4096];
	int len;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
	len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (len < 0)
		die("recv");
	if (mnl_cb_run(buf, len, nlh->nlmsg_seq, mnl_socket_get_portid(nl),
		       NULL, NULL) < 0)
		return errno;
	return 0;
}

static struct nlmsghdr *new_message(char *buf, uint16_t type, uint16_t flags)
{
	static unsigned int seq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfh;

	nlh->nlmsg_seq = ++seq;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	nfh = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfh));
	nfh->nfgen_family = AF_INET;
	return nlh;
}

static void put_new(struct nlmsghdr *nlh, struct tuple t, uint32_t timeout)
{
	put_tuple(nlh, CTA_TUPLE_ORIG, t, 0);
	put_tuple(nlh, CTA_TUPLE_REPLY, t, 1);
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(timeout));
}

static int run_line(struct mnl_socket *nl, char *line)
{
	char verb[16], proto[8], saddr[64], daddr[64], record[1024];
	struct nlmsghdr *nlh;
	struct tuple t = { 0 };
	char buf[4096] = "";
	int n, create;

	n = sscanf(line, "%15s %7s %63s %63s %hu %hu %1023s", verb, proto,
		   saddr, daddr, &t.sport, &t.dport, record);
	if (n < 6 || inet_pton(AF_INET, saddr, &t.saddr) != 1 ||
	    inet_pton(AF_INET, daddr, &t.daddr) != 1) {
		fprintf(stderr, "ctinfo: not a request: %s", line);
		exit(2);
	}
	t.sport = htons(t.sport);
	t.dport = htons(t.dport);
	t.proto = !strcmp(proto, "tcp") ? IPPROTO_TCP : IPPROTO_UDP;

	create = !strcmp(verb, "create");
	nlh = new_message(buf, strcmp(verb, "delete") ? IPCTNL_MSG_CT_NEW :
							IPCTNL_MSG_CT_DELETE,
			  NLM_F_ACK | (create ? NLM_F_CREATE | NLM_F_EXCL : 0));
	if (create) {
		put_new(nlh, t, 600);
		if (t.proto == IPPROTO_TCP)
			put_tcp(nlh);
	} else {
		put_tuple(nlh, CTA_TUPLE_ORIG, t, 0);
	}
	if (n > 6)
		put_record(nlh, record);
	return request(nl, nlh);
}

/* As many at once as fit; the last one is acknowledged, the others if bad. */
static int do_fill(unsigned int count, const char *record)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct tuple t = { .proto = IPPROTO_UDP, .dport = htons(443) };
	static char buf[32768];
	char answer[4096];
	struct nlmsghdr *nlh;
	unsigned int i, used = 0;
	int len;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	inet_pton(AF_INET, "203.0.113.73", &t.daddr);
	for (i = 0; i < count; i++) {
		t.saddr = htonl(0xc6120001 + i / 60000); /* 198.18.0.1 */
		t.sport = htons(1024 + i % 60000);
		memset(buf + used, 0, 1024);
		nlh = new_message(buf + used, IPCTNL_MSG_CT_NEW,
				  NLM_F_CREATE | NLM_F_EXCL);
		put_new(nlh, t, 3600);
		put_record(nlh, record);
		/* Two sizes of entries, so that blocks of them end anywhere. */
		if (i % 2)
			mnl_attr_put_u16(nlh, CTA_ZONE, htons(1));
		used += NLMSG_ALIGN(nlh->nlmsg_len);
		if (used + 1024 < sizeof(buf) && i + 1 < count)
			continue;
		nlh->nlmsg_flags |= NLM_F_ACK;
		if (mnl_socket_sendto(nl, buf, used) < 0)
			die("send");
		len = mnl_socket_recvfrom(nl, answer, sizeof(answer));
		if (len < 0 || mnl_cb_run(answer, len, nlh->nlmsg_seq,
					  mnl_socket_get_portid(nl), NULL,
					  NULL) < 0)
			die("create");
		used = 0;
	}
	mnl_socket_close(nl);
	return 0;
}

static int do_batch(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	char line[2048];
	int err;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	while (fgets(line, sizeof(line), stdin)) {
		err = run_line(nl, line);
		puts(err ? strerror(err) : "OK");
		fflush(stdout);
	}
	mnl_socket_close(nl);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "dump"))
		return do_dump();
	if (argc == 2 && !strcmp(argv[1], "batch"))
		return do_batch();
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return do_fill(strtoul(argv[2], NULL, 0), argv[3]);
	fputs("usage: ctinfo dump|batch|fill COUNT RECORD\n", stderr);
	return 2;
}
