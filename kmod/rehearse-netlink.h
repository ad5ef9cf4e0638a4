/* SPDX-License-Identifier: GPL-2.0-only */
/* What would be lifted, by generic netlink; see include/linux/mackeep.h. */
#ifndef _MACKEEP_REHEARSE_NETLINK_H
#define _MACKEEP_REHEARSE_NETLINK_H

#include <net/genetlink.h>

extern struct genl_family mackeep_netlink_family;

int mackeep_rehearse_netlink_dump(struct sk_buff *skb,
				  struct netlink_callback *cb);

#endif /* _MACKEEP_REHEARSE_NETLINK_H */
