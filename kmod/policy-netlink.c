// SPDX-License-Identifier: GPL-2.0-only
/* The default policy by generic netlink: it is set as a whole, and shown. */
#include <net/genetlink.h>

#include <linux/mackeep.h>

#include "default.h"
#include "net.h"
#include "policy-netlink.h"
#include "rule.h"

const struct nla_policy
mackeep_policy_netlink_policy[MACKEEP_A_MAX + 1] = {
	[MACKEEP_A_KEEP]	= NLA_POLICY_MAX(NLA_U8, MACKEEP_KEEP_MAX),
	[MACKEEP_A_REFRESH]	= NLA_POLICY_MAX(NLA_U8, MACKEEP_REFRESH_MAX),
	[MACKEEP_A_NEXT_HOP]	= NLA_POLICY_MAX(NLA_U8, MACKEEP_NEXT_HOP_MAX),
	[MACKEEP_A_LAST_HOP]	= { .type = NLA_FLAG },
	[MACKEEP_A_STRICT]	= { .type = NLA_FLAG },
	[MACKEEP_A_ORIG_MARK]	= { .type = NLA_U32 },
	[MACKEEP_A_ORIG_MASK]	= { .type = NLA_U32 },
	[MACKEEP_A_REPLY_MARK]	= { .type = NLA_U32 },
	[MACKEEP_A_REPLY_MASK]	= { .type = NLA_U32 },
};

static const u32 mackeep_policy_keep[] = {
	[MACKEEP_KEEP_SRC]	= XT_MACKEEP_KEEP_SRC,
	[MACKEEP_KEEP_DST]	= XT_MACKEEP_KEEP_DST,
};

/* A mark and its mask: both, or none of them */
static int mackeep_policy_netlink_mark(struct genl_info *info, int which,
				       int which_mask, u32 *mark, u32 *mask)
{
	const struct nlattr *attr = info->attrs[which_mask];

	if (!info->attrs[which] != !attr) {
		NL_SET_ERR_MSG(info->extack,
			       "a mark without its mask, or a mask without its mark: give both");
		return -EINVAL;
	}
	if (!attr)
		return 0;
	*mark = nla_get_u32(info->attrs[which]);
	*mask = nla_get_u32(attr);
	if (*mask)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "mask 0 compares no bit, every packet would match: leave the mark out to mean that");
	return -EINVAL;
}

static int mackeep_policy_netlink_parse(struct genl_info *info,
					struct xt_mackeep_tginfo *options)
{
	struct nlattr **attrs = info->attrs;
	const char *why;
	int err;

	if (attrs[MACKEEP_A_KEEP])
		options->flags |=
			mackeep_policy_keep[nla_get_u8(attrs[MACKEEP_A_KEEP])];
	if (attrs[MACKEEP_A_REFRESH] &&
	    nla_get_u8(attrs[MACKEEP_A_REFRESH]) == MACKEEP_REFRESH_FIRST)
		options->flags |= XT_MACKEEP_REFRESH_FIRST;
	if (attrs[MACKEEP_A_NEXT_HOP] &&
	    nla_get_u8(attrs[MACKEEP_A_NEXT_HOP]) == MACKEEP_NEXT_HOP_ROUTE)
		options->flags |= XT_MACKEEP_NEXT_HOP_ROUTE;
	if (nla_get_flag(attrs[MACKEEP_A_LAST_HOP]))
		options->flags |= XT_MACKEEP_LAST_HOP;
	if (nla_get_flag(attrs[MACKEEP_A_STRICT]))
		options->flags |= XT_MACKEEP_STRICT;

	err = mackeep_policy_netlink_mark(info, MACKEEP_A_ORIG_MARK,
					  MACKEEP_A_ORIG_MASK,
					  &options->orig_mark,
					  &options->orig_mask);
	if (!err)
		err = mackeep_policy_netlink_mark(info, MACKEEP_A_REPLY_MARK,
						  MACKEEP_A_REPLY_MASK,
						  &options->reply_mark,
						  &options->reply_mask);
	if (err)
		return err;

	why = mackeep_rule_check(options);
	if (why && info->extack)
		info->extack->_msg = why;
	return why ? -EINVAL : 0;
}

int mackeep_policy_netlink_set(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	struct xt_mackeep_tginfo options = {};
	int err;

	err = mackeep_policy_netlink_parse(info, &options);
	if (err)
		return err;
	mutex_lock(&mackeep_net_mutex);
	err = mackeep_default_set(mn, &options);
	mutex_unlock(&mackeep_net_mutex);
	if (err == -ENOSPC)
		NL_SET_ERR_MSG(info->extack,
			       "there are as many rules with different options as there may be: use fewer");
	return err;
}

int mackeep_policy_netlink_put(struct sk_buff *skb, const struct net *net)
{
	struct xt_mackeep_tginfo options;
	u8 keep = MACKEEP_KEEP_BOTH;

	mutex_lock(&mackeep_net_mutex);
	options = mackeep_net(net)->dflt.options;
	mutex_unlock(&mackeep_net_mutex);

	if (options.flags & XT_MACKEEP_KEEP_SRC)
		keep = MACKEEP_KEEP_SRC;
	else if (options.flags & XT_MACKEEP_KEEP_DST)
		keep = MACKEEP_KEEP_DST;
	if (nla_put_u8(skb, MACKEEP_A_KEEP, keep) ||
	    nla_put_u8(skb, MACKEEP_A_REFRESH,
		       options.flags & XT_MACKEEP_REFRESH_FIRST ?
		       MACKEEP_REFRESH_FIRST : MACKEEP_REFRESH_LAST) ||
	    nla_put_u8(skb, MACKEEP_A_NEXT_HOP,
		       options.flags & XT_MACKEEP_NEXT_HOP_ROUTE ?
		       MACKEEP_NEXT_HOP_ROUTE : MACKEEP_NEXT_HOP_LEARNED) ||
	    (options.flags & XT_MACKEEP_LAST_HOP &&
	     nla_put_flag(skb, MACKEEP_A_LAST_HOP)) ||
	    (options.flags & XT_MACKEEP_STRICT &&
	     nla_put_flag(skb, MACKEEP_A_STRICT)) ||
	    (options.orig_mask &&
	     (nla_put_u32(skb, MACKEEP_A_ORIG_MARK, options.orig_mark) ||
	      nla_put_u32(skb, MACKEEP_A_ORIG_MASK, options.orig_mask))) ||
	    (options.reply_mask &&
	     (nla_put_u32(skb, MACKEEP_A_REPLY_MARK, options.reply_mark) ||
	      nla_put_u32(skb, MACKEEP_A_REPLY_MASK, options.reply_mask))))
		return -EMSGSIZE;
	return 0;
}
