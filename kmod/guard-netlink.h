/* SPDX-License-Identifier: GPL-2.0-only */
/* What user space says and asks of guards; see include/linux/mackeep.h. */
#ifndef _MACKEEP_GUARD_NETLINK_H
#define _MACKEEP_GUARD_NETLINK_H

#include <net/genetlink.h>

extern struct genl_family mackeep_netlink_family;
extern const struct nla_policy mackeep_guard_netlink_policy[];

int mackeep_guard_netlink_add(struct sk_buff *skb, struct genl_info *info);
int mackeep_guard_netlink_del(struct sk_buff *skb, struct genl_info *info);
int mackeep_guard_netlink_dump(struct sk_buff *skb,
			       struct netlink_callback *cb);

#endif /* _MACKEEP_GUARD_NETLINK_H */
