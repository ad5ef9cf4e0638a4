// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which frames of a bridge something on this box waits for: those of flows that it
 * has sent something in. So sock.c can tell that a frame is for nobody here without
 * looking for a socket, however many flows cross the bridge.
 *
 * A flow with a record is counted from the first packet that leaves until conntrack
 * forgets it; its record says in which directions. What has no record counts for five
 * minutes from each packet on. So does a flow that conntrack has forgotten before its
 * sockets were done with it: one that was flushed, or a longer one of UDP.
 *
 * Who may run at once: packets of a flow on several CPUs, and who deletes its entry.
 * A bit of the record is set and cleared by compare and exchange, and who changed it
 * counts. Who deletes marks the entry as dying, then clears the bits. Who counts sets
 * a bit, and clears all if the entry is dying by then. Both have a full barrier in
 * between, so that one of them sees what the other did.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "await.h"

#define MACKEEP_AWAIT_BITS_MIN	15
#define MACKEEP_AWAIT_BITS_MAX	21
#define MACKEEP_AWAIT_LIFE	38	/* units of a word's lower half: 5 minutes */

u64 mackeep_await_secret[5] __read_mostly;

static u16 mackeep_await_now(void)
{
	return (u16)(jiffies / (8 * HZ)) ?: 1;
}

/* Under rcu_read_lock(). Whether something may wait for frames of that hash. */
bool mackeep_awaits(const struct mackeep_net *mn, u64 hash)
{
	const struct mackeep_awaited *awaited = rcu_dereference(mn->awaited);
	u32 word;

	if (!awaited)
		return true;
	word = atomic_read(&awaited->words[hash >> awaited->shift]);
	return word >= MACKEEP_AWAIT_ONE ||
	       (word && (u16)(mackeep_await_now() - word) < MACKEEP_AWAIT_LIFE);
}

/* What was found of frames of that hash so far does not hold any more. */
static void mackeep_await_news(const struct mackeep_net *mn, u64 hash)
{
	u64 *slot = mackeep_await_slot(mn, hash);

	if (READ_ONCE(*slot))
		WRITE_ONCE(*slot, 0);
}

/* --- what has no record ---------------------------------------------------------- */

static void mackeep_await_for_now(struct mackeep_awaited *awaited, u64 hash)
{
	atomic_t *word = &awaited->words[hash >> awaited->shift];
	u32 now = mackeep_await_now(), old = atomic_read(word);

	while ((u16)old != now) {
		u32 was = atomic_cmpxchg(word, old, (old & ~0xffffU) | now);

		if (was == old)
			break;
		old = was;
	}
}

/*
 * Under rcu_read_lock(), in a hook. A packet leaves that may be answered. One that does
 * not show its ports so simply has answers, as a rule, that are always looked at.
 */
void mackeep_await_answer(struct mackeep_net *mn, const struct sk_buff *skb,
			  bool v6)
{
	struct mackeep_awaited *awaited = rcu_dereference(mn->awaited);
	const u8 *ip = skb_network_header(skb);
	unsigned int len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	const u8 *from = ip + (v6 ? offsetof(struct ipv6hdr, saddr) :
				    offsetof(struct iphdr, saddr));
	unsigned int at = v6 ? sizeof(struct ipv6hdr) : ip_hdrlen(skb);
	u8 proto = v6 ? ipv6_hdr(skb)->nexthdr : ip_hdr(skb)->protocol;
	u8 addrs[2 * sizeof(struct in6_addr)];
	__be16 ports[2];
	u64 hash;

	if (!awaited || (proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
	    skb_headlen(skb) < at + sizeof(ports))
		return;
	memcpy(ports, ip + at, sizeof(ports));
	swap(ports[0], ports[1]);
	memcpy(addrs, from + len, len);
	memcpy(addrs + len, from, len);
	hash = mackeep_await_mix(addrs, (u8 *)ports, proto, v6);
	mackeep_await_for_now(awaited, hash);
	mackeep_await_news(mn, hash);
}

/* --- flows with a record --------------------------------------------------------- */

/* Of frames that have this tuple */
static u64 mackeep_await_tuple(const struct nf_conntrack_tuple *tuple)
{
	const __be16 ports[2] = { tuple->src.u.all, tuple->dst.u.all };
	bool v6 = tuple->src.l3num == NFPROTO_IPV6;
	unsigned int len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	u8 addrs[2 * sizeof(struct in6_addr)];

	memcpy(addrs, &tuple->src.u3, len);
	memcpy(addrs + len, &tuple->dst.u3, len);
	return mackeep_await_mix(addrs, (u8 *)ports, tuple->dst.protonum, v6);
}

/* The bits of dirs that were not as they are now */
static u32 mackeep_await_mark(struct mackeep_record *rec, u32 dirs, bool on)
{
	u32 bits = dirs << MACKEEP_RECORD_AWAITED, old, now, was;

	old = READ_ONCE(rec->stamp);
	for (;;) {
		now = on ? old | bits : old & ~bits;
		if (now == old)
			return 0;
		was = cmpxchg(&rec->stamp, old, now);
		if (was == old)
			return (now ^ old) >> MACKEEP_RECORD_AWAITED;
		old = was;
	}
}

/* Of an entry that goes: whether its sockets may go on. */
static bool mackeep_await_lives(const struct nf_conn *ct)
{
	return test_bit(IPS_ASSURED_BIT, &ct->status) &&
	       (nf_ct_protonum(ct) != IPPROTO_TCP ||
		READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_ESTABLISHED);
}

/* Under rcu_read_lock(). The entry is on its way out, or all are to be forgotten. */
void mackeep_await_end(struct mackeep_net *mn, const struct nf_conn *ct,
		       struct mackeep_record *rec)
{
	u32 dirs = mackeep_await_mark(rec, MACKEEP_AWAIT_BOTH, false);
	struct mackeep_awaited *awaited = rcu_dereference(mn->awaited);
	int dir;
	u64 hash;

	if (!awaited)
		return;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		if (!(dirs & MACKEEP_AWAIT_DIR(dir)))
			continue;
		hash = mackeep_await_tuple(&ct->tuplehash[dir].tuple);
		if (mackeep_await_lives(ct))
			mackeep_await_for_now(awaited, hash);
		atomic_sub(MACKEEP_AWAIT_ONE,
			   &awaited->words[hash >> awaited->shift]);
	}
}

/*
 * Under rcu_read_lock(). Frames of these directions of a confirmed entry may come, for a
 * socket here.
 */
void mackeep_await(struct mackeep_net *mn, const struct nf_conn *ct,
		   struct mackeep_record *rec, u32 dirs)
{
	struct mackeep_awaited *awaited = rcu_dereference(mn->awaited);
	int dir;
	u64 hash;

	if (!awaited)
		return;
	dirs = mackeep_await_mark(rec, dirs, true);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		if (!(dirs & MACKEEP_AWAIT_DIR(dir)))
			continue;
		hash = mackeep_await_tuple(&ct->tuplehash[dir].tuple);
		atomic_add(MACKEEP_AWAIT_ONE,
			   &awaited->words[hash >> awaited->shift]);
		mackeep_await_news(mn, hash);
	}
	if (dirs && unlikely(nf_ct_is_dying(ct)))
		mackeep_await_end(mn, ct, rec);
}

/* --- coming and going ------------------------------------------------------------ */

/* Without memory for it, something may wait for each frame. */
void mackeep_await_start(struct mackeep_net *mn)
{
	unsigned int bits = order_base_2(READ_ONCE(nf_conntrack_max) ?: 1) + 1;
	struct mackeep_awaited *awaited;

	bits = clamp_t(unsigned int, bits, MACKEEP_AWAIT_BITS_MIN,
		       MACKEEP_AWAIT_BITS_MAX);
	awaited = kvzalloc(struct_size(awaited, words, 1UL << bits),
			   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (awaited)
		awaited->shift = 64 - bits;
	rcu_assign_pointer(mn->awaited, awaited);
}

/* No packet asks any more. Records still have the bits; see record-walk.c. */
void mackeep_await_stop(struct mackeep_net *mn)
{
	struct mackeep_awaited *awaited = rcu_dereference_protected(mn->awaited, 1);

	RCU_INIT_POINTER(mn->awaited, NULL);
	if (awaited)
		kvfree_rcu(awaited, rcu);
}

void mackeep_await_init(void)
{
	get_random_bytes(mackeep_await_secret, sizeof(mackeep_await_secret));
	/* A factor has to be odd, or it loses bits. */
	mackeep_await_secret[4] |= 1;
}
