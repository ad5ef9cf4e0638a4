/* SPDX-License-Identifier: GPL-2.0-only */
/* What user space says and asks of services; see include/linux/mackeep.h. */
#ifndef _MACKEEP_SERVICE_NETLINK_H
#define _MACKEEP_SERVICE_NETLINK_H

#include <net/genetlink.h>

struct mackeep_net;

extern struct genl_family mackeep_netlink_family;
extern const struct nla_policy mackeep_service_netlink_policy[];

int mackeep_service_netlink_new(struct sk_buff *skb, struct genl_info *info);
int mackeep_service_netlink_set(struct sk_buff *skb, struct genl_info *info);
int mackeep_service_netlink_del(struct sk_buff *skb, struct genl_info *info);
int mackeep_service_netlink_dump(struct sk_buff *skb,
				 struct netlink_callback *cb);
void mackeep_service_netlink_net_init(struct mackeep_net *mn);
void mackeep_service_netlink_stop(struct mackeep_net *mn);

#endif /* _MACKEEP_SERVICE_NETLINK_H */
