/* SPDX-License-Identifier: GPL-2.0-only */
/* What an earlier load of the module knew, put back by generic netlink. */
#ifndef _MACKEEP_RESTORE_H
#define _MACKEEP_RESTORE_H

#include <net/genetlink.h>

#include <linux/mackeep.h>

extern const struct nla_policy mackeep_restore_policy[MACKEEP_A_MAX + 1];

int mackeep_restore_pair(struct sk_buff *skb, struct genl_info *info);
int mackeep_restore_record(struct sk_buff *skb, struct genl_info *info);

#endif /* _MACKEEP_RESTORE_H */
