/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes of our own: out of a device, on-link. */
#ifndef _MACKEEP_ONLINK_H
#define _MACKEEP_ONLINK_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct dst_entry;
struct mackeep_net;

struct mackeep_onlink {
	unsigned int users;		/* under mackeep_net_mutex */
	spinlock_t lock;		/* writers of routes */
	struct hlist_head routes[16];	/* by ifindex; read under RCU */
};

struct dst_entry *mackeep_onlink(struct mackeep_net *mn, u32 ifindex, bool v6);
void mackeep_onlink_get(struct mackeep_net *mn);
void mackeep_onlink_put(struct mackeep_net *mn);
void mackeep_onlink_net_init(struct mackeep_net *mn);
int mackeep_onlink_init(void);
void mackeep_onlink_exit(void);

#endif /* _MACKEEP_ONLINK_H */
