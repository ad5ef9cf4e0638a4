// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame: makes Ethernet frames and sends them as they are.
 *
 *   frame make [OPTION...] udp|syn|ack|icmp SMAC DMAC SADDR DADDR SPORT DPORT
 *	      [BYTES]
 *	prints a good frame in hexadecimal, IPv4 or, but for icmp, IPv6; ports
 *	are type and code of icmp; BYTES is the length of the payload (16, none
 *	of TCP)
 *	  -b N	flip all bits of byte N
 *	  -s N	TCP sequence number (1000)
 *	  -a N	TCP number acknowledged (0)
 *   frame make has SMAC ADDR
 *	likewise, to all: ADDR is at SMAC; a gratuitous ARP reply or an
 *	unsolicited neighbour advertisement
 *   frame make router SMAC ADDR SECONDS
 *	likewise: ADDR, which is link-local, is a router for so long; a router
 *	advertisement
 *   frame send -i IFACE [-n TIMES]
 *	sends frames given as hexadecimal on stdin, one a line; spaces and what
 *	follows a # do not count
 *   frame flood -i IFACE -n N udp|syn SMAC DMAC DADDR DPORT [PAUSE]
 *	sends N frames, each from another address of 10.0.0.0/8 (no range for
 *	documentation has as many) or 2001:db8:ff::/96, and another port, with
 *	a pause of PAUSE microseconds after every 64
 *
 * flood says on stdout how many the interface took, and fails if not all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX	9000
#define BATCH		64

struct spec {
	uint8_t smac[6];
	uint8_t dmac[6];
	uint8_t saddr[16];
	uint8_t daddr[16];
	uint16_t sport;		/* the rest in host order */
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	bool v6;
	uint8_t proto;
	uint8_t flags;
	unsigned int payload;
};

static void usage(void)
{
	fputs("usage: frame make [-b N] [-s N] [-a N] udp|syn|ack|icmp SMAC DMAC SADDR DADDR SPORT DPORT [BYTES]\n"
	      "       frame make has SMAC ADDR\n"
	      "       frame send -i IFACE [-n TIMES]\n"
	      "       frame flood -i IFACE -n N udp|syn SMAC DMAC DADDR DPORT [PAUSE]\n",
	      stderr);
	exit(2);
}

static void die(const char *what)
{
	fprintf(stderr, "frame: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t sum(uint32_t acc, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		acc += p[0] << 8 | p[1];
	return len ? acc + (p[0] << 8) : acc;
}

static uint16_t fold(uint32_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return ~acc;
}

static size_t build(uint8_t *p, const struct spec *spec)
{
	size_t head = spec->proto == IPPROTO_TCP ? 20 : 8;
	size_t l4len = head + spec->payload, i, check;
	size_t alen = spec->v6 ? 16 : 4;
	uint8_t *ip = p + 14, *l4 = ip + (spec->v6 ? 40 : 20);
	uint8_t *addrs = ip + (spec->v6 ? 8 : 12);
	uint32_t acc = 0;

	memset(p, 0, l4 - p + head);
	memcpy(p, spec->dmac, 6);
	memcpy(p + 6, spec->smac, 6);
	memcpy(addrs, spec->saddr, alen);
	memcpy(addrs + alen, spec->daddr, alen);
	if (spec->v6) {
		put16(p + 12, ETHERTYPE_IPV6);
		ip[0] = 0x60;
		put16(ip + 4, l4len);
		ip[6] = spec->proto;
		ip[7] = 64;
	} else {
		put16(p + 12, ETHERTYPE_IP);
		ip[0] = 0x45;
		put16(ip + 2, 20 + l4len);
		ip[8] = 64;
		ip[9] = spec->proto;
		put16(ip + 10, fold(sum(0, ip, 20)));
	}

	for (i = 0; i < spec->payload; i++)
		l4[head + i] = i;
	switch (spec->proto) {
	case IPPROTO_ICMP:
		l4[0] = spec->sport;
		l4[1] = spec->dport;
		check = 2;
		break;
	case IPPROTO_UDP:
		put16(l4, spec->sport);
		put16(l4 + 2, spec->dport);
		put16(l4 + 4, l4len);
		check = 6;
		break;
	default:
		put16(l4, spec->sport);
		put16(l4 + 2, spec->dport);
		put32(l4 + 4, spec->seq);
		put32(l4 + 8, spec->ack);
		l4[12] = 5 << 4;
		l4[13] = spec->flags;
		put16(l4 + 14, 0xffff);
		check = 16;
	}
	if (spec->proto != IPPROTO_ICMP)
		acc = sum(spec->proto + l4len, addrs, 2 * alen);
	put16(l4 + check, fold(sum(acc, l4, l4len)));
	return l4 - p + l4len;
}

/* To all; the message has LEN bytes, and an option behind them, of smac. */
static size_t build_nd(uint8_t *p, const struct spec *spec, uint8_t type, size_t len)
{
	uint8_t *body = p + 14;

	put16(p, 0x3333);
	p[5] = 1;
	put16(p + 12, ETHERTYPE_IPV6);
	body[0] = 0x60;
	body[5] = len + 8;
	body[6] = IPPROTO_ICMPV6;
	body[7] = 255;
	memcpy(body + 8, spec->saddr, 16);
	body[24] = 0xff; /* ff02::1 */
	body[25] = 2;
	body[39] = 1;
	body[40] = type;
	body[41 + len] = 1;
	memcpy(body + 42 + len, spec->smac, 6);
	put16(body + 42, fold(sum(sum(IPPROTO_ICMPV6 + len + 8, body + 8, 32),
				  body + 40, len + 8)));
	return 14 + 40 + len + 8;
}

static size_t build_has(uint8_t *p, const struct spec *spec)
{
	static const uint8_t arp[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	uint8_t *body = p + 14;

	memset(p, 0, 86);
	memcpy(p + 6, spec->smac, 6);
	if (!spec->v6) {
		memset(p, 0xff, 6);
		put16(p + 12, ETHERTYPE_ARP);
		memcpy(body, arp, 8);
		memcpy(body + 8, spec->smac, 6);
		memcpy(body + 14, spec->saddr, 4);
		/* Linux has it that both are the same. */
		memcpy(body + 18, spec->smac, 6);
		memcpy(body + 24, spec->saddr, 4);
		return 60;
	}

	body[44] = 0x20; /* override */
	memcpy(body + 48, spec->saddr, 16);
	body[64] = 2; /* the target's link-layer address */
	return build_nd(p, spec, 136, 24);
}

static size_t build_router(uint8_t *p, const struct spec *spec)
{
	uint8_t *body = p + 14;

	memset(p, 0, 78);
	memcpy(p + 6, spec->smac, 6);
	body[44] = 64; /* hops */
	put16(body + 46, spec->payload);
	body[56] = 1; /* the source's link-layer address */
	return build_nd(p, spec, 134, 16);
}

static void parse_mac(uint8_t *mac, const char *text)
{
	char end;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", mac, mac + 1,
		   mac + 2, mac + 3, mac + 4, mac + 5, &end) != 6)
		usage();
}

/* Whether it is an IPv6 one */
static bool parse_addr(uint8_t *addr, const char *text)
{
	if (inet_pton(AF_INET, text, addr) == 1)
		return false;
	if (inet_pton(AF_INET6, text, addr) != 1)
		usage();
	return true;
}

static void parse_kind(struct spec *spec, const char *text)
{
	if (!strcmp(text, "udp"))
		spec->proto = IPPROTO_UDP;
	else if (!strcmp(text, "syn") || !strcmp(text, "ack"))
		spec->proto = IPPROTO_TCP;
	else if (!strcmp(text, "icmp"))
		spec->proto = IPPROTO_ICMP;
	else
		usage();
	spec->flags = *text == 's' ? 2 : 0x10;
	spec->payload = spec->proto == IPPROTO_TCP ? 0 : 16;
}

static int wire(const char *iface)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	int fd;

	if (!iface)
		usage();
	addr.sll_ifindex = if_nametoindex(iface);
	if (!addr.sll_ifindex)
		die(iface);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	return fd;
}

static int do_make(int argc, char **argv, struct spec *spec, long flip)
{
	static uint8_t frame[FRAME_MAX];
	bool router = argc == 4 && !strcmp(argv[0], "router");
	bool has = argc == 3 && !strcmp(argv[0], "has");
	size_t len, i;

	if (!has && !router && (argc < 7 || argc > 8))
		usage();
	parse_mac(spec->smac, argv[1]);
	if (has) {
		spec->v6 = parse_addr(spec->saddr, argv[2]);
		len = build_has(frame, spec);
	} else if (router) {
		if (!parse_addr(spec->saddr, argv[2]))
			usage();
		spec->payload = atoi(argv[3]);
		len = build_router(frame, spec);
	} else {
		parse_kind(spec, argv[0]);
		parse_mac(spec->dmac, argv[2]);
		spec->v6 = parse_addr(spec->saddr, argv[3]);
		if (parse_addr(spec->daddr, argv[4]) != spec->v6 ||
		    (spec->v6 && spec->proto == IPPROTO_ICMP))
			usage();
		spec->sport = atoi(argv[5]);
		spec->dport = atoi(argv[6]);
		if (argc == 8)
			spec->payload = atoi(argv[7]);
		if (spec->payload > FRAME_MAX - 80)
			usage();
		len = build(frame, spec);
	}
	if (flip >= 0 && flip < (long)len)
		frame[flip] ^= 0xff;
	for (i = 0; i < len; i++)
		printf("%02x", frame[i]);
	putchar('\n');
	return 0;
}

static size_t parse_hex(uint8_t *frame, const char *line)
{
	size_t digits = 0;
	int value;

	memset(frame, 0, FRAME_MAX);
	for (; *line && *line != '#'; line++) {
		if (isspace((unsigned char)*line))
			continue;
		if (!isxdigit((unsigned char)*line) || digits == 2 * FRAME_MAX) {
			fprintf(stderr, "frame: not hexadecimal: %s", line);
			exit(1);
		}
		value = isdigit((unsigned char)*line) ? *line - '0' :
							(*line | 32) - 'a' + 10;
		frame[digits / 2] |= digits & 1 ? value : value << 4;
		digits++;
	}
	return digits / 2;
}

static int do_send(const char *iface, unsigned long times)
{
	static char line[4 * FRAME_MAX];
	static uint8_t frame[FRAME_MAX];
	int fd = wire(iface), rc = 0;
	unsigned long i;
	size_t len;

	while (fgets(line, sizeof(line), stdin)) {
		len = parse_hex(frame, line);
		for (i = 0; len && i < times; i++) {
			if (send(fd, frame, len, 0) == (ssize_t)len)
				continue;
			fprintf(stderr, "frame: %zu bytes: %s\n", len,
				strerror(errno));
			rc = 1;
		}
	}
	return rc;
}

static int do_flood(const char *iface, unsigned long total, int argc,
		    char **argv)
{
	static uint8_t frames[BATCH][128];
	struct timespec pause = { 0 };
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct spec spec = { .seq = 1000 };
	unsigned long n = 0;
	int fd, i, count, sent, done;

	if (argc < 5 || argc > 6)
		usage();
	parse_kind(&spec, argv[0]);
	parse_mac(spec.smac, argv[1]);
	parse_mac(spec.dmac, argv[2]);
	spec.v6 = parse_addr(spec.daddr, argv[3]);
	if (spec.v6)
		parse_addr(spec.saddr, "2001:db8:ff::");
	spec.dport = atoi(argv[4]);
	if (argc == 6)
		pause.tv_nsec = atol(argv[5]) * 1000;

	fd = wire(iface);
	memset(msgs, 0, sizeof(msgs));
	while (n < total) {
		count = total - n < BATCH ? total - n : BATCH;
		for (i = 0; i < count; i++) {
			put32(spec.saddr + (spec.v6 ? 12 : 0),
			      0x0a000001 + (n + i) % 0xfffff0);
			spec.sport = 1024 + (n + i) % 60000;
			iov[i].iov_base = frames[i];
			iov[i].iov_len = build(frames[i], &spec);
			msgs[i].msg_hdr.msg_iov = &iov[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
		}
		for (done = 0; done < count; done += sent) {
			sent = sendmmsg(fd, msgs + done, count - done, 0);
			if (sent >= 0)
				continue;
			if (errno != ENOBUFS && errno != EINTR)
				die("sendmmsg");
			sent = 0;
		}
		n += count;
		if (pause.tv_nsec)
			nanosleep(&pause, NULL);
	}
	printf("%lu\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *iface = NULL, *verb = argc > 1 ? argv[1] : "";
	struct spec spec = { .seq = 1000 };
	unsigned long times = 1;
	long flip = -1;
	int opt;

	argc--;
	argv++;
	while ((opt = getopt(argc, argv, "i:n:b:s:a:")) != -1) {
		switch (opt) {
		case 'i':
			iface = optarg;
			break;
		case 'n':
			times = strtoul(optarg, NULL, 0);
			break;
		case 'b':
			flip = strtol(optarg, NULL, 0);
			break;
		case 's':
			spec.seq = strtoul(optarg, NULL, 0);
			break;
		case 'a':
			spec.ack = strtoul(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	if (!strcmp(verb, "make"))
		return do_make(argc - optind, argv + optind, &spec, flip);
	if (!strcmp(verb, "send") && optind == argc)
		return do_send(iface, times);
	if (!strcmp(verb, "flood"))
		return do_flood(iface, times, argc - optind, argv + optind);
	usage();
}
