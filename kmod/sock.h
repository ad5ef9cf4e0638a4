/* SPDX-License-Identifier: GPL-2.0-only */
/* Which transparent socket of this box a bridged frame is for. */
#ifndef _MACKEEP_SOCK_H
#define _MACKEEP_SOCK_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/ip.h>

#include "hash.h"
#include "net.h"

/*
 * The negative socket cache. Most frames that cross a bridge are for no socket
 * here, and to look for one costs more than all that the bridge does to them. A
 * slot remembers what such a frame had in its headers, as a keyed hash, plus
 * when that was, in one word that is read and written whole: others like it
 * pass for a moment. The first packet that leaves in somebody's name ends the
 * moment, so that what comes back is looked at; a socket that only waits gets
 * its frames a moment later.
 */
#define MACKEEP_SOCK_MOMENT	roundup_pow_of_two(HZ / 16)	/* jiffies */

extern u64 mackeep_sock_secret[5];

static __always_inline u64 *mackeep_sock_slot(const struct mackeep_net *mn,
					      u64 hash)
{
	return &mn->slots->nosock[hash >> (64 - MACKEEP_SLOTS_BITS)];
}

/* What to remember a frame by for a moment; 0: by nothing */
static __always_inline u64 mackeep_sock_hash(const struct mackeep_net *mn,
					     const struct sk_buff *skb, bool v6)
{
	const u64 *secret = mackeep_sock_secret;
	const u8 *ip = skb_network_header(skb);
	u64 port = (u64)(uintptr_t)skb->dev ^ skb_vlan_all(skb) ^ secret[1];
	u64 sum;

	if (v6) {
		if (skb_headlen(skb) < sizeof(struct ipv6hdr) + 4 ||
		    (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
			return 0;
		sum = mackeep_hash6(ip + 8, secret[0], port, secret[2],
				    secret[3]) +
		      (get_unaligned((u32 *)(ip + 40)) |
		       (u64)ip[6] << 32) * secret[4];
	} else {
		if (skb_headlen(skb) < sizeof(struct iphdr) + 4 ||
		    *ip != 0x45 || ip_is_fragment((struct iphdr *)ip))
			return 0;
		sum = mackeep_hash(get_unaligned((u64 *)(ip + 12)) ^ secret[0],
				   (get_unaligned((u32 *)(ip + 20)) |
				    (u64)ip[9] << 32) ^ port);
	}
	return sum + jiffies / MACKEEP_SOCK_MOMENT + atomic_read(&mn->expected);
}

/* Whether no socket wants it; hash is what to remember that by, 0 for nothing. */
static __always_inline bool mackeep_sock_none(const struct mackeep_net *mn,
					      const struct sk_buff *skb,
					      bool v6, u64 *hash)
{
	*hash = mackeep_sock_hash(mn, skb, v6);
	return *hash && READ_ONCE(*mackeep_sock_slot(mn, *hash)) == *hash;
}

/*
 * The same of a marked frame, which no proxy wants. What opens a connection is
 * looked at in any case.
 */
static __always_inline bool mackeep_sock_past(const struct mackeep_net *mn,
					      const struct sk_buff *skb,
					      bool v6, u64 *hash, u8 *proto)
{
	const u8 *ip = skb_network_header(skb);
	unsigned int at = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	u64 sum = mackeep_sock_hash(mn, skb, v6);

	*hash = 0;
	if (!sum || skb_headlen(skb) < at + sizeof(struct tcphdr))
		return false;
	*hash = sum + skb->mark * mackeep_sock_secret[4];
	*proto = ip[v6 ? 6 : 9];
	return READ_ONCE(*mackeep_sock_slot(mn, *hash)) == *hash &&
	       (*proto == IPPROTO_UDP ||
		!((const struct tcphdr *)(ip + at))->syn);
}

/* Found to be of no socket, by a look for one */
static inline void mackeep_sock_remember(const struct mackeep_net *mn, u64 hash)
{
	WRITE_ONCE(*mackeep_sock_slot(mn, hash), hash);
}

/* It is wanted now. */
static inline void mackeep_sock_wanted(const struct mackeep_net *mn, u64 hash)
{
	u64 *slot = mackeep_sock_slot(mn, hash);

	if (READ_ONCE(*slot) == hash)
		WRITE_ONCE(*slot, 0);
}

bool mackeep_sock_find(const struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct net_device *in);
int mackeep_sock_proto(const struct sk_buff *skb, unsigned int *at);
int mackeep_sock_state(const struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct net_device *in);
void mackeep_sock_forget(const struct mackeep_net *mn, struct sk_buff *skb,
			 const struct net_device *in, __be16 sport,
			 __be16 dport);
bool mackeep_sock_record(const struct mackeep_net *mn,
			 const struct sk_buff *skb, struct mackeep_macs *macs);
bool mackeep_sock_kept(const struct mackeep_net *mn, const struct sk_buff *skb);
void mackeep_sock_expect(struct mackeep_net *mn);
void mackeep_sock_init(void);

#endif /* _MACKEEP_SOCK_H */
