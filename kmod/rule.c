// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a rule holds as long as it is there: the namespace's hooks, a number for its
 * options, and what single options need. The default policy holds the same.
 */
#include <linux/compiler.h>

#include "lasthop.h"
#include "net.h"
#include "pair.h"
#include "policy.h"
#include "record-walk.h"
#include "rule.h"

const char *mackeep_rule_check(const struct xt_mackeep_tginfo *info)
{
	if (info->orig_mark & ~info->orig_mask ||
	    info->reply_mark & ~info->reply_mask)
		return "a mark has bits outside its mask and could never match: widen the mask";
	if (info->flags & XT_MACKEEP_KEEP_SRC &&
	    info->flags & XT_MACKEEP_KEEP_DST)
		return "--keep src and --keep dst in one rule: leave --keep out to keep both";
	if (info->flags & XT_MACKEEP_KEEP_SRC &&
	    info->flags & XT_MACKEEP_LAST_HOP)
		return "--last-hop and --keep src want another destination each: leave one out";
	return NULL;
}

/*
 * The options of a rule. When all numbers are taken, the options that went longest
 * ago lose theirs, which then must lead nowhere before it is given away.
 */
static struct mackeep_policy *
mackeep_rule_policy(struct mackeep_net *mn,
		    const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy = mackeep_policy_get(mn, info);
	u8 id;

	if (policy != ERR_PTR(-ENOSPC))
		return policy;
	id = mackeep_policy_retire(mn);
	if (!id)
		return policy;
	mackeep_record_forget(mn->net, id);
	mackeep_pair_forget(mn, id);
	return mackeep_policy_get(mn, info);
}

struct mackeep_policy *mackeep_rule_get(struct mackeep_net *mn,
					const struct xt_mackeep_tginfo *info)
{
	struct mackeep_policy *policy;
	int err;

	err = mackeep_net_get(mn);
	if (err)
		return ERR_PTR(err);
	policy = mackeep_rule_policy(mn, info);
	if (IS_ERR(policy)) {
		err = PTR_ERR(policy);
		goto err_net;
	}
	if (policy->flags & XT_MACKEEP_LAST_HOP) {
		err = mackeep_lasthop_get(mn);
		if (err)
			goto err_policy;
	}
	if (policy->flags & XT_MACKEEP_STRICT)
		WRITE_ONCE(mn->strict, mn->strict + 1);
	return policy;

err_policy:
	mackeep_policy_put(policy);
err_net:
	mackeep_net_put(mn);
	return ERR_PTR(err);
}

void mackeep_rule_put(struct mackeep_policy *policy)
{
	struct mackeep_net *mn = policy->mn;

	if (policy->flags & XT_MACKEEP_STRICT)
		WRITE_ONCE(mn->strict, mn->strict - 1);
	if (policy->flags & XT_MACKEEP_LAST_HOP)
		mackeep_lasthop_put(mn);
	mackeep_policy_put(policy);
	mackeep_net_put(mn);
}
