/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of rules. Rules with the same options share one policy, which a
 * record names by its number. Number 0 is that of no options, and of flows that
 * no rule has seen.
 */
#ifndef _MACKEEP_POLICY_H
#define _MACKEEP_POLICY_H

#include <linux/netfilter/xt_MACKEEP.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/netfilter/nf_conntrack.h>

struct mackeep_net;

#define MACKEEP_POLICY_SLOTS	256

struct mackeep_policy {
	struct mackeep_net *mn;
	u32 mark[IP_CT_DIR_MAX];
	u32 mask[IP_CT_DIR_MAX];
	u32 flags;			/* XT_MACKEEP_POLICY_FLAGS */
	unsigned int rules;		/* under mackeep_net_mutex, read without */
	u64 turn;			/* when its last rule came or went; likewise */
	u8 id;
	struct rcu_head rcu;
};

/* All of a namespace's; written under mackeep_net_mutex */
struct mackeep_policies {
	struct mackeep_policy __rcu *slot[MACKEEP_POLICY_SLOTS];
	struct mackeep_policy __rcu *newest;	/* NULL: no rule */
	struct mackeep_policy __rcu *unruled;	/* the default; NULL: see default.c */
	struct mackeep_policy none;		/* number 0 */
	u64 turn;
	bool gone;				/* the namespace is on its way out */
};

/* All may sleep and need mackeep_net_mutex. */
struct mackeep_policy *mackeep_policy_get(struct mackeep_net *mn,
					  const struct xt_mackeep_tginfo *info);
void mackeep_policy_put(struct mackeep_policy *policy);
u8 mackeep_policy_retire(struct mackeep_net *mn);

void mackeep_policy_net_init(struct mackeep_net *mn);
void mackeep_policy_net_exit(struct mackeep_net *mn);

const struct mackeep_policy *
mackeep_policy_instead(const struct mackeep_policies *policies,
		       const struct mackeep_policy *policy);

/*
 * Under rcu_read_lock(). NULL when there is none of that number. A number may be
 * stored in the same critical section, and only there: see policy.c.
 */
static inline const struct mackeep_policy *
mackeep_policy_find(const struct mackeep_policies *policies, u8 id)
{
	if (likely(!id))
		return &policies->none;
	return rcu_dereference(policies->slot[id]);
}

/* Likewise. The options of flows that no rule has seen. */
static inline const struct mackeep_policy *
mackeep_policy_unruled(const struct mackeep_policies *policies)
{
	return rcu_dereference(policies->unruled) ?: &policies->none;
}

/* Likewise. The options that a flow with that number is under now. */
static inline const struct mackeep_policy *
mackeep_policy_now(const struct mackeep_policies *policies, u8 id)
{
	const struct mackeep_policy *policy = mackeep_policy_find(policies, id);

	if (likely(policy && READ_ONCE(policy->rules)))
		return policy;
	return mackeep_policy_instead(policies, policy);
}

/* Likewise. Whether nothing changes the MACs of such a flow. */
static inline bool
mackeep_policy_fixed(const struct mackeep_policies *policies, u8 id)
{
	return mackeep_policy_now(policies, id)->flags &
	       XT_MACKEEP_REFRESH_FIRST;
}

static inline bool mackeep_policy_match(const struct mackeep_policy *policy,
					const struct sk_buff *skb,
					enum ip_conntrack_dir dir)
{
	return (skb->mark & policy->mask[dir]) == policy->mark[dir];
}

#endif /* _MACKEEP_POLICY_H */
