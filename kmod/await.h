/* SPDX-License-Identifier: GPL-2.0-only */
/* Which frames of a bridge something on this box waits for. */
#ifndef _MACKEEP_AWAIT_H
#define _MACKEEP_AWAIT_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "hash.h"
#include "net.h"
#include "record.h"

/*
 * By a hash of what a frame has in its headers, a word each: how many flows wait for
 * such frames, in its upper half, and in its lower one when something was sent last
 * that has no record, in units of 8 s, never 0.
 */
struct mackeep_awaited {
	struct rcu_head rcu;		/* kvfree_rcu() wants it near the beginning */
	unsigned int shift;
	atomic_t words[];
};

#define MACKEEP_AWAIT_ONE	0x10000U

#define MACKEEP_AWAIT_DIR(dir)	(1U << (dir))	/* frames of that direction */
#define MACKEEP_AWAIT_BOTH	(MACKEEP_AWAIT_DIR(IP_CT_DIR_ORIGINAL) | \
				 MACKEEP_AWAIT_DIR(IP_CT_DIR_REPLY))

extern u64 mackeep_await_secret[5];

static __always_inline u64 mackeep_await_mix(const u8 *addrs, const u8 *ports,
					     u8 proto, bool v6)
{
	u64 word = get_unaligned((u32 *)ports) | (u64)proto << 32;
	const u64 *secret = mackeep_await_secret;

	if (v6)
		return mackeep_hash6(addrs, secret[0], secret[1], secret[2],
				     secret[3]) + word * secret[4];
	return mackeep_hash(get_unaligned((u64 *)addrs) ^ secret[0],
			    word ^ secret[1]);
}

/* Of a frame's addresses, ports and protocol; 0: it does not show them so simply. */
static __always_inline u64 mackeep_await_hash(const struct sk_buff *skb, bool v6)
{
	const u8 *ip = skb_network_header(skb);

	if (v6) {
		if (skb_headlen(skb) < sizeof(struct ipv6hdr) + 4 ||
		    (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
			return 0;
		return mackeep_await_mix(ip + 8, ip + 40, ip[6], true);
	}
	if (skb_headlen(skb) < sizeof(struct iphdr) + 4 || *ip != 0x45 ||
	    ip_is_fragment((struct iphdr *)ip))
		return 0;
	return mackeep_await_mix(ip + 12, ip + 20, ip[9], false);
}

/*
 * Under rcu_read_lock(). Whether nothing waits for frames of that hash, as far as one
 * look tells; mackeep_awaits() knows of what has not waited lately as well.
 */
static __always_inline bool mackeep_await_none(const struct mackeep_net *mn,
					       u64 hash)
{
	const struct mackeep_awaited *awaited = rcu_dereference(mn->awaited);

	return likely(awaited) &&
	       !atomic_read(&awaited->words[hash >> awaited->shift]);
}

bool mackeep_awaits(const struct mackeep_net *mn, u64 hash);

/* Where sock.c remembers frames of that hash, or nearly that one */
static __always_inline u64 *mackeep_await_slot(const struct mackeep_net *mn,
					       u64 hash)
{
	return &mn->slots->nosock[hash >> (64 - MACKEEP_SLOTS_BITS)];
}

void mackeep_await_start(struct mackeep_net *mn);
void mackeep_await_stop(struct mackeep_net *mn);
void mackeep_await(struct mackeep_net *mn, const struct nf_conn *ct,
		   struct mackeep_record *rec, u32 dirs);
void mackeep_await_end(struct mackeep_net *mn, const struct nf_conn *ct,
		       struct mackeep_record *rec);
void mackeep_await_answer(struct mackeep_net *mn, const struct sk_buff *skb,
			  bool v6);
void mackeep_await_init(void);

#endif /* _MACKEEP_AWAIT_H */
