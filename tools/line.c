// SPDX-License-Identifier: GPL-2.0-only
/*
 * libnetfilter_conntrack prints the same line with some forty calls of
 * snprintf(), which is most of the time that it takes to list a million flows.
 * So this file prints what nearly all entries have, and leaves entries with more
 * to the library. A test compares the two.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdbool.h>
#include <string.h>

#include "line.h"
#include "tag.h"
#include "text.h"

/* IPS_OFFLOAD and IPS_HW_OFFLOAD; older headers lack them. */
#define OFFLOADED	0xc000

static char *put(char *at, const char *text)
{
	return stpcpy(at, text);
}

static char *put_number(char *at, uint64_t value)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = '0' + value % 10;
	while (value /= 10);
	while (n)
		*at++ = digits[--n];
	*at = '\0';
	return at;
}

static char *put_pair(char *at, const char *key, uint64_t value)
{
	at = put_number(put(at, key), value);
	*at++ = ' ';
	return at;
}

static char *put_address(char *at, const char *key, const void *addr, bool v6)
{
	const uint8_t *byte = addr;
	int i;

	at = put(at, key);
	if (v6) {
		inet_ntop(AF_INET6, addr, at, INET6_ADDRSTRLEN);
		at += strlen(at);
	} else {
		for (i = 0; i < 4; i++) {
			at = put_number(at, byte[i]);
			*at++ = i < 3 ? '.' : '\0';
		}
		at--;
	}
	*at++ = ' ';
	return at;
}

static char *put_direction(char *at, const struct nf_conntrack *ct, bool reply,
			   bool v6)
{
	int shift = reply ? ATTR_REPL_IPV4_SRC - ATTR_ORIG_IPV4_SRC : 0;
	enum nf_conntrack_attr src, dst, packets, bytes;

	src = (v6 ? ATTR_ORIG_IPV6_SRC : ATTR_ORIG_IPV4_SRC) + shift;
	dst = (v6 ? ATTR_ORIG_IPV6_DST : ATTR_ORIG_IPV4_DST) + shift;
	at = put_address(at, "src=", nfct_get_attr(ct, src), v6);
	at = put_address(at, "dst=", nfct_get_attr(ct, dst), v6);
	shift = reply ? ATTR_REPL_PORT_SRC - ATTR_ORIG_PORT_SRC : 0;
	at = put_pair(at, "sport=", ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC + shift)));
	at = put_pair(at, "dport=", ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST + shift)));
	packets = reply ? ATTR_REPL_COUNTER_PACKETS : ATTR_ORIG_COUNTER_PACKETS;
	bytes = reply ? ATTR_REPL_COUNTER_BYTES : ATTR_ORIG_COUNTER_BYTES;
	if (nfct_attr_is_set(ct, packets) > 0 && nfct_attr_is_set(ct, bytes) > 0) {
		at = put_pair(at, "packets=", nfct_get_attr_u64(ct, packets));
		at = put_pair(at, "bytes=", nfct_get_attr_u64(ct, bytes));
	}
	return at;
}

/* True if this file prints all that the entry has. */
static bool is_plain(const struct nf_conntrack *ct)
{
	static const enum nf_conntrack_attr more[] = {
		ATTR_SECMARK, ATTR_SECCTX, ATTR_ZONE, ATTR_ORIG_ZONE,
		ATTR_REPL_ZONE, ATTR_TIMESTAMP_START, ATTR_TIMESTAMP_STOP,
	};
	static const enum nf_conntrack_attr needed[] = {
		ATTR_TIMEOUT, ATTR_STATUS, ATTR_ORIG_PORT_SRC,
		ATTR_ORIG_PORT_DST, ATTR_REPL_PORT_SRC, ATTR_REPL_PORT_DST,
	};
	static const enum nf_conntrack_attr v4[] = {
		ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_REPL_IPV4_SRC,
		ATTR_REPL_IPV4_DST,
	}, v6[] = {
		ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_REPL_IPV6_SRC,
		ATTR_REPL_IPV6_DST,
	};
	uint8_t proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	uint8_t family = nfct_get_attr_u8(ct, ATTR_L3PROTO);
	unsigned int i;

	for (i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (nfct_attr_is_set(ct, more[i]) > 0)
			return false;
	return nfct_attr_is_set_array(ct, needed, sizeof(needed) / sizeof(*needed)) > 0 &&
	       nfct_attr_is_set_array(ct, family == AF_INET6 ? v6 : v4, 4) > 0 &&
	       (family == AF_INET || family == AF_INET6) &&
	       (proto == IPPROTO_UDP ||
		(proto == IPPROTO_TCP && nfct_attr_is_set(ct, ATTR_TCP_STATE) > 0)) &&
	       !(nfct_get_attr_u32(ct, ATTR_STATUS) & OFFLOADED);
}

unsigned int line_conntrack(char *line, const struct nf_conntrack *ct)
{
	bool v6 = nfct_get_attr_u8(ct, ATTR_L3PROTO) == AF_INET6;
	const char *state = NULL;
	uint32_t status;
	char *at = line;

	if (!is_plain(ct))
		return 0;
	status = nfct_get_attr_u32(ct, ATTR_STATUS);
	if (nfct_get_attr_u8(ct, ATTR_L4PROTO) == IPPROTO_TCP) {
		state = tcp_text(nfct_get_attr_u8(ct, ATTR_TCP_STATE));
		if (!state)
			return 0;
	}
	at = put_pair(at, state ? "tcp      6 " : "udp      17 ",
		      nfct_get_attr_u32(ct, ATTR_TIMEOUT));
	if (state) {
		at = put(at, state);
		*at++ = ' ';
	}
	at = put_direction(at, ct, false, v6);
	if (!(status & IPS_SEEN_REPLY))
		at = put(at, "[UNREPLIED] ");
	at = put_direction(at, ct, true, v6);
	if (status & IPS_ASSURED)
		at = put(at, "[ASSURED] ");
	if (nfct_attr_is_set(ct, ATTR_MARK) > 0)
		at = put_pair(at, "mark=", nfct_get_attr_u32(ct, ATTR_MARK));
	if (nfct_attr_is_set(ct, ATTR_HELPER_NAME) > 0) {
		at = put(put(at, "helper="), nfct_get_attr(ct, ATTR_HELPER_NAME));
		*at++ = ' ';
	}
	if (nfct_attr_is_set(ct, ATTR_USE) > 0)
		at = put_pair(at, "use=", nfct_get_attr_u32(ct, ATTR_USE));
	return at - line;
}

char *line_record(char *at, const struct mackeep_info *info)
{
	if (info->flags & MACKEEP_INFO_SRC)
		at = put(put(at, " smac="), mac_text(info->src));
	if (info->flags & MACKEEP_INFO_DST)
		at = put(put(at, " dmac="), mac_text(info->dst));
	if (info->ifindex)
		at = put(put(at, " dev="), device_text(info->ifindex));
	at = tag_put(at, (struct tag){ info->vlan, info->vlan_proto });
	return put(put(at, " via="), via_text(info->via));
}
