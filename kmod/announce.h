/* SPDX-License-Identifier: GPL-2.0-only */
/* Hosts that say which MAC they have: ARP and neighbour discovery. */
#ifndef _MACKEEP_ANNOUNCE_H
#define _MACKEEP_ANNOUNCE_H

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct mackeep_net;

unsigned int mackeep_announce_arp(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);
void mackeep_announce_look(struct mackeep_net *mn, struct sk_buff *skb,
			   const struct net_device *port);
unsigned int mackeep_announce_ndisc(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state);

/* Under rcu_read_lock(). What crosses a bridge, and may be for others only. */
static inline void mackeep_announce_bridged(struct mackeep_net *mn,
					    struct sk_buff *skb,
					    const struct net_device *port)
{
	if (skb->protocol == htons(ETH_P_ARP) ||
	    skb->protocol == htons(ETH_P_IPV6))
		mackeep_announce_look(mn, skb, port);
}

#endif /* _MACKEEP_ANNOUNCE_H */
