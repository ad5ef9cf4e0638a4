// SPDX-License-Identifier: GPL-2.0-only
/* The options of the rules of a namespace; equal ones are kept once. */
#include <linux/slab.h>

#include "mackeep.h"

static bool mackeep_policy_equal(const struct mackeep_policy *policy,
				 const struct xt_mackeep_tginfo *info)
{
	return policy->mark[IP_CT_DIR_ORIGINAL] == info->orig_mark &&
	       policy->mask[IP_CT_DIR_ORIGINAL] == info->orig_mask &&
	       policy->mark[IP_CT_DIR_REPLY] == info->reply_mark &&
	       policy->mask[IP_CT_DIR_REPLY] == info->reply_mask &&
	       policy->flags == (info->flags & XT_MACKEEP_POLICY_FLAGS);
}

static struct mackeep_policy *
mackeep_policy_slot(struct mackeep_net *mn, int slot)
{
	return rcu_dereference_protected(mn->policy[slot],
					 lockdep_is_held(&mackeep_net_mutex));
}

/* Returns -ENOSPC when the namespace has no free slot left. */
static struct mackeep_policy *
mackeep_policy_add(struct mackeep_net *mn, const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy;
	int slot;

	/* Slot 0 stays empty: number 0 is policy_none. */
	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++)
		if (!mackeep_policy_slot(mn, slot))
			break;
	if (slot == MACKEEP_POLICY_SLOTS)
		return ERR_PTR(-ENOSPC);

	policy = kzalloc(sizeof(*policy), GFP_KERNEL_ACCOUNT);
	if (!policy)
		return ERR_PTR(-ENOMEM);

	policy->mn = mn;
	policy->mark[IP_CT_DIR_ORIGINAL] = info->orig_mark;
	policy->mask[IP_CT_DIR_ORIGINAL] = info->orig_mask;
	policy->mark[IP_CT_DIR_REPLY] = info->reply_mark;
	policy->mask[IP_CT_DIR_REPLY] = info->reply_mask;
	policy->flags = info->flags & XT_MACKEEP_POLICY_FLAGS;
	policy->id = slot | mn->policy_gen[slot]++ << 8;
	rcu_assign_pointer(mn->policy[slot], policy);
	return policy;
}

struct mackeep_policy *mackeep_policy_get(struct mackeep_net *mn,
					  const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy;
	int slot;

	lockdep_assert_held(&mackeep_net_mutex);

	if (mackeep_policy_equal(&mn->policy_none, info))
		return &mn->policy_none;

	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++) {
		policy = mackeep_policy_slot(mn, slot);
		if (policy && mackeep_policy_equal(policy, info)) {
			policy->rules++;
			return policy;
		}
	}

	policy = mackeep_policy_add(mn, info);
	if (!IS_ERR(policy))
		policy->rules = 1;
	return policy;
}

/* Packets may still look the policy up by number: it goes after RCU. */
void mackeep_policy_put(struct mackeep_policy *policy)
{
	struct mackeep_net *mn = policy->mn;

	lockdep_assert_held(&mackeep_net_mutex);

	if (policy == &mn->policy_none || --policy->rules)
		return;
	RCU_INIT_POINTER(mn->policy[policy->id % MACKEEP_POLICY_SLOTS], NULL);
	kfree_rcu(policy, rcu);
}
