/* SPDX-License-Identifier: GPL-2.0-only */
/* Services that rehearse: whose frames would be lifted, and none is. */
#ifndef _MACKEEP_REHEARSE_H
#define _MACKEEP_REHEARSE_H

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>

#include "past.h"

struct mackeep_net;
struct mackeep_service;

/* Flows with the same MACs */
struct mackeep_rehearsed {
	u64 flows;			/* 0: the place is free */
	u32 mark;			/* of their service */
	u32 ifindex;			/* the device they would come in by */
	u16 vlan;
	u8 proto;
	u8 src[ETH_ALEN];
	u8 dst[ETH_ALEN];
};

#define MACKEEP_REHEARSED_BITS	10

struct mackeep_rehearsal {
	spinlock_t lock;		/* what comes next, but for past */
	u64 beyond;			/* flows for which there was no place */
	struct mackeep_rehearsed macs[1 << MACKEEP_REHEARSED_BITS];
	u64 begun[MACKEEP_PAST_WORDS];	/* flows that would be the proxy's; past.h */
};

/* Both need mackeep_net_mutex and may sleep. */
int mackeep_rehearse_start(struct mackeep_net *mn);
void mackeep_rehearse_stop(struct mackeep_net *mn);

/* Under rcu_read_lock(), of a frame that would be lifted */
void mackeep_rehearse_flow(struct mackeep_net *mn,
			   const struct mackeep_service *service,
			   const struct sk_buff *skb,
			   const struct net_device *in);

#endif /* _MACKEEP_REHEARSE_H */
