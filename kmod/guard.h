/* SPDX-License-Identifier: GPL-2.0-only */
/* Keeps frames with a MAC of this box off the ports of a bridge. */
#ifndef _MACKEEP_GUARD_H
#define _MACKEEP_GUARD_H

#include <linux/atomic.h>
#include <linux/if.h>
#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct mackeep_net;

struct mackeep_guards {
	struct list_head list;		/* RCU; written under RTNL, as the rest */
	struct list_head nets;		/* in the list of all that have some */
	unsigned int count;
	struct nf_hook_ops hook;	/* where ports have none */
};

struct mackeep_guard_macs {
	struct rcu_head rcu;
	unsigned int n;
	u64 mac[];
};

struct mackeep_guard {
	struct mackeep_guard_macs __rcu *macs;	/* there while it has ports */
	struct mackeep_net *mn;
	struct list_head list;
	struct list_head ports;		/* RCU */
	unsigned int count;		/* of them */
	atomic64_t dropped;
	char name[IFNAMSIZ];
	struct rcu_head rcu;
};

/* All of these need RTNL. */
struct mackeep_guard *mackeep_guard_find(const struct mackeep_net *mn,
					 const char *name);
int mackeep_guard_add(struct mackeep_net *mn, const char *name);
void mackeep_guard_del(struct mackeep_guard *guard);

void mackeep_guard_net_init(struct mackeep_net *mn);
void mackeep_guard_net_exit(struct mackeep_net *mn);
int mackeep_guard_init(void);
void mackeep_guard_exit(void);

#endif /* _MACKEEP_GUARD_H */
