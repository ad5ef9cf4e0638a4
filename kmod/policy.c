// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of the rules of a namespace; equal ones are kept once, under a
 * number, and so are those of rules that went: they are *dormant* then. A firewall
 * that is loaded again brings the same options back, and they have the number
 * that live flows know them by. Until then, or until a frame of a flow passes
 * another rule, the flow is under the options of the rule that was added last. The
 * default policy, default.c, is like a rule in all of this.
 *
 * There are as many numbers as fit into a record. When all are taken, the options
 * that went longest ago are retired, and their number is used again. By then no
 * record and no pair may have it. So the number is hidden first. A packet stores a
 * number only while it finds it, under the same rcu_read_lock(): after a grace
 * period nobody stores it any more. Then target.c clears it in all records and
 * pairs, under their locks. This misses entries that are not confirmed yet, whose
 * packet waits in user space all the while; their flow's next frame that passes a
 * rule puts that right.
 *
 * Packets read newest, unruled and rules without a lock. A change of any bumps the
 * genid, so that every flow is looked at again.
 */
#include <linux/netfilter/xt_MACKEEP.h>
#include <linux/slab.h>

#include "net.h"
#include "policy.h"

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
	return rcu_dereference_protected(mn->policies.slot[slot],
					 lockdep_is_held(&mackeep_net_mutex));
}

/*
 * Under rcu_read_lock(), for a number whose own options do not apply: those that
 * do. policy is what the number leads to, if to anything.
 */
const struct mackeep_policy *
mackeep_policy_instead(const struct mackeep_policies *policies,
		       const struct mackeep_policy *policy)
{
	const struct mackeep_policy *other = NULL;

	/* nft gives flows the helper, and no rule */
	if (policy == &policies->none)
		other = rcu_dereference(policies->unruled);
	if (!other)
		other = rcu_dereference(policies->newest);
	return other ?: &policies->none;
}

/* Of those that have a rule, the one whose rule came last */
static void mackeep_policy_update(struct mackeep_net *mn)
{
	struct mackeep_policy *policy, *newest = NULL;
	int slot;

	if (mn->policies.none.rules)
		newest = &mn->policies.none;
	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++) {
		policy = mackeep_policy_slot(mn, slot);
		if (policy && policy->rules &&
		    (!newest || policy->turn > newest->turn))
			newest = policy;
	}
	rcu_assign_pointer(mn->policies.newest, newest);
	mackeep_genid_bump(mn);
}

/* A slot for new options; 0, which is the number of none, when all are taken. */
static int mackeep_policy_free_slot(struct mackeep_net *mn)
{
	int slot;

	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++)
		if (!mackeep_policy_slot(mn, slot))
			return slot;
	return 0;
}

/*
 * Gives up the options that went longest ago, and returns their number; 0 when
 * all have rules. The caller takes the number off records and pairs before it
 * lets anybody have it.
 */
u8 mackeep_policy_retire(struct mackeep_net *mn)
{
	struct mackeep_policy *policy, *oldest = NULL;
	int slot;

	lockdep_assert_held(&mackeep_net_mutex);

	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++) {
		policy = mackeep_policy_slot(mn, slot);
		if (policy && !policy->rules &&
		    (!oldest || policy->turn < oldest->turn))
			oldest = policy;
	}
	if (!oldest)
		return 0;

	slot = oldest->id;
	RCU_INIT_POINTER(mn->policies.slot[slot], NULL);
	synchronize_rcu();
	kfree(oldest);
	return slot;
}

/* Returns -ENOSPC when the namespace has no free slot left. */
static struct mackeep_policy *
mackeep_policy_add(struct mackeep_net *mn, const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy;
	int slot;

	policy = kzalloc(sizeof(*policy), GFP_KERNEL_ACCOUNT);
	if (!policy)
		return ERR_PTR(-ENOMEM);
	slot = mackeep_policy_free_slot(mn);
	if (!slot) {
		kfree(policy);
		return ERR_PTR(-ENOSPC);
	}

	policy->mn = mn;
	policy->mark[IP_CT_DIR_ORIGINAL] = info->orig_mark;
	policy->mask[IP_CT_DIR_ORIGINAL] = info->orig_mask;
	policy->mark[IP_CT_DIR_REPLY] = info->reply_mark;
	policy->mask[IP_CT_DIR_REPLY] = info->reply_mask;
	policy->flags = info->flags & XT_MACKEEP_POLICY_FLAGS;
	policy->id = slot;
	rcu_assign_pointer(mn->policies.slot[slot], policy);
	return policy;
}

struct mackeep_policy *mackeep_policy_get(struct mackeep_net *mn,
					  const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy = &mn->policies.none;
	int slot;

	lockdep_assert_held(&mackeep_net_mutex);

	for (slot = 1; !policy || !mackeep_policy_equal(policy, info); slot++) {
		if (slot == MACKEEP_POLICY_SLOTS) {
			policy = mackeep_policy_add(mn, info);
			break;
		}
		policy = mackeep_policy_slot(mn, slot);
	}
	if (IS_ERR(policy))
		return policy;

	WRITE_ONCE(policy->rules, policy->rules + 1);
	policy->turn = ++mn->policies.turn;
	mackeep_policy_update(mn);
	return policy;
}

/* The options stay as long as the namespace does, unless others need the room. */
void mackeep_policy_put(struct mackeep_policy *policy)
{
	struct mackeep_net *mn = policy->mn;

	lockdep_assert_held(&mackeep_net_mutex);

	WRITE_ONCE(policy->rules, policy->rules - 1);
	if (policy->rules)
		return;
	policy->turn = ++mn->policies.turn;
	mackeep_policy_update(mn);
	if (mn->policies.gone && policy != &mn->policies.none) {
		RCU_INIT_POINTER(mn->policies.slot[policy->id], NULL);
		kfree_rcu(policy, rcu);
	}
}

void mackeep_policy_net_init(struct mackeep_net *mn)
{
	mn->policies.none.mn = mn;
}

/* Rules that are still there take theirs with them. */
void mackeep_policy_net_exit(struct mackeep_net *mn)
{
	struct mackeep_policy *policy;
	int slot;

	mutex_lock(&mackeep_net_mutex);
	mn->policies.gone = true;
	for (slot = 1; slot < MACKEEP_POLICY_SLOTS; slot++) {
		policy = mackeep_policy_slot(mn, slot);
		if (!policy || policy->rules)
			continue;
		RCU_INIT_POINTER(mn->policies.slot[slot], NULL);
		kfree_rcu(policy, rcu);
	}
	mutex_unlock(&mackeep_net_mutex);
}
