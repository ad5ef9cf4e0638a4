// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of the pair cache, see pair.c: how many there may be, and how they come,
 * change and go, which is all under pairs.lock.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/netfilter/nf_conntrack.h>

#include "net.h"
#include "pair.h"
#include "pair-table.h"
#include "policy.h"

#define MACKEEP_PAIR_MANY	65536
#define MACKEEP_PAIR_BYTES	256		/* of an entry, all told; more than that */

static struct kmem_cache *mackeep_pair_cache __read_mostly;

void mackeep_pair_free(struct rcu_head *rcu)
{
	kmem_cache_free(mackeep_pair_cache,
			container_of(rcu, struct mackeep_pair, rcu));
}

void mackeep_pair_del(struct mackeep_pairs *pairs,
		      struct mackeep_pair *pair)
{
	lockdep_assert_held(&pairs->lock);

	rhashtable_remove_fast(&pairs->table, &pair->node, mackeep_pair_params);
	WRITE_ONCE(pairs->count, pairs->count - 1);
	if (unlikely(pair->fed)) {
		list_move_tail(&pair->list, &pairs->unfed);
		return;
	}
	list_del(&pair->list);
	call_rcu(&pair->rcu, mackeep_pair_free);
}

/*
 * How many entries there may be. By itself as many as conntrack may have, as a session
 * has two there and may need two here; but not more than a sixteenth of the memory,
 * and for one who only has the namespace no more than many clients need.
 */
unsigned int mackeep_pair_limit(const struct mackeep_net *mn)
{
	unsigned int most = READ_ONCE(mn->pair_max);
	unsigned long memory = totalram_pages() / 16 *
			       (PAGE_SIZE / MACKEEP_PAIR_BYTES);

	if (most)
		return most;
	most = max_t(unsigned int, READ_ONCE(nf_conntrack_max),
		     MACKEEP_PAIR_MANY);
	if (mn->net->user_ns != &init_user_ns)
		most = MACKEEP_PAIR_MANY;
	return min3(memory, (unsigned long)most, (unsigned long)MACKEEP_PAIR_MAX);
}

/* The entry to give up for a new one, or NULL when all are in use. */
static struct mackeep_pair *mackeep_pair_victim(struct mackeep_pairs *pairs)
{
	struct mackeep_pair *pair;

	pair = list_first_entry_or_null(&pairs->fresh, struct mackeep_pair,
					list);
	if (pair)
		return pair;
	pair = list_first_entry_or_null(&pairs->proven, struct mackeep_pair,
					list);
	if (pair && mackeep_pair_since(pair->used) > MACKEEP_PAIR_BUSY)
		return pair;
	return NULL;
}

void mackeep_pair_touch(struct mackeep_pairs *pairs,
			struct mackeep_pair *pair)
{
	lockdep_assert_held(&pairs->lock);

	WRITE_ONCE(pair->used, jiffies);
	list_move_tail(&pair->list,
		       pair->proven ? &pairs->proven : &pairs->fresh);
}

/* Under rcu_read_lock(), as macs may have a number that was given up since. */
static struct mackeep_pair *
mackeep_pair_alloc(const struct mackeep_net *mn,
		   const struct mackeep_pair_key *key,
		   const struct mackeep_macs *macs, bool proven)
{
	struct mackeep_pair *pair;

	pair = kmem_cache_alloc(mackeep_pair_cache, GFP_ATOMIC);
	if (!pair)
		return NULL;
	pair->key = *key;
	ether_addr_copy(pair->src, macs->src);
	ether_addr_copy(pair->dst, macs->dst);
	memset(&pair->was, 0, sizeof(pair->was));
	pair->answered = false;
	pair->fed = false;
	pair->tag = macs->tag;
	pair->policy = mackeep_policy_find(&mn->policies, macs->policy) ?
			       macs->policy : 0;
	pair->proven = proven;
	pair->routed = macs->via == MACKEEP_VIA_ROUTER;
	pair->used = jiffies;
	pair->shown = jiffies;
	pair->hop = 0;
	pair->hopped = jiffies;
	return pair;
}

/* Flows that have any of its MACs look again. */
static void mackeep_pair_tell(struct mackeep_net *mn, const u8 *src,
			      const u8 *dst)
{
	if (!is_zero_ether_addr(src))
		mackeep_genid_bump_at(mn, src);
	if (!is_zero_ether_addr(dst))
		mackeep_genid_bump_at(mn, dst);
}

/* Other MACs for a known pair: flows that took the old ones look again. */
void mackeep_pair_change(struct mackeep_net *mn,
			 struct mackeep_pair *old,
			 const struct mackeep_macs *macs, bool proven,
			 const struct mackeep_pair_was *was)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;
	int err = -ENOMEM;

	pair = mackeep_pair_alloc(mn, &old->key, macs, proven || old->proven);
	if (pair) {
		pair->was = *was;
		pair->hop = old->hop;
		pair->hopped = old->hopped;
		pair->answered = old->answered &&
				 ether_addr_equal(pair->dst, old->dst);
		pair->fed = old->fed;
		err = rhashtable_replace_fast(&pairs->table, &old->node,
					      &pair->node, mackeep_pair_params);
	}
	if (err) {
		/* Rather nothing than MACs known to be wrong. */
		MACKEEP_STAT_INC(mn, nomem);
		if (pair)
			kmem_cache_free(mackeep_pair_cache, pair);
		mackeep_pair_del(pairs, old);
	} else {
		list_add_tail(&pair->list,
			      pair->proven ? &pairs->proven : &pairs->fresh);
		list_del(&old->list);
		call_rcu(&old->rcu, mackeep_pair_free);
	}
	mackeep_pair_tell(mn, old->src, old->dst);
	mackeep_pair_tell(mn, was->src, was->dst);
	mackeep_pair_tell(mn, macs->src, macs->dst);
}

/*
 * Under lock and rcu_read_lock(). Remembers the device; one that is gone by now
 * gives way. Its pairs time out.
 */
static void mackeep_pair_on(struct mackeep_net *mn, u32 ifindex)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	unsigned int i;

	for (i = 0; i < pairs->devices; i++)
		if (pairs->device[i] == ifindex)
			return;
	for (i = 0; i < pairs->devices; i++)
		if (!dev_get_by_index_rcu(mn->net, pairs->device[i]))
			break;
	if (i == ARRAY_SIZE(pairs->device)) {
		MACKEEP_STAT_INC(mn, steer_full);
		return;
	}
	WRITE_ONCE(pairs->device[i], ifindex);
	if (i == pairs->devices) /* the ifindex before its place counts */
		smp_store_release(&pairs->devices, i + 1);
}

/* How many devices pairs were learned on, and the ifindex of each */
unsigned int mackeep_pair_devices(const struct mackeep_net *mn)
{
	/* pairs with mackeep_pair_on() */
	return smp_load_acquire(&mn->pairs.devices);
}

u32 mackeep_pair_device(const struct mackeep_net *mn, unsigned int i)
{
	return READ_ONCE(mn->pairs.device[i]);
}

/* Under lock and rcu_read_lock(). The new entry is in no list yet. */
struct mackeep_pair *
mackeep_pair_insert(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		    const struct mackeep_macs *macs, bool proven)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;

	pair = mackeep_pair_alloc(mn, key, macs, proven);
	if (!pair) {
		MACKEEP_STAT_INC(mn, nomem);
		return NULL;
	}
	if (rhashtable_insert_fast(&pairs->table, &pair->node,
				   mackeep_pair_params)) {
		MACKEEP_STAT_INC(mn, nomem);
		kmem_cache_free(mackeep_pair_cache, pair);
		return NULL;
	}
	WRITE_ONCE(pairs->count, pairs->count + 1);
	mackeep_pair_on(mn, key->ifindex);
	return pair;
}

/* As above; NULL when there is no room. */
struct mackeep_pair *
mackeep_pair_add(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		 const struct mackeep_macs *macs, bool proven)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;

	while (pairs->count >= mackeep_pair_limit(mn)) {
		pair = mackeep_pair_victim(pairs);
		if (!pair) {
			MACKEEP_STAT_INC(mn, pair_full);
			return NULL;
		}
		mackeep_pair_del(pairs, pair);
		MACKEEP_STAT_INC(mn, pair_evicted);
	}

	pair = mackeep_pair_insert(mn, key, macs, proven);
	if (pair)
		list_add_tail(&pair->list,
			      proven ? &pairs->proven : &pairs->fresh);
	return pair;
}

int mackeep_pair_module_init(void)
{
	mackeep_pair_cache = KMEM_CACHE(mackeep_pair, 0);
	return mackeep_pair_cache ? 0 : -ENOMEM;
}

void mackeep_pair_module_exit(void)
{
	rcu_barrier(); /* mackeep_pair_free() is our code */
	kmem_cache_destroy(mackeep_pair_cache);
}
