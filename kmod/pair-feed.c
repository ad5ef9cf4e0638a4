// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which clients of the pair cache are in the neighbour table; client.c puts them
 * there. Who is in it goes with the client's pair, so the table is bounded and ages
 * as the cache does.
 */
#include <linux/rhashtable.h>

#include "client.h"
#include "net.h"
#include "pair.h"
#include "pair-feed.h"
#include "pair-table.h"

/*
 * Takes clients that are gone out of the neighbour table, but for who is back; at
 * most so many. Whoever deletes pairs calls this when it has dropped the lock: what
 * waits for a neighbour may be sent on its change.
 */
void mackeep_pair_unfeed(struct mackeep_net *mn, unsigned int most)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	const struct mackeep_pair *other;
	struct mackeep_pair *pair;

	while (most-- && !list_empty_careful(&pairs->unfed)) {
		rcu_read_lock();
		spin_lock_bh(&pairs->lock);
		pair = list_first_entry_or_null(&pairs->unfed,
						struct mackeep_pair, list);
		if (pair) {
			list_del(&pair->list);
			other = rhashtable_lookup(&pairs->table, &pair->key,
						  mackeep_pair_params);
		}
		spin_unlock_bh(&pairs->lock);
		if (pair) {
			if (!other || !READ_ONCE(other->fed))
				mackeep_client_leave(mn, &pair->key);
			call_rcu(&pair->rcu, mackeep_pair_free);
		}
		rcu_read_unlock();
	}
}

/* May sleep */
void mackeep_pair_unfeed_all(struct mackeep_net *mn)
{
	while (!list_empty_careful(&mn->pairs.unfed)) {
		mackeep_pair_unfeed(mn, 64);
		cond_resched();
	}
}

/*
 * Under rcu_read_lock(). Puts the client's MAC into the neighbour table, and sees
 * that it stays there. first: also if it was not there before.
 */
void mackeep_pair_feed(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key, bool first)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;
	bool fed;

	if (likely(!READ_ONCE(mn->feed.on)))
		return;
	pair = mackeep_pair_client(pairs, key);
	if (!pair)
		return;
	fed = READ_ONCE(pair->fed);
	if ((!fed && !first) ||
	    !mackeep_client_enter(mn, &pair->key, pair->src, fed) || fed)
		return;

	/* The pair may be another one by now, or none. */
	spin_lock_bh(&pairs->lock);
	pair = mackeep_pair_client(pairs, key);
	if (pair)
		WRITE_ONCE(pair->fed, true);
	spin_unlock_bh(&pairs->lock);
	if (!pair) {
		struct mackeep_pair_key any = *key;

		memset(&any.server, 0, sizeof(any.server));
		mackeep_client_leave(mn, &any);
	}
}

/* As mackeep_pair_flush_list() in pair-life.c */
static void mackeep_pair_starve_list(struct mackeep_net *mn,
				     struct list_head *list)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair_key key;
	struct mackeep_pair *pair;
	LIST_HEAD(others);
	bool fed;

	spin_lock_bh(&pairs->lock);
	while ((pair = list_first_entry_or_null(list, struct mackeep_pair,
						list))) {
		list_move_tail(&pair->list, &others);
		fed = pair->fed;
		key = pair->key;
		WRITE_ONCE(pair->fed, false);
		if (!fed && !need_resched())
			continue;
		spin_unlock_bh(&pairs->lock);
		if (fed) {
			rcu_read_lock();
			mackeep_client_leave(mn, &key);
			rcu_read_unlock();
		}
		cond_resched();
		spin_lock_bh(&pairs->lock);
	}
	list_splice(&others, list);
	spin_unlock_bh(&pairs->lock);
}

/* May sleep. Nobody is fed any more. */
void mackeep_pair_starve(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	mackeep_pair_starve_list(mn, &mn->pairs.fresh);
	mackeep_pair_starve_list(mn, &mn->pairs.proven);
	mackeep_pair_unfeed_all(mn);
}
