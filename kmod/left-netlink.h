/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows of which a packet was left alone, by generic netlink. */
#ifndef _MACKEEP_LEFT_NETLINK_H
#define _MACKEEP_LEFT_NETLINK_H

#include <net/genetlink.h>

struct mackeep_left;
struct mackeep_net;
struct nf_conn;

extern struct genl_family mackeep_netlink_family;

int mackeep_left_netlink_dump(struct sk_buff *skb, struct netlink_callback *cb);
void mackeep_left_netlink_tell(struct mackeep_net *mn,
			       struct mackeep_left *left,
			       const struct nf_conn *ct, u32 id, u8 why);

/* May sleep. Events are told between the two, and the family is there. */
void mackeep_left_netlink_init(void);
void mackeep_left_netlink_exit(void);

#endif /* _MACKEEP_LEFT_NETLINK_H */
