/* SPDX-License-Identifier: GPL-2.0-only */
/* --last-hop: answers go back where their flow came from. */
#ifndef _MACKEEP_LASTHOP_H
#define _MACKEEP_LASTHOP_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>

struct mackeep_net;

struct mackeep_lasthop {
	unsigned int rules;		/* under mackeep_net_mutex */
	bool hooked;			/* likewise */
	struct nf_hook_ops steer[4];
	struct nf_hook_ops watch[2];
	spinlock_t lock;		/* writers of routes */
	struct list_head routes;	/* read under RCU */
};

int mackeep_lasthop_get(struct mackeep_net *mn);
void mackeep_lasthop_put(struct mackeep_net *mn);
void mackeep_lasthop_stop(struct mackeep_net *mn);
void mackeep_lasthop_net_init(struct mackeep_net *mn);
int mackeep_lasthop_init(void);
void mackeep_lasthop_exit(void);

#endif /* _MACKEEP_LASTHOP_H */
