/* SPDX-License-Identifier: GPL-2.0-only */
/* Keeps flooded copies off the source station's own port. */
#ifndef _MACKEEP_OWNPORT_H
#define _MACKEEP_OWNPORT_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>

struct mackeep_net;

struct mackeep_ownport {
	bool guarded;			/* written by the work */
	bool closed;
	unsigned long flooded;		/* jiffies */
	struct sk_buff_head held;
	struct delayed_work work;
	struct nf_hook_ops hook;
};

bool mackeep_ownport_apart(struct mackeep_net *mn, const struct net_device *br,
			   u32 vlan, const u8 *src, const u8 *dst);
int mackeep_ownport_xmit(struct mackeep_net *mn, struct sk_buff *skb);
void mackeep_ownport_start(struct mackeep_net *mn);
void mackeep_ownport_close(struct mackeep_net *mn);
void mackeep_ownport_stop(struct mackeep_net *mn);
void mackeep_ownport_net_init(struct mackeep_net *mn);
int mackeep_ownport_init(void);
void mackeep_ownport_exit(void);

#endif /* _MACKEEP_OWNPORT_H */
