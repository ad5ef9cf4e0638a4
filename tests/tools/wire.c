// SPDX-License-Identifier: GPL-2.0-only
/*
 * wire: says which MAC addresses are on a wire.
 *
 *   wire -i IFACE [-p] [-t] [-H [-I]] [-a ADDR] [-q MS] OUT
 *
 * Captures every frame of IFACE, both ways, and counts alike ones: the same
 * way, MACs, VLAN, ethertype, addresses, protocol and ports. Says "ready" on
 * stdout once it captures. Writes to OUT on SIGUSR1, and on SIGTERM or SIGINT,
 * when no frame came for MS milliseconds (200), and then ends.
 *
 * IFACE is meant to be the far end of the cable to the box under test, or "any"
 * in a namespace that has no other interface, also when it comes later; so the
 * way is "from" for frames that arrive here and "to" for frames that leave.
 *
 *   WAY SOURCE DEST VLAN TYPE SADDR DADDR PROTO SPORT DPORT FRAMES BYTES \
 *	LONGEST FLAGS FIRST LAST
 *
 * TYPE is ip, ip6, arp or hexadecimal. Of ARP, SADDR and DADDR are sender and
 * target address and PROTO is "request" or "reply"; of ICMP the ports are type
 * and code. A port from 32768 on is "*" unless -p is given. LONGEST is the bytes
 * of the longest frame, FLAGS are all the TCP flags seen, FIRST and LAST seconds
 * since the start. "-": has none.
 * The last line is "# frames N dropped N".
 *
 *   -t		all of the tag in the place of the VLAN: 8100/VID/PCP/DEI
 *   -a ADDR	only frames with this address, or of no address at all
 *   -H		a line per frame instead, in order: WAY LENGTH HASH, over the
 *		whole frame, the VLAN tag included
 *   -I		likewise, but without an untagged IPv4 header's identification
 *		and checksum, which are never the same twice
 *
 * Exit 0; 3 when the kernel had to drop frames, which makes OUT worthless.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The ring; a slot has the start of a frame, or with -H the whole of one. */
#define BLOCK_SIZE	(1U << 18)
#define BLOCKS		(hash_mode ? 512U : 64U)
#define SLOT_SIZE	(hash_mode ? 1U << 17 : 256U)

#define HASH_SIZE	8192U

struct key {
	uint8_t way;
	uint8_t src[6];
	uint8_t dst[6];
	uint8_t proto;
	uint16_t vlan;		/* with -t all of the TCI */
	uint16_t tpid;		/* with -t */
	uint16_t type;
	uint8_t saddr[16];
	uint8_t daddr[16];
	int32_t sport;
	int32_t dport;
};

struct flow {
	struct flow *next;
	struct key key;
	unsigned long frames;
	unsigned long bytes;
	unsigned int longest;
	uint8_t flags;
	double first;
	double last;
};

enum { NO_PORT = -1, FOLDED = -2 };
#define NO_VLAN	0xffff

static struct flow *table[HASH_SIZE];
static unsigned long frames, dropped;
static bool keep_ports, whole_tag, hash_mode, without_id, have_only;
static uint8_t only[16];
static FILE *lines;
static double start;

static void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t fnv(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

#define FNV_START	0xcbf29ce484222325ULL

static struct flow *flow_get(const struct key *key)
{
	struct flow **slot, *flow;

	slot = &table[fnv(FNV_START, key, sizeof(*key)) % HASH_SIZE];
	for (flow = *slot; flow; flow = flow->next)
		if (!memcmp(&flow->key, key, sizeof(*key)))
			return flow;

	flow = calloc(1, sizeof(*flow));
	if (!flow)
		die("calloc");
	flow->key = *key;
	flow->next = *slot;
	*slot = flow;
	return flow;
}

static int fold(uint16_t port)
{
	return port >= 32768 && !keep_ports ? FOLDED : port;
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void dissect_ports(struct key *key, const uint8_t *p, size_t len,
			  uint8_t *flags)
{
	switch (key->proto) {
	case IPPROTO_TCP:
		if (len >= 14)
			*flags = p[13];
		/* fall through */
	case IPPROTO_UDP:
		if (len < 4)
			return;
		key->sport = fold(get16(p));
		key->dport = fold(get16(p + 2));
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (len < 2)
			return;
		key->sport = p[0];
		key->dport = p[1];
	}
}

/* p is what follows the Ethernet header, len what is there of it. */
static void dissect(struct key *key, const uint8_t *p, size_t len,
		    uint8_t *flags)
{
	size_t hlen;

	switch (key->type) {
	case ETH_P_ARP:
		if (len < 28)
			return;
		memcpy(key->saddr, p + 14, 4);
		memcpy(key->daddr, p + 24, 4);
		key->proto = p[7];
		return;
	case ETH_P_IP:
		if (len < 20)
			return;
		memcpy(key->saddr, p + 12, 4);
		memcpy(key->daddr, p + 16, 4);
		key->proto = p[9];
		hlen = (p[0] & 15) * 4;
		if (!(get16(p + 6) & 0x1fff) && len > hlen)
			dissect_ports(key, p + hlen, len - hlen, flags);
		return;
	case ETH_P_IPV6:
		if (len < 40)
			return;
		memcpy(key->saddr, p + 8, 16);
		memcpy(key->daddr, p + 24, 16);
		key->proto = p[6];
		dissect_ports(key, p + 40, len - 40, flags);
	}
}

static void frame_line(struct tpacket2_hdr *hdr, const char *way)
{
	uint8_t *mac = (uint8_t *)hdr + hdr->tp_mac;
	uint64_t hash = FNV_START;
	uint16_t tag = hdr->tp_vlan_tci;

	if (hdr->tp_snaplen < hdr->tp_len)
		dropped++;
	if (hdr->tp_status & TP_STATUS_VLAN_VALID)
		hash = fnv(hash, &tag, sizeof(tag));
	if (without_id && hdr->tp_snaplen >= ETH_HLEN + 20 &&
	    get16(mac + 12) == ETH_P_IP) {
		memset(mac + ETH_HLEN + 4, 0, 2);
		memset(mac + ETH_HLEN + 10, 0, 2);
	}
	hash = fnv(hash, mac, hdr->tp_snaplen);
	fprintf(lines, "%s %u %016llx\n", way, hdr->tp_len,
		(unsigned long long)hash);
}

static void set_tag(struct key *key, uint16_t tpid, uint16_t tci)
{
	key->vlan = whole_tag ? tci : tci & 0xfff;
	key->tpid = whole_tag ? tpid : 0;
}

static void frame_in(struct tpacket2_hdr *hdr)
{
	const uint8_t *mac = (const uint8_t *)hdr + hdr->tp_mac;
	const struct sockaddr_ll *ll;
	size_t len = hdr->tp_snaplen;
	struct key key = { .vlan = NO_VLAN, .sport = NO_PORT,
			   .dport = NO_PORT };
	uint8_t flags = 0;
	struct flow *flow;
	double now;

	ll = (const void *)((const uint8_t *)hdr +
			    TPACKET_ALIGN(sizeof(*hdr)));
	key.way = ll->sll_pkttype == PACKET_OUTGOING;

	if (len < ETH_HLEN)
		return;

	memcpy(key.dst, mac, 6);
	memcpy(key.src, mac + 6, 6);
	key.type = get16(mac + 12);
	mac += ETH_HLEN;
	len -= ETH_HLEN;
	if (hdr->tp_status & TP_STATUS_VLAN_VALID) {
		set_tag(&key, hdr->tp_vlan_tpid, hdr->tp_vlan_tci);
	} else if ((key.type == ETH_P_8021Q || key.type == ETH_P_8021AD) &&
		   len >= 4) {
		set_tag(&key, key.type, get16(mac));
		key.type = get16(mac + 2);
		mac += 4;
		len -= 4;
	}
	dissect(&key, mac, len, &flags);
	if (have_only && memcmp(key.saddr, only, 16) &&
	    memcmp(key.daddr, only, 16) &&
	    (key.type == ETH_P_IP || key.type == ETH_P_IPV6))
		return;

	frames++;
	if (hash_mode) {
		frame_line(hdr, key.way ? "to" : "from");
		return;
	}

	now = hdr->tp_sec + hdr->tp_nsec / 1e9 - start;
	flow = flow_get(&key);
	if (!flow->frames)
		flow->first = now;
	flow->last = now;
	flow->frames++;
	flow->bytes += hdr->tp_len;
	if (flow->longest < hdr->tp_len)
		flow->longest = hdr->tp_len;
	flow->flags |= flags;
}

static void print_mac(FILE *out, const uint8_t *mac)
{
	fprintf(out, " %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

static void print_port(FILE *out, int port)
{
	if (port >= 0)
		fprintf(out, " %d", port);
	else
		fputs(port == FOLDED ? " *" : " -", out);
}

static void print_proto(FILE *out, const struct key *key)
{
	if (key->type == ETH_P_ARP) {
		fputs(key->proto == 1 ? " request" : " reply", out);
		return;
	}
	if (key->type != ETH_P_IP && key->type != ETH_P_IPV6) {
		fputs(" -", out);
		return;
	}
	switch (key->proto) {
	case IPPROTO_TCP:
		fputs(" tcp", out);
		break;
	case IPPROTO_UDP:
		fputs(" udp", out);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		fputs(" icmp", out);
		break;
	default:
		fprintf(out, " %u", key->proto);
	}
}

static void print_flow(FILE *out, const struct flow *flow)
{
	static const char letters[] = "FSRPAUEC";
	const struct key *key = &flow->key;
	char saddr[INET6_ADDRSTRLEN] = "-", daddr[INET6_ADDRSTRLEN] = "-";
	int i;

	fputs(key->way ? "to" : "from", out);
	print_mac(out, key->src);
	print_mac(out, key->dst);
	if (key->vlan == NO_VLAN)
		fputs(" -", out);
	else if (whole_tag)
		fprintf(out, " %04x/%d/%d/%d", key->tpid, key->vlan & 0xfff,
			key->vlan >> 13, key->vlan >> 12 & 1);
	else
		fprintf(out, " %u", key->vlan);

	switch (key->type) {
	case ETH_P_IP:
	case ETH_P_ARP:
		inet_ntop(AF_INET, key->saddr, saddr, sizeof(saddr));
		inet_ntop(AF_INET, key->daddr, daddr, sizeof(daddr));
		fputs(key->type == ETH_P_IP ? " ip" : " arp", out);
		break;
	case ETH_P_IPV6:
		inet_ntop(AF_INET6, key->saddr, saddr, sizeof(saddr));
		inet_ntop(AF_INET6, key->daddr, daddr, sizeof(daddr));
		fputs(" ip6", out);
		break;
	default:
		fprintf(out, " %04x", key->type);
	}
	fprintf(out, " %s %s", saddr, daddr);
	print_proto(out, key);
	print_port(out, key->sport);
	print_port(out, key->dport);
	fprintf(out, " %lu %lu %u ", flow->frames, flow->bytes, flow->longest);
	if (!flow->flags)
		fputc('-', out);
	for (i = 0; i < 8; i++)
		if (flow->flags & 1 << i)
			fputc(letters[i], out);
	fprintf(out, " %.3f %.3f\n", flow->first, flow->last);
}

/* A reader never sees half a table. */
static void write_out(int fd, const char *path)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);
	char tmp[4096];
	struct flow *flow;
	unsigned int i;
	FILE *out;

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		die("PACKET_STATISTICS");
	dropped += stats.tp_drops;

	if (hash_mode) {
		fflush(lines);
		return;
	}
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	out = fopen(tmp, "w");
	if (!out)
		die(tmp);
	for (i = 0; i < HASH_SIZE; i++)
		for (flow = table[i]; flow; flow = flow->next)
			print_flow(out, flow);
	fprintf(out, "# frames %lu dropped %lu\n", frames, dropped);
	if (fclose(out))
		die(tmp);
	if (rename(tmp, path))
		die(path);
}

static int capture(const char *iface, uint8_t **ring)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { .len = 1, .filter = code };
	struct tpacket_req req = {
		.tp_block_size = BLOCK_SIZE,
		.tp_block_nr = BLOCKS,
		.tp_frame_size = SLOT_SIZE,
	};
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int version = TPACKET_V2;
	int fd;

	req.tp_frame_nr = BLOCK_SIZE / req.tp_frame_size * BLOCKS;
	code[0].k = hash_mode ? 0x40000 : 128;

	addr.sll_ifindex = if_nametoindex(iface);
	if (!addr.sll_ifindex && strcmp(iface, "any"))
		die(iface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die("SO_ATTACH_FILTER");
	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		       sizeof(version)))
		die("PACKET_VERSION");
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		die("PACKET_RX_RING");
	*ring = mmap(NULL, (size_t)BLOCK_SIZE * BLOCKS, PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (*ring == MAP_FAILED)
		die("mmap");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	return fd;
}

/* How many frames there were. */
static unsigned int drain(uint8_t *ring, unsigned int *at)
{
	unsigned int slots = BLOCK_SIZE / SLOT_SIZE * BLOCKS;
	unsigned int n = 0;

	for (;;) {
		struct tpacket2_hdr *hdr = (void *)(ring + (size_t)*at * SLOT_SIZE);

		if (!(__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER))
			return n;
		frame_in(hdr);
		__atomic_store_n(&hdr->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		*at = (*at + 1) % slots;
		n++;
	}
}

static double clock_now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void loop(int fd, int sigfd, uint8_t *ring, const char *path, int quiet)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	double last = 0, end = 0;
	unsigned int at = 0;

	for (;;) {
		double now = clock_now(CLOCK_MONOTONIC);
		int timeout = -1;

		if (drain(ring, &at))
			last = now;
		if (end) {
			if (now - last >= quiet / 1000.0 || now > end)
				return;
			timeout = quiet - (int)((now - last) * 1000) + 1;
		}
		if (poll(fds, 2, timeout) < 0 && errno != EINTR)
			die("poll");
		if (!(fds[1].revents & POLLIN))
			continue;
		if (read(sigfd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGUSR1) {
			drain(ring, &at);
			write_out(fd, path);
		} else if (!end) {
			last = clock_now(CLOCK_MONOTONIC);
			end = last + 10;
		}
	}
}

static void usage(void)
{
	fputs("usage: wire -i IFACE [-p] [-t] [-H [-I]] [-a ADDR] [-q MS] OUT\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *iface = NULL;
	int fd, sigfd, opt, quiet = 200;
	uint8_t *ring;
	sigset_t set;

	while ((opt = getopt(argc, argv, "i:ptHIa:q:")) != -1) {
		switch (opt) {
		case 'i':
			iface = optarg;
			break;
		case 'p':
			keep_ports = true;
			break;
		case 't':
			whole_tag = true;
			break;
		case 'H':
			hash_mode = true;
			break;
		case 'I':
			without_id = true;
			break;
		case 'a':
			have_only = true;
			if (inet_pton(AF_INET, optarg, only) != 1 &&
			    inet_pton(AF_INET6, optarg, only) != 1)
				usage();
			break;
		case 'q':
			quiet = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (!iface || optind != argc - 1)
		usage();

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigfd = signalfd(-1, &set, SFD_CLOEXEC);
	if (sigfd < 0)
		die("signalfd");

	if (hash_mode) {
		lines = fopen(argv[optind], "w");
		if (!lines)
			die(argv[optind]);
	}
	start = clock_now(CLOCK_REALTIME);
	fd = capture(iface, &ring);
	puts("ready");
	fflush(stdout);

	loop(fd, sigfd, ring, argv[optind], quiet);
	write_out(fd, argv[optind]);
	if (dropped)
		fprintf(stderr, "wire: %s: %lu frames lost\n", iface, dropped);
	return dropped ? 3 : 0;
}
