// SPDX-License-Identifier: GPL-2.0-only
/* -j MACKEEP: save and refresh what came in, adopt what the box opens. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/netfilter/x_tables.h>

#include "learn.h"
#include "net.h"
#include "policy.h"
#include "record.h"
#include "rule.h"
#include "target.h"

/* OUTPUT: have the flow adopted at POST_ROUTING, with this rule's marks. */
static void mackeep_target_adopt(struct mackeep_net *mn, struct nf_conn *ct,
				 u8 policy)
{
	struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_macs macs;

	if (!rec)
		rec = mackeep_record_attach(ct);
	if (IS_ERR(rec))
		return;

	mackeep_record_read(ct, rec, &macs);
	if (macs.policy == policy && macs.ruled)
		return;
	macs.policy = policy;
	macs.ruled = true;
	mackeep_record_write(ct, rec, &macs);
}

static unsigned int mackeep_tg(struct sk_buff *skb,
			       const struct xt_action_param *par)
{
	const struct xt_mackeep_tginfo *info = par->targinfo;
	struct mackeep_net *mn = info->policy->mn;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || nf_ct_is_template(ct)) {
		/* What is of no flow may be forged: it is not learned from. */
		if (ctinfo != IP_CT_UNTRACKED) {
			MACKEEP_STAT_INC(mn, invalid);
			return XT_CONTINUE;
		}
		MACKEEP_STAT_INC(mn, untracked);
		if (xt_hooknum(par) == NF_INET_PRE_ROUTING)
			mackeep_learn_untracked(mn, skb, xt_in(par),
						xt_family(par) == NFPROTO_IPV6,
						info->policy);
		return XT_CONTINUE;
	}

	if (xt_hooknum(par) == NF_INET_PRE_ROUTING)
		mackeep_learn(mn, skb, ct, ctinfo, xt_in(par), info->policy,
			      true);
	else if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL)
		mackeep_target_adopt(mn, ct, info->policy->id);
	return XT_CONTINUE;
}

static int mackeep_tg_check(const struct xt_tgchk_param *par)
{
	struct xt_mackeep_tginfo *info = par->targinfo;
	struct mackeep_policy *policy;
	const char *why;

	if (info->flags & ~XT_MACKEEP_ALL_FLAGS || info->reserved) {
		pr_info_ratelimited("unknown options 0x%x: the iptables plugin is newer than the module, update the module\n",
				    info->flags);
		return -EINVAL;
	}
	if ((!(info->flags & XT_MACKEEP_ORIG_MARK) && info->orig_mask) ||
	    (!(info->flags & XT_MACKEEP_REPLY_MARK) && info->reply_mask)) {
		pr_info_ratelimited("a mark without its option: the rule does not come from the iptables plugin\n");
		return -EINVAL;
	}
	why = mackeep_rule_check(info);
	if (why) {
		pr_info_ratelimited("%s\n", why);
		return -EINVAL;
	}

	mutex_lock(&mackeep_net_mutex);
	policy = mackeep_rule_get(mackeep_net(par->net), info);
	mutex_unlock(&mackeep_net_mutex);
	if (policy == ERR_PTR(-ENOSPC))
		pr_info_ratelimited("more than %u rules with different options: use fewer\n",
				    MACKEEP_POLICY_SLOTS - 1);
	else if (IS_ERR(policy))
		pr_info_ratelimited("cannot set up the namespace's hooks and pair cache: error %ld\n",
				    PTR_ERR(policy));
	if (IS_ERR(policy))
		return PTR_ERR(policy);
	info->policy = policy;
	return 0;
}

static void mackeep_tg_destroy(const struct xt_tgdtor_param *par)
{
	const struct xt_mackeep_tginfo *info = par->targinfo;

	mutex_lock(&mackeep_net_mutex);
	mackeep_rule_put(info->policy);
	mutex_unlock(&mackeep_net_mutex);
}

#define MACKEEP_TG(pf) {						       \
	.name		= "MACKEEP",					       \
	.revision	= 0,						       \
	.family		= pf,						       \
	.table		= "mangle",					       \
	.hooks		= 1 << NF_INET_PRE_ROUTING | 1 << NF_INET_LOCAL_OUT,   \
	.target		= mackeep_tg,					       \
	.targetsize	= sizeof(struct xt_mackeep_tginfo),		       \
	.usersize	= offsetof(struct xt_mackeep_tginfo, policy),	       \
	.checkentry	= mackeep_tg_check,				       \
	.destroy	= mackeep_tg_destroy,				       \
	.me		= THIS_MODULE,					       \
}

static struct xt_target mackeep_tg_reg[] __read_mostly = {
	MACKEEP_TG(NFPROTO_IPV4),
	MACKEEP_TG(NFPROTO_IPV6),
};

int mackeep_target_init(void)
{
	return xt_register_targets(mackeep_tg_reg, ARRAY_SIZE(mackeep_tg_reg));
}

void mackeep_target_exit(void)
{
	xt_unregister_targets(mackeep_tg_reg, ARRAY_SIZE(mackeep_tg_reg));
}
