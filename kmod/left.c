// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which flows had a packet that was left alone, why, and when: for the last of
 * them. Counters tell how many there were, but not whose.
 *
 * The notes are a table of limited size, a word for each flow, read and written
 * whole, without a lock; the oldest of a bucket gives way. Only packets that are
 * left alone come here, and a flow that leaves many of them comes as far as its
 * note once a second: what was noted lately is remembered as a hash, one word as
 * well. Of two CPUs that take the same word, one loses.
 *
 * Packets that conntrack does not track have no flow, and are only counted.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "compat.h"
#include "hash.h"
#include "left.h"
#include "left-netlink.h"
#include "net.h"

static u64 mackeep_left_secret[2] __read_mostly;

/* The same flow, and reason, in the same second. An entry's memory is used again. */
static bool mackeep_left_lately(struct mackeep_left *left,
				const struct nf_conn *ct, u8 why, u32 now)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	u64 ports = (__force u16)tuple->src.u.all |
		    (__force u16)tuple->dst.u.all << 16;
	u64 hash, *slot;

	hash = mackeep_hash((u64)(uintptr_t)ct ^ mackeep_left_secret[0],
			    (ports << 32 | (now << 8 | why)) ^
				    mackeep_left_secret[1]);
	slot = &left->lately[hash >> 56];
	if (likely(READ_ONCE(*slot) == hash))
		return true;
	WRITE_ONCE(*slot, hash);
	return false;
}

/* The note of a flow, or the place of the oldest one */
static u64 *mackeep_left_place(struct mackeep_left *left, u32 id, u32 now)
{
	u64 *note = left->notes + id % MACKEEP_LEFT_BUCKETS * MACKEEP_LEFT_WAYS;
	u64 *end = note + MACKEEP_LEFT_WAYS, *place = note, word;
	u32 age, oldest = 0;

	for (; note < end; note++) {
		word = READ_ONCE(*note);
		if (word >> MACKEEP_LEFT_ID == id)
			return note;
		age = word ? (now - (u32)word) & MACKEEP_LEFT_TIME : U32_MAX;
		if (age >= oldest) {
			oldest = age;
			place = note;
		}
	}
	return place;
}

/*
 * Under rcu_read_lock(), in any context. Counts the packet, too. why: a
 * MACKEEP_STAT_*; strict comes on top of another, which it leaves as it is.
 */
noinline void mackeep_left_note(struct mackeep_net *mn,
				const struct sk_buff *skb, u8 why)
{
	struct mackeep_left *left = rcu_dereference(mn->left);
	enum ip_conntrack_info ctinfo;
	u32 now = mackeep_left_now(), id;
	const struct nf_conn *ct;
	u64 *note, old;
	bool known;

	BUILD_BUG_ON(MACKEEP_STAT_MAX > MACKEEP_LEFT_STRICT);

	this_cpu_inc(mn->stat->count[why]);
	ct = nf_ct_get(skb, &ctinfo);
	if (!left || !ct || nf_ct_is_template(ct) ||
	    mackeep_left_lately(left, ct, why, now))
		return;
	id = nf_ct_get_id(ct);
	note = mackeep_left_place(left, id, now);
	old = READ_ONCE(*note);
	known = old && old >> MACKEEP_LEFT_ID == id;
	if (why == MACKEEP_STAT_strict && known)
		why = (u8)(old >> MACKEEP_LEFT_WHY) | MACKEEP_LEFT_STRICT;
	WRITE_ONCE(*note, (u64)id << MACKEEP_LEFT_ID |
			  (u32)why << MACKEEP_LEFT_WHY |
			  (now & MACKEEP_LEFT_TIME));
	/* To be told: a flow, or a reason, that is new */
	if (!known || ((old >> MACKEEP_LEFT_WHY ^ why) & 0x7f))
		mackeep_left_netlink_tell(mn, left, ct, id, why);
}

/* Without memory nothing is noted, and all the rest works. */
void mackeep_left_start(struct mackeep_net *mn)
{
	struct mackeep_left *left;

	left = kvzalloc(sizeof(*left), GFP_KERNEL_ACCOUNT);
	if (!left)
		MACKEEP_STAT_INC(mn, nomem);
	rcu_assign_pointer(mn->left, left);
}

/* Hooks of other options than rules may still be there. */
void mackeep_left_stop(struct mackeep_net *mn)
{
	struct mackeep_left *left;

	left = rcu_dereference_protected(mn->left,
					 lockdep_is_held(&mackeep_net_mutex));
	rcu_assign_pointer(mn->left, NULL);
	if (left)
		kvfree_rcu(left, rcu);
}

void mackeep_left_init(void)
{
	get_random_bytes(mackeep_left_secret, sizeof(mackeep_left_secret));
}
