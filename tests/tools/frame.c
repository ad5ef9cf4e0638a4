// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame: makes Ethernet frames and sends them as they are.
 *
 *   frame make [-b N] udp|syn|icmp SMAC DMAC SADDR DADDR SPORT DPORT [BYTES]
 *	prints a good IPv4 frame in hexadecimal; ports are type and code of
 *	icmp; BYTES is the length of the payload (16); -b flips all bits of
 *	byte N
 *   frame send -i IFACE [-n TIMES]
 *	sends frames given as hexadecimal on stdin, one a line; spaces and what
 *	follows a # do not count
 *   frame flood -i IFACE -n N udp|syn SMAC DMAC DADDR DPORT [PAUSE]
 *	sends N frames, each from another address of 10.0.0.0/8 (no range for
 *	documentation has as many) and another port, with a pause of PAUSE
 *	microseconds after every 64
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
	uint32_t saddr;		/* all in host order */
	uint32_t daddr;
	uint16_t sport;
	uint16_t dport;
	uint8_t proto;
	unsigned int payload;
};

static void usage(void)
{
	fputs("usage: frame make [-b N] udp|syn|icmp SMAC DMAC SADDR DADDR SPORT DPORT [BYTES]\n"
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
	uint8_t *ip = p + 14, *l4 = p + 34;
	uint32_t acc = 0;

	memset(p, 0, 34 + head);
	memcpy(p, spec->dmac, 6);
	memcpy(p + 6, spec->smac, 6);
	put16(p + 12, ETHERTYPE_IP);
	ip[0] = 0x45;
	put16(ip + 2, 20 + l4len);
	ip[8] = 64;
	ip[9] = spec->proto;
	put32(ip + 12, spec->saddr);
	put32(ip + 16, spec->daddr);
	put16(ip + 10, fold(sum(0, ip, 20)));

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
		put32(l4 + 4, 1000);
		l4[12] = 5 << 4;
		l4[13] = 2; /* SYN */
		put16(l4 + 14, 0xffff);
		check = 16;
	}
	if (spec->proto != IPPROTO_ICMP)
		acc = sum(spec->proto + l4len, ip + 12, 8);
	put16(l4 + check, fold(sum(acc, l4, l4len)));
	return 34 + l4len;
}

static void parse_mac(uint8_t *mac, const char *text)
{
	char end;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", mac, mac + 1,
		   mac + 2, mac + 3, mac + 4, mac + 5, &end) != 6)
		usage();
}

static uint32_t parse_addr(const char *text)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1)
		usage();
	return ntohl(addr.s_addr);
}

static void parse_kind(struct spec *spec, const char *text)
{
	if (!strcmp(text, "udp"))
		spec->proto = IPPROTO_UDP;
	else if (!strcmp(text, "syn"))
		spec->proto = IPPROTO_TCP;
	else if (!strcmp(text, "icmp"))
		spec->proto = IPPROTO_ICMP;
	else
		usage();
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

static int do_make(int argc, char **argv, long flip)
{
	static uint8_t frame[FRAME_MAX];
	struct spec spec = { 0 };
	size_t len, i;

	if (argc < 7 || argc > 8)
		usage();
	parse_kind(&spec, argv[0]);
	parse_mac(spec.smac, argv[1]);
	parse_mac(spec.dmac, argv[2]);
	spec.saddr = parse_addr(argv[3]);
	spec.daddr = parse_addr(argv[4]);
	spec.sport = atoi(argv[5]);
	spec.dport = atoi(argv[6]);
	if (argc == 8)
		spec.payload = atoi(argv[7]);
	if (spec.payload > FRAME_MAX - 60)
		usage();
	len = build(frame, &spec);
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
	struct spec spec = { 0 };
	unsigned long n = 0;
	int fd, i, count, sent, done;

	if (argc < 5 || argc > 6)
		usage();
	parse_kind(&spec, argv[0]);
	parse_mac(spec.smac, argv[1]);
	parse_mac(spec.dmac, argv[2]);
	spec.daddr = parse_addr(argv[3]);
	spec.dport = atoi(argv[4]);
	if (argc == 6)
		pause.tv_nsec = atol(argv[5]) * 1000;

	fd = wire(iface);
	memset(msgs, 0, sizeof(msgs));
	while (n < total) {
		count = total - n < BATCH ? total - n : BATCH;
		for (i = 0; i < count; i++) {
			spec.saddr = 0x0a000001 + (n + i) % 0xfffff0;
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
	unsigned long times = 1;
	long flip = -1;
	int opt;

	argc--;
	argv++;
	while ((opt = getopt(argc, argv, "i:n:b:")) != -1) {
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
		default:
			usage();
		}
	}
	if (!strcmp(verb, "make"))
		return do_make(argc - optind, argv + optind, flip);
	if (!strcmp(verb, "send") && optind == argc)
		return do_send(iface, times);
	if (!strcmp(verb, "flood"))
		return do_flood(iface, times, argc - optind, argv + optind);
	usage();
}
