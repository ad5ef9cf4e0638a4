// SPDX-License-Identifier: GPL-2.0-only
/*
 * pump: sends packets and says what one costs, in ns. Where the clock counts
 * instructions ("tests/vm/run --icount") that is instructions.
 *
 *   pump udp [OPTION...] SADDR DADDR SPORT DPORT
 *	datagrams from a socket
 *   pump tap [OPTION...] IFACE SMAC DMAC SADDR DADDR SPORT DPORT
 *	the same as frames that come in by a tap device which is there already
 *   pump flows [OPTION...] SMAC DMAC SADDR DADDR SPORT DPORT
 *	no packets, but their conntrack entries, each with a MACKEEP record
 *
 *   -n N	batches (25)
 *   -b N	packets in each (100)
 *   -s BYTES	of the datagram, with UDP header (64)
 *   -g BYTES	udp: super-packets, which are to be cut into segments of so many
 *   -p		udp: an ordinary socket, not a transparent one
 *   -c		udp: a connected one; as long as there is one flow
 *   -t		tap: TCP segments instead
 *   -o		tap: before each batch, which does not count, a transparent socket of
 *		this box sends to somebody new
 *   -m		print the mean of the batches in place of the median, without the
 *		hundredth that costs most: there the timer ticked
 *   -v N	tap, flows: in VLANs 1 to N in turn; tap: a flow in each
 *   -F IFACE	udp: before each batch, which does not count, the bridge of this
 *		port learns of a station that it is there, or forgets it
 *   -f N	spread over N flows (1), up to 1,000,000, each from another
 *		address and port: the last byte of SADDR and DADDR, and DPORT
 *   -A		each flow from a client of its own: SADDR and those behind it,
 *		all to DADDR and DPORT
 *   -i IFACE	flows: the device that the records are of; any unless given
 *   -h		flows: without the record, and the helper that holds it
 *
 * Prints "MEDIAN LOWEST HIGHEST" of the batches, a packet each. The first batch
 * does not count: it finds nothing in any cache.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libmnl/libmnl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ether.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter/xt_MACKEEP.h>

#define ADDRS		250U	/* that a flow can be from, and to */
#define FLOWS_MAX	(ADDRS * ADDRS * 16)
#define VLANS_MAX	4094U
#define STRIDE		7919U	/* prime: neighbours lie far apart */
#define PAYLOAD_MAX	60000U
#define BATCHES_MAX	1000U
#define BATCH_SIZE	32768U

union addr {
	struct in_addr v4;
	struct in6_addr v6;
	uint8_t byte[16];
};

struct flow {
	union addr saddr, daddr;
	uint16_t sport, dport;
};

static unsigned int batches = 25, packets = 100, size = 64, flows = 1, vlans;
static unsigned int ifindex, fdb_port, segment;
static bool plain, connected, tcp, bare, opens, mean, clients, v6;
static struct flow first;
static uint8_t smac[ETH_ALEN], dmac[ETH_ALEN];
static uint8_t payload[PAYLOAD_MAX];

static void die(const char *what)
{
	fprintf(stderr, "pump: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fputs("usage: pump udp [OPTION...] SADDR DADDR SPORT DPORT\n"
	      "       pump tap [OPTION...] IFACE SMAC DMAC SADDR DADDR SPORT DPORT\n"
	      "       pump flows [OPTION...] SMAC DMAC SADDR DADDR SPORT DPORT\n",
	      stderr);
	exit(2);
}

static struct flow flow_at(unsigned int i)
{
	unsigned int last = v6 ? 15 : 3;
	struct flow flow = first;
	uint32_t word;

	if (clients) {
		memcpy(&word, flow.saddr.byte + last - 3, sizeof(word));
		word = htonl(ntohl(word) + i);
		memcpy(flow.saddr.byte + last - 3, &word, sizeof(word));
		return flow;
	}
	flow.saddr.byte[last] += i % ADDRS;
	flow.daddr.byte[last] += i / ADDRS % ADDRS;
	flow.dport += i / ADDRS / ADDRS;
	return flow;
}

/* --- what is measured ---------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Adds an FDB entry of a station that sends nothing, or deletes it. */
static void fdb_turn(void)
{
	static const uint8_t mac[ETH_ALEN] = { 2, 0, 0, 0, 15, 1 };
	static struct mnl_socket *nl;
	static bool there;
	char buf[256] = {};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;

	if (!nl) {
		nl = mnl_socket_open(NETLINK_ROUTE);
		if (!nl)
			die("netlink");
	}
	nlh->nlmsg_type = there ? RTM_DELNEIGH : RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK |
			   (there ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = fdb_port;
	ndm->ndm_flags = NTF_MASTER;
	ndm->ndm_state = NUD_NOARP;
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(mac), mac);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_cb_run(buf, mnl_socket_recvfrom(nl, buf, sizeof(buf)), 0, 0,
		       NULL, NULL) < 0)
		die("FDB");
	there = !there;
}

/* --- udp ----------------------------------------------------------------- */

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t sockaddr(union sockaddr_any *to, const union addr *addr,
			  uint16_t port)
{
	memset(to, 0, sizeof(*to));
	to->sa.sa_family = v6 ? AF_INET6 : AF_INET;
	if (v6) {
		to->v6.sin6_port = htons(port);
		to->v6.sin6_addr = addr->v6;
		return sizeof(to->v6);
	}
	to->v4.sin_port = htons(port);
	to->v4.sin_addr = addr->v4;
	return sizeof(to->v4);
}

static int udp_open(void)
{
	const union addr any = {};
	union sockaddr_any addr;
	int fd, one = 1;
	socklen_t len;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	if (!plain && setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
				 v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &one,
				 sizeof(one)))
		die("IP_TRANSPARENT");
	/*
	 * As QUIC has it. Without DF each address that is sent to has a
	 * generator of IPv4 identifiers, and the first use in a jiffy costs.
	 */
	if (!v6 && setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){
				      IP_PMTUDISC_DO }, sizeof(int)))
		die("IP_MTU_DISCOVER");

	if (segment && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment,
				  sizeof(segment)))
		die("UDP_SEGMENT");
	len = sockaddr(&addr, flows > 1 ? &any : &first.saddr, first.sport);
	if (bind(fd, &addr.sa, len))
		die("bind");
	len = sockaddr(&addr, &first.daddr, first.dport);
	if (connected && connect(fd, &addr.sa, len))
		die("connect");
	return fd;
}

/* A flow that a proxy opens, and that none of the frames is of */
static void open_turn(void)
{
	static unsigned int opened;
	union sockaddr_any addr;
	socklen_t len;
	int fd;

	first.sport ^= 0x8000;
	fd = udp_open();
	first.sport ^= 0x8000;
	len = sockaddr(&addr, &first.daddr, 1024 + opened++ % 60000);
	if (sendto(fd, payload, size - 8, 0, &addr.sa, len) < 0)
		die("sendto");
	close(fd);
}

static void measure(int fd, void (*send_one)(int fd, unsigned int flow))
{
	static double cost[BATCHES_MAX];
	unsigned int i, j, flow = 0;
	unsigned int most;
	double sum = 0;
	uint64_t start;

	for (i = 0; i <= batches; i++) {
		if (fdb_port)
			fdb_turn();
		if (opens)
			open_turn();
		start = now();
		for (j = 0; j < packets; j++) {
			send_one(fd, flow);
			flow = (flow + STRIDE) % flows;
		}
		if (i)
			cost[i - 1] = (double)(now() - start) / packets;
	}
	qsort(cost, batches, sizeof(*cost), by_value);
	most = batches - batches / 100;
	for (i = 0; i < most; i++)
		sum += cost[i];
	printf("%.1f %.1f %.1f\n", mean ? sum / most : cost[batches / 2],
	       cost[0], cost[batches - 1]);
}

/* The source address goes with each datagram when there is more than one. */
static void udp_send(int fd, unsigned int i)
{
	struct flow flow = flow_at(i);
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {};
	struct iovec iov = { payload, size - 8 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct in6_pktinfo info6 = { .ipi6_addr = flow.saddr.v6 };
	struct in_pktinfo info4 = { .ipi_spec_dst = flow.saddr.v4 };
	union sockaddr_any to;
	struct cmsghdr *cmsg;

	if (!connected) {
		msg.msg_name = &to;
		msg.msg_namelen = sockaddr(&to, &flow.daddr, flow.dport);
	}
	if (flows > 1) {
		msg.msg_control = control;
		msg.msg_controllen = v6 ? CMSG_SPACE(sizeof(info6)) :
					  CMSG_SPACE(sizeof(info4));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
		cmsg->cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO;
		cmsg->cmsg_len = v6 ? CMSG_LEN(sizeof(info6)) :
				      CMSG_LEN(sizeof(info4));
		if (v6)
			memcpy(CMSG_DATA(cmsg), &info6, sizeof(info6));
		else
			memcpy(CMSG_DATA(cmsg), &info4, sizeof(info4));
	}
	if (sendmsg(fd, &msg, 0) != (ssize_t)iov.iov_len)
		die("sendmsg");
}

/* --- tap ----------------------------------------------------------------- */

#define TAG_LEN		4U

static uint8_t *frame;
static size_t frame_len;

/* Until the kernel has told the bridge that the cable is in. */
static void tap_wait(struct ifreq *ifr)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tries = 500;

	if (fd < 0)
		die("socket");
	do {
		nanosleep(&nap, NULL);
		if (ioctl(fd, SIOCGIFFLAGS, ifr))
			die(ifr->ifr_name);
	} while (!(ifr->ifr_flags & IFF_RUNNING) && --tries);
	if (!tries) {
		fprintf(stderr, "pump: %s: not running\n", ifr->ifr_name);
		exit(1);
	}
	close(fd);
}

static int tap_open(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	if (fd < 0)
		die("/dev/net/tun");
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr))
		die(name);
	tap_wait(&ifr);
	return fd;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (; len; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)) & 0xffff);
}

/* Between the MACs and the type; its VLAN is filled in later. */
static void tap_tag(void)
{
	uint16_t *tag;

	frame_len += TAG_LEN;
	frame = realloc(frame, frame_len);
	if (!frame)
		die("realloc");
	tag = (uint16_t *)(frame + 2 * ETH_ALEN);
	memmove(tag + 2, tag, frame_len - 2 * ETH_ALEN - TAG_LEN);
	*tag = htons(ETHERTYPE_VLAN);
}

/* Ports, and a header of zeros: nobody who forwards it looks further. */
static void tap_frame(void)
{
	size_t hlen = v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	uint8_t protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	struct ether_header *eth;
	struct ip6_hdr *ip6h;
	struct iphdr *iph;
	uint16_t ports[4];

	frame_len = sizeof(*eth) + hlen + size;
	frame = calloc(1, frame_len);
	if (!frame)
		die("calloc");
	eth = (struct ether_header *)frame;
	memcpy(eth->ether_shost, smac, ETH_ALEN);
	memcpy(eth->ether_dhost, dmac, ETH_ALEN);
	eth->ether_type = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	if (v6) {
		ip6h = (struct ip6_hdr *)(eth + 1);
		ip6h->ip6_vfc = 6 << 4;
		ip6h->ip6_plen = htons(size);
		ip6h->ip6_nxt = protocol;
		ip6h->ip6_hlim = 64;
		ip6h->ip6_src = first.saddr.v6;
		ip6h->ip6_dst = first.daddr.v6;
	} else {
		iph = (struct iphdr *)(eth + 1);
		iph->version = 4;
		iph->ihl = 5;
		iph->tot_len = htons(hlen + size);
		iph->ttl = 64;
		iph->protocol = protocol;
		iph->saddr = first.saddr.v4.s_addr;
		iph->daddr = first.daddr.v4.s_addr;
		iph->check = checksum(iph, hlen);
	}
	ports[0] = htons(first.sport);
	ports[1] = htons(first.dport);
	ports[2] = htons(size);
	ports[3] = 0;
	memcpy((uint8_t *)(eth + 1) + hlen, ports, sizeof(ports));
	if (tcp) {
		((uint8_t *)(eth + 1) + hlen)[12] = 5 << 4;
		((uint8_t *)(eth + 1) + hlen)[13] = 0x10; /* ACK */
	}
	if (vlans)
		tap_tag();
}

/* Another flow's addresses and port */
static void tap_flow(unsigned int i)
{
	uint8_t *ip = frame + sizeof(struct ether_header) +
		      (vlans ? TAG_LEN : 0);
	struct ip6_hdr *ip6h = (struct ip6_hdr *)ip;
	struct iphdr *iph = (struct iphdr *)ip;
	struct flow flow = flow_at(i);
	uint16_t port = htons(flow.dport);

	if (v6) {
		ip6h->ip6_src = flow.saddr.v6;
		ip6h->ip6_dst = flow.daddr.v6;
		memcpy(ip + sizeof(*ip6h) + 2, &port, sizeof(port));
		return;
	}
	iph->saddr = flow.saddr.v4.s_addr;
	iph->daddr = flow.daddr.v4.s_addr;
	iph->check = 0;
	iph->check = checksum(iph, sizeof(*iph));
	memcpy(ip + sizeof(*iph) + 2, &port, sizeof(port));
}

static void tap_send(int fd, unsigned int flow)
{
	if (vlans)
		((uint16_t *)frame)[ETH_ALEN + 1] = htons(flow + 1);
	/* One flow in one VLAN is compared with many in many. */
	if (flows > 1 || vlans)
		tap_flow(flow);
	if (write(fd, frame, frame_len) != (ssize_t)frame_len)
		die("write");
}

/* --- flows --------------------------------------------------------------- */

static void flows_tuple(struct nlmsghdr *nlh, uint16_t type,
			const union addr *saddr, const union addr *daddr,
			uint16_t sport, uint16_t dport)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
	size_t len = v6 ? sizeof(saddr->v6) : sizeof(saddr->v4);
	struct nlattr *nest;

	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, saddr);
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, daddr);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(sport));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dport));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, tuple);
}

static void flows_put(struct nlmsghdr *nlh, const struct flow *flow,
		      unsigned int vlan)
{
	struct mackeep_info info = {
		.version = MACKEEP_INFO_VERSION,
		.flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST,
		.ifindex = ifindex,
		.vlan = vlan,
		.vlan_proto = vlan ? ETHERTYPE_VLAN : 0,
	};
	struct nfgenmsg *nfg;
	struct nlattr *help;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = v6 ? AF_INET6 : AF_INET;
	nfg->version = NFNETLINK_V0;

	flows_tuple(nlh, CTA_TUPLE_ORIG, &flow->saddr, &flow->daddr,
		    flow->sport, flow->dport);
	flows_tuple(nlh, CTA_TUPLE_REPLY, &flow->daddr, &flow->saddr,
		    flow->dport, flow->sport);
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(3600));
	mnl_attr_put_u32(nlh, CTA_STATUS,
			 htonl(IPS_CONFIRMED | IPS_SEEN_REPLY));
	if (bare)
		return;
	memcpy(info.src, smac, ETH_ALEN);
	memcpy(info.dst, dmac, ETH_ALEN);
	help = mnl_attr_nest_start(nlh, CTA_HELP);
	mnl_attr_put_strz(nlh, CTA_HELP_NAME, MACKEEP_HELPER_NAME);
	mnl_attr_put(nlh, CTA_HELP_INFO, sizeof(info), &info);
	mnl_attr_nest_end(nlh, help);
}

/* Answers come for what failed only, one of them at the end for all. */
static void flows_send(struct mnl_socket *nl, struct mnl_nlmsg_batch *batch)
{
	char answer[BATCH_SIZE];
	ssize_t n;

	if (mnl_socket_sendto(nl, mnl_nlmsg_batch_head(batch),
			      mnl_nlmsg_batch_size(batch)) < 0)
		die("sendto");
	n = recv(mnl_socket_get_fd(nl), answer, sizeof(answer), MSG_DONTWAIT);
	if (n > 0 && mnl_cb_run(answer, n, 0, 0, NULL, NULL) < 0)
		die("conntrack entry");
	mnl_nlmsg_batch_reset(batch);
}

static int flows_make(void)
{
	static char buf[2 * BATCH_SIZE];
	struct mnl_nlmsg_batch *batch;
	struct mnl_socket *nl;
	struct flow flow;
	unsigned int i;

	nl = mnl_socket_open(NETLINK_NETFILTER);
	batch = mnl_nlmsg_batch_start(buf, BATCH_SIZE);
	if (!nl || !batch)
		die("netlink");
	for (i = 0; i < flows; i++) {
		flow = flow_at(i);
		flows_put(mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch)),
			  &flow, vlans ? i % vlans + 1 : 0);
		/* One that had no room is the first of the next batch. */
		if (!mnl_nlmsg_batch_next(batch))
			flows_send(nl, batch);
	}
	if (!mnl_nlmsg_batch_is_empty(batch))
		flows_send(nl, batch);
	return 0;
}

/* ------------------------------------------------------------------------- */

static void parse_mac(uint8_t *mac, const char *text)
{
	const struct ether_addr *addr = ether_aton(text);

	if (!addr)
		usage();
	memcpy(mac, addr, ETH_ALEN);
}

static void parse_addr(union addr *addr, const char *text)
{
	if (inet_pton(AF_INET6, text, &addr->v6) == 1)
		v6 = true;
	else if (inet_pton(AF_INET, text, &addr->v4) != 1)
		usage();
}

int main(int argc, char **argv)
{
	bool tap, make;
	int opt;

	if (argc < 2)
		usage();
	tap = !strcmp(argv[1], "tap");
	make = !strcmp(argv[1], "flows");
	if (!tap && !make && strcmp(argv[1], "udp"))
		usage();
	argv++;
	argc--;

	while ((opt = getopt(argc, argv, "n:b:s:f:v:F:g:pctomAi:h")) != -1) {
		switch (opt) {
		case 'n':
			batches = atoi(optarg);
			break;
		case 'b':
			packets = atoi(optarg);
			break;
		case 's':
			size = atoi(optarg);
			break;
		case 'f':
			flows = atoi(optarg);
			break;
		case 'v':
			vlans = atoi(optarg);
			break;
		case 'F':
			fdb_port = if_nametoindex(optarg);
			if (!fdb_port)
				die(optarg);
			break;
		case 'g':
			segment = atoi(optarg);
			break;
		case 'p':
			plain = true;
			break;
		case 'c':
			connected = true;
			break;
		case 't':
			tcp = true;
			break;
		case 'o':
			opens = true;
			break;
		case 'm':
			mean = true;
			break;
		case 'A':
			clients = true;
			break;
		case 'i':
			ifindex = if_nametoindex(optarg);
			if (!ifindex)
				die(optarg);
			break;
		case 'h':
			bare = true;
			break;
		default:
			usage();
		}
	}
	argv += optind;
	argc -= optind;
	if (argc != 4 + 2 * (tap || make) + tap || !batches ||
	    batches > BATCHES_MAX || !packets || !flows || flows > FLOWS_MAX || vlans > VLANS_MAX ||
	    size < (tcp ? 20 : 8) || size > PAYLOAD_MAX || (connected && flows > 1))
		usage();
	if (tap || make) {
		parse_mac(smac, argv[tap]);
		parse_mac(dmac, argv[tap + 1]);
	}
	parse_addr(&first.saddr, argv[argc - 4]);
	parse_addr(&first.daddr, argv[argc - 3]);
	first.sport = atoi(argv[argc - 2]);
	first.dport = atoi(argv[argc - 1]);

	if (make)
		return flows_make();
	if (tap) {
		if (vlans)
			flows = vlans;
		tap_frame();
		measure(tap_open(argv[0]), tap_send);
	} else {
		measure(udp_open(), udp_send);
	}
	return 0;
}
