/* SPDX-License-Identifier: GPL-2.0-only */
/* The entries of the pair cache, for the files that are about it. */
#ifndef _MACKEEP_PAIR_TABLE_H
#define _MACKEEP_PAIR_TABLE_H

#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/rhashtable.h>

#include "net.h"
#include "pair.h"
#include "tag.h"

/* Two stamps of 8 s, see learn.c: who was used since is in use. */
#define MACKEEP_PAIR_BUSY	(16 * HZ)

/* Jiffies since; no pair is kept for as long as 32 bits of them are. */
static inline u32 mackeep_pair_since(u32 then)
{
	return (u32)jiffies - then;
}

static const struct rhashtable_params mackeep_pair_params = {
	.head_offset		= offsetof(struct mackeep_pair, node),
	.key_offset		= offsetof(struct mackeep_pair, key),
	.key_len		= sizeof(struct mackeep_pair_key),
	.automatic_shrinking	= true,
};

static inline unsigned long mackeep_pair_timeout(const struct mackeep_net *mn)
{
	return READ_ONCE(mn->pair_timeout) * (unsigned long)HZ;
}

static inline bool mackeep_pair_vlan(const struct mackeep_pair *pair, u32 vlan)
{
	return mackeep_tag_vlan(READ_ONCE(pair->tag)) == vlan;
}

static inline bool mackeep_pair_same_macs(const struct mackeep_pair *pair,
					  const struct mackeep_macs *macs)
{
	return ether_addr_equal(pair->src, macs->src) &&
	       ether_addr_equal(pair->dst, macs->dst) &&
	       mackeep_pair_vlan(pair, mackeep_tag_vlan(macs->tag));
}

static inline bool mackeep_pair_same(const struct mackeep_pair *pair,
				     const struct mackeep_macs *macs)
{
	return mackeep_pair_same_macs(pair, macs) &&
	       pair->policy == macs->policy;
}

/* Under lock or rcu_read_lock(). The entry of the client with any server */
static inline struct mackeep_pair *
mackeep_pair_client(struct mackeep_pairs *pairs,
		    const struct mackeep_pair_key *key)
{
	struct mackeep_pair_key any = *key;

	memset(&any.server, 0, sizeof(any.server));
	return rhashtable_lookup(&pairs->table, &any, mackeep_pair_params);
}

/* Under lock. What has gone from the table may be fed still, see pair-feed.c. */
void mackeep_pair_free(struct rcu_head *rcu);
void mackeep_pair_del(struct mackeep_pairs *pairs,
		      struct mackeep_pair *pair);
void mackeep_pair_touch(struct mackeep_pairs *pairs,
			struct mackeep_pair *pair);
void mackeep_pair_change(struct mackeep_net *mn,
			 struct mackeep_pair *old,
			 const struct mackeep_macs *macs, bool proven,
			 const struct mackeep_pair_was *was);
struct mackeep_pair *
mackeep_pair_insert(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		    const struct mackeep_macs *macs, bool proven);
struct mackeep_pair *
mackeep_pair_add(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		 const struct mackeep_macs *macs, bool proven);

#endif /* _MACKEEP_PAIR_TABLE_H */
