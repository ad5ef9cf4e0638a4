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

#include "await.h"
#include "net.h"

/*
 * The negative socket cache. Most frames that cross a bridge are for no socket
 * here, and to look for one costs more than all that the bridge does to them. A
 * slot remembers what such a frame had in its headers, as a keyed hash, plus
 * when that was, in one word that is read and written whole: others like it
 * pass for a moment. The first packet that leaves in somebody's name empties the
 * slot of what may come back; see await.c. A socket that only waits gets its frames a
 * moment later.
 *
 * Where there are more flows than slots, frames that nothing waits for pass without
 * being looked at, but for the first ones of each moment. A socket that has not sent
 * anything yet may then have to wait longer.
 */
#define MACKEEP_SOCK_MOMENT	roundup_pow_of_two(HZ / 16)	/* jiffies */

static __always_inline unsigned long mackeep_sock_moment(void)
{
	return jiffies / MACKEEP_SOCK_MOMENT;
}

/* What to remember a frame by for a moment. The upper bits, which say where, stay. */
static __always_inline u64 mackeep_sock_word(const struct sk_buff *skb, u64 hash,
					     unsigned long moment)
{
	return (hash ^ (u32)(uintptr_t)skb->dev ^ skb_vlan_all(skb)) + moment;
}

/* Whether others like it went by this moment, as no socket wanted them. */
static __always_inline bool mackeep_sock_passed(const struct mackeep_net *mn,
						u64 word)
{
	return READ_ONCE(*mackeep_await_slot(mn, word)) == word;
}

/* Whether enough were looked at this moment of those that nothing waits for. */
static __always_inline bool mackeep_sock_spent(const struct mackeep_net *mn,
					       unsigned long moment)
{
	return READ_ONCE(mn->slots->spent) == moment;
}

/* Whether a frame passes although its like was not looked at. */
static __always_inline bool mackeep_sock_passes(const struct mackeep_net *mn,
						u64 hash, unsigned long moment)
{
	return mackeep_sock_spent(mn, moment) && !mackeep_awaits(mn, hash);
}

/*
 * Whether a marked frame went past its proxy this moment; word is what to remember
 * that by, 0 for nothing. What opens a connection is looked at in any case.
 */
static __always_inline bool mackeep_sock_past(const struct mackeep_net *mn,
					      const struct sk_buff *skb,
					      bool v6, u64 *word, u8 *proto)
{
	const u8 *ip = skb_network_header(skb);
	unsigned int at = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	u64 hash = mackeep_await_hash(skb, v6);

	*word = 0;
	if (!hash || skb_headlen(skb) < at + sizeof(struct tcphdr))
		return false;
	*word = mackeep_sock_word(skb, hash, mackeep_sock_moment()) ^
		skb->mark * mackeep_await_secret[4] >> MACKEEP_SLOTS_BITS;
	*proto = ip[v6 ? 6 : 9];
	return mackeep_sock_passed(mn, *word) &&
	       (*proto == IPPROTO_UDP ||
		!((const struct tcphdr *)(ip + at))->syn);
}

/* It is wanted now. */
static inline void mackeep_sock_wanted(const struct mackeep_net *mn, u64 word)
{
	u64 *slot = mackeep_await_slot(mn, word);

	if (READ_ONCE(*slot) == word)
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
void mackeep_sock_remember(const struct mackeep_net *mn,
			   const struct sk_buff *skb, u64 word);

#endif /* _MACKEEP_SOCK_H */
