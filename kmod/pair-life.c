// SPDX-License-Identifier: GPL-2.0-only
/* How the pair cache begins and ends, and what is thrown out of it. */
#include <linux/workqueue.h>

#include "filter.h"
#include "net.h"
#include "pair.h"
#include "pair-feed.h"
#include "pair-table.h"

static void mackeep_pair_expire(struct mackeep_net *mn, struct list_head *list)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;

	spin_lock_bh(&pairs->lock);
	while ((pair = list_first_entry_or_null(list, struct mackeep_pair,
						list))) {
		if (pairs->count <= mackeep_pair_limit(mn) &&
		    mackeep_pair_since(pair->used) < mackeep_pair_timeout(mn))
			break;
		mackeep_pair_del(pairs, pair);
		if (need_resched()) {
			spin_unlock_bh(&pairs->lock);
			cond_resched();
			spin_lock_bh(&pairs->lock);
		}
	}
	spin_unlock_bh(&pairs->lock);
}

static void mackeep_pair_schedule(struct mackeep_net *mn)
{
	queue_delayed_work(system_power_efficient_wq, &mn->pairs.gc,
			   clamp_t(unsigned long, mackeep_pair_timeout(mn) / 4,
				   HZ, 30 * HZ));
}

static void mackeep_pair_gc(struct work_struct *work)
{
	struct mackeep_net *mn = container_of(to_delayed_work(work),
					      struct mackeep_net, pairs.gc);

	mackeep_pair_expire(mn, &mn->pairs.fresh);
	mackeep_pair_expire(mn, &mn->pairs.proven);
	mackeep_pair_unfeed_all(mn);
	mackeep_pair_schedule(mn);
}

/*
 * May sleep. What does not match waits in a list of its own, from where other
 * users of the cache take it back if they touch it meanwhile.
 */
static unsigned int mackeep_pair_flush_list(struct mackeep_net *mn,
					    struct list_head *list,
					    const struct mackeep_filter *filter)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;
	unsigned int n = 0;
	LIST_HEAD(others);

	spin_lock_bh(&pairs->lock);
	while ((pair = list_first_entry_or_null(list, struct mackeep_pair,
						list))) {
		if (mackeep_filter_match(filter, pair->key.family,
					 &pair->key.client, &pair->key.server,
					 pair->key.ifindex, pair->src,
					 pair->dst)) {
			mackeep_pair_del(pairs, pair);
			n++;
		} else {
			list_move_tail(&pair->list, &others);
		}
		if (need_resched()) {
			spin_unlock_bh(&pairs->lock);
			cond_resched();
			spin_lock_bh(&pairs->lock);
		}
	}
	list_splice(&others, list);
	if (n)
		mackeep_genid_bump(mn);
	spin_unlock_bh(&pairs->lock);
	return n;
}

/* May sleep. Under mackeep_net_mutex: not while the cache comes or goes. */
unsigned int mackeep_pair_flush(struct mackeep_net *mn,
				const struct mackeep_filter *filter)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	unsigned int n;

	lockdep_assert_held(&mackeep_net_mutex);

	n = mackeep_pair_flush_list(mn, &pairs->fresh, filter) +
	    mackeep_pair_flush_list(mn, &pairs->proven, filter);
	mackeep_pair_unfeed_all(mn);
	return n;
}

/* As mackeep_pair_flush_list(). */
static void mackeep_pair_forget_list(struct mackeep_net *mn,
				     struct list_head *list, u8 policy)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair;
	LIST_HEAD(others);

	spin_lock_bh(&pairs->lock);
	while ((pair = list_first_entry_or_null(list, struct mackeep_pair,
						list))) {
		if (pair->policy == policy)
			WRITE_ONCE(pair->policy, 0);
		list_move_tail(&pair->list, &others);
		if (need_resched()) {
			spin_unlock_bh(&pairs->lock);
			cond_resched();
			spin_lock_bh(&pairs->lock);
		}
	}
	list_splice(&others, list);
	spin_unlock_bh(&pairs->lock);
}

/* May sleep. Nobody stores that number any more. Pairs only become proven. */
void mackeep_pair_forget(struct mackeep_net *mn, u8 policy)
{
	lockdep_assert_held(&mackeep_net_mutex);

	mackeep_pair_forget_list(mn, &mn->pairs.fresh, policy);
	mackeep_pair_forget_list(mn, &mn->pairs.proven, policy);
}

void mackeep_pair_start(struct mackeep_net *mn)
{
	mackeep_pair_schedule(mn);
}

/* Nobody looks any more: the hooks are gone and RCU has been waited for. */
void mackeep_pair_stop(struct mackeep_net *mn)
{
	static const struct mackeep_filter all;
	struct mackeep_pairs *pairs = &mn->pairs;

	cancel_delayed_work_sync(&pairs->gc);
	mackeep_pair_flush_list(mn, &pairs->fresh, &all);
	mackeep_pair_flush_list(mn, &pairs->proven, &all);
	mackeep_pair_unfeed_all(mn);
	/* Flows adopted before the hooks went must not match after a restart. */
	mackeep_genid_bump(mn);
}

/* The table is there as long as the namespace, for dumps that take long. */
int mackeep_pair_net_init(struct mackeep_net *mn)
{
	struct mackeep_pairs *pairs = &mn->pairs;

	spin_lock_init(&pairs->lock);
	INIT_LIST_HEAD(&pairs->fresh);
	INIT_LIST_HEAD(&pairs->proven);
	INIT_LIST_HEAD(&pairs->unfed);
	INIT_DELAYED_WORK(&pairs->gc, mackeep_pair_gc);
	return rhashtable_init(&pairs->table, &mackeep_pair_params);
}

void mackeep_pair_net_exit(struct mackeep_net *mn)
{
	rhashtable_destroy(&mn->pairs.table);
}
