/* SPDX-License-Identifier: GPL-2.0-only */
/* The default policy, as user space sees it; see include/linux/mackeep.h. */
#ifndef _MACKEEP_POLICY_NETLINK_H
#define _MACKEEP_POLICY_NETLINK_H

#include <net/genetlink.h>

extern const struct nla_policy mackeep_policy_netlink_policy[];

int mackeep_policy_netlink_set(struct sk_buff *skb, struct genl_info *info);
/* -EMSGSIZE: it does not fit. */
int mackeep_policy_netlink_put(struct sk_buff *skb, const struct net *net);

#endif /* _MACKEEP_POLICY_NETLINK_H */
