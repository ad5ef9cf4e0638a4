// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a rule brings with it, for systems that have none of iptables: while the
 * sysctl mackeep_hooks is 1, frames are learned from for every flow that has the
 * helper, and the default policy is like a rule that such flows have passed. It
 * has no options until some are set.
 *
 * Packets find it as policies.unruled, see policy.c. Until a client's next frame
 * shows a live flow another default policy, the flow is under the policy that was
 * added last, which is that one.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>

#include "default.h"
#include "learn.h"
#include "net.h"
#include "policy.h"
#include "rule.h"

/* Behind every chain, so that the rule may stand in any of them. */
static const struct nf_hook_ops mackeep_default_hooks[MACKEEP_DEFAULT_HOOKS] = {
	{
		.hook		= mackeep_learn_hook,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_learn_hook,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
};

/* NULL: the sysctl is 0, or the namespace is on its way out. */
static struct mackeep_policy *mackeep_default_policy(struct mackeep_net *mn)
{
	return rcu_dereference_protected(mn->policies.unruled,
					 lockdep_is_held(&mackeep_net_mutex));
}

static void mackeep_default_unhook(struct mackeep_net *mn)
{
	nf_unregister_net_hooks(mn->net, mn->dflt.hooks, MACKEEP_DEFAULT_HOOKS);
	RCU_INIT_POINTER(mn->policies.unruled, NULL);
}

static int mackeep_default_start(struct mackeep_net *mn)
{
	struct mackeep_policy *policy;
	int err;

	policy = mackeep_rule_get(mn, &mn->dflt.options);
	if (IS_ERR(policy))
		return PTR_ERR(policy);
	err = mackeep_net_hook(mn, mn->dflt.hooks, mackeep_default_hooks,
			       MACKEEP_DEFAULT_HOOKS);
	if (err) {
		mackeep_rule_put(policy);
		return err;
	}
	rcu_assign_pointer(mn->policies.unruled, policy);
	WRITE_ONCE(mn->dflt.wanted, true);
	mackeep_genid_bump(mn);
	return 0;
}

static void mackeep_default_stop(struct mackeep_net *mn)
{
	struct mackeep_policy *policy = mackeep_default_policy(mn);

	mackeep_default_unhook(mn);
	WRITE_ONCE(mn->dflt.wanted, false);
	mackeep_genid_bump(mn);
	mackeep_rule_put(policy);
}

int mackeep_default_hook(struct mackeep_net *mn, bool want)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (want == mn->dflt.wanted)
		return 0;
	if (want)
		return mackeep_default_start(mn);
	mackeep_default_stop(mn);
	return 0;
}

/* The new one comes before the old one goes: hooks that both need stay. */
int mackeep_default_set(struct mackeep_net *mn,
			const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *old = mackeep_default_policy(mn), *policy;

	lockdep_assert_held(&mackeep_net_mutex);

	if (old) {
		policy = mackeep_rule_get(mn, info);
		if (IS_ERR(policy))
			return PTR_ERR(policy);
		rcu_assign_pointer(mn->policies.unruled, policy);
		mackeep_genid_bump(mn);
		mackeep_rule_put(old);
	}
	mn->dflt.options = *info;
	return 0;
}

/* The namespace is on its way out, and its hooks and its policies go with it. */
void mackeep_default_close(struct mackeep_net *mn)
{
	struct mackeep_policy *policy = mackeep_default_policy(mn);

	lockdep_assert_held(&mackeep_net_mutex);

	if (!policy)
		return;
	mackeep_default_unhook(mn);
	mackeep_policy_put(policy);
}
