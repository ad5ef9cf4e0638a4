// SPDX-License-Identifier: GPL-2.0-only
/*
 * asks: makes the frames by which a router and its neighbours make a box talk,
 * as hexadecimal for "frame send".
 *
 *   asks SMAC PREFIX4 PREFIX6 [ADDR...]
 *	a query of IGMP and one of MLD, answers within 100 ms; a router
 *	advertisement with PREFIX6/64; an ARP request for each address of
 *	PREFIX4/24; a neighbour solicitation for each IPv6 ADDR; echo requests
 *	to all, of IPv4 and of IPv6
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t smac[6], prefix4[4], prefix6[16];

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint16_t checksum(uint32_t acc, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		acc += p[0] << 8 | p[1];
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return ~acc;
}

static void print(const uint8_t *frame, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		printf("%02x", frame[i]);
	putchar('\n');
}

/* From the router, .1; with the router alert that IGMP wants */
static void ipv4(uint8_t proto, const uint8_t *daddr, const uint8_t *dmac,
		 uint8_t ttl, const uint8_t *body, size_t len)
{
	static const uint8_t alert[] = { 0x94, 4, 0, 0 };
	uint8_t frame[128] = { 0 }, *ip = frame + 14;

	memcpy(frame, dmac, 6);
	memcpy(frame + 6, smac, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x46;
	put16(ip + 2, 24 + len);
	ip[8] = ttl;
	ip[9] = proto;
	memcpy(ip + 12, prefix4, 3);
	ip[15] = 1;
	memcpy(ip + 16, daddr, 4);
	memcpy(ip + 20, alert, 4);
	put16(ip + 10, checksum(0, ip, 24));
	memcpy(ip + 24, body, len);
	put16(ip + 26, checksum(0, ip + 24, len));
	print(frame, 14 + 24 + len < 60 ? 60 : 14 + 24 + len);
}

/* From fe80::1, to a multicast address; alert: with that of MLD */
static void icmp6(const uint8_t *daddr, int alert, const uint8_t *body, size_t len)
{
	static const uint8_t option[] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	uint8_t frame[256] = { 0 }, *ip = frame + 14;
	size_t more = alert ? sizeof(option) : 0;
	uint8_t *icmp = ip + 40 + more;
	uint32_t acc = IPPROTO_ICMPV6 + len, i;

	put16(frame, 0x3333);
	memcpy(frame + 2, daddr + 12, 4);
	memcpy(frame + 6, smac, 6);
	put16(frame + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, len + more);
	ip[6] = alert ? IPPROTO_HOPOPTS : IPPROTO_ICMPV6;
	ip[7] = alert ? 1 : 255;
	ip[8] = 0xfe;
	ip[9] = 0x80;
	ip[23] = 1;
	memcpy(ip + 24, daddr, 16);
	memcpy(ip + 40, option, more);
	memcpy(icmp, body, len);
	for (i = 0; i < 32; i += 2)
		acc += ip[8 + i] << 8 | ip[9 + i];
	put16(icmp + 2, checksum(acc, icmp, len));
	print(frame, 54 + more + len);
}

static void queries(const uint8_t *all6)
{
	static const uint8_t all[] = { 224, 0, 0, 1 };
	static const uint8_t mac[] = { 1, 0, 0x5e, 0, 0, 1 };
	uint8_t igmp[8] = { 0x11, 1 };
	uint8_t mld[24] = { 130, 0, 0, 0, 0, 100 };

	ipv4(IPPROTO_IGMP, all, mac, 1, igmp, sizeof(igmp));
	icmp6(all6, 1, mld, sizeof(mld));
}

static void advertisement(const uint8_t *all6)
{
	uint8_t ra[16 + 8 + 32] = { 134, 0, 0, 0, 64, 0, 7, 8 };
	uint8_t *option = ra + 16;

	option[0] = 1;
	option[1] = 1;
	memcpy(option + 2, smac, 6);
	option += 8;
	option[0] = 3;
	option[1] = 4;
	option[2] = 64;
	option[3] = 0xc0;	/* on link, autonomous */
	put16(option + 6, 7200);
	put16(option + 10, 3600);
	memcpy(option + 16, prefix6, 16);
	icmp6(all6, 0, ra, sizeof(ra));
}

static void sweep(void)
{
	static const uint8_t arp[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t frame[60] = { 0 };
	int i;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, smac, 6);
	put16(frame + 12, 0x0806);
	memcpy(frame + 14, arp, sizeof(arp));
	memcpy(frame + 22, smac, 6);
	memcpy(frame + 28, prefix4, 3);
	frame[31] = 1;
	memcpy(frame + 38, prefix4, 3);
	for (i = 2; i < 255; i++) {
		frame[41] = i;
		print(frame, sizeof(frame));
	}
}

static void solicitation(const uint8_t *target)
{
	uint8_t daddr[16] = { 0xff, 2, [11] = 1, [12] = 0xff };
	uint8_t ns[32] = { 135 };

	memcpy(daddr + 13, target + 13, 3);
	memcpy(ns + 8, target, 16);
	ns[24] = 1;
	ns[25] = 1;
	memcpy(ns + 26, smac, 6);
	icmp6(daddr, 0, ns, sizeof(ns));
}

static void echoes(const uint8_t *all6)
{
	static const uint8_t mac[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t echo4[16] = { 8 }, echo6[16] = { 128 };
	uint8_t all4[4];

	memcpy(all4, prefix4, 3);
	all4[3] = 255;
	ipv4(IPPROTO_ICMP, all4, mac, 64, echo4, sizeof(echo4));
	icmp6(all6, 0, echo6, sizeof(echo6));
}

int main(int argc, char **argv)
{
	static const uint8_t all6[16] = { 0xff, 2, [15] = 1 };
	uint8_t target[16];
	int i;

	if (argc < 4 ||
	    sscanf(argv[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", smac, smac + 1,
		   smac + 2, smac + 3, smac + 4, smac + 5) != 6 ||
	    inet_pton(AF_INET, argv[2], prefix4) != 1 ||
	    inet_pton(AF_INET6, argv[3], prefix6) != 1) {
		fputs("usage: asks SMAC PREFIX4 PREFIX6 [ADDR...]\n", stderr);
		return 2;
	}
	queries(all6);
	advertisement(all6);
	sweep();
	for (i = 4; i < argc; i++)
		if (inet_pton(AF_INET6, argv[i], target) == 1)
			solicitation(target);
	echoes(all6);
	return 0;
}
