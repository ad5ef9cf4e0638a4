/* SPDX-License-Identifier: GPL-2.0-only */
/* What the neighbour table knows, for packets about to leave by skb->dev. */
#ifndef _MACKEEP_NEIGH_H
#define _MACKEEP_NEIGH_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

/* Under rcu_read_lock(); false when the MAC is not known. */
bool mackeep_neigh_source(struct net *net, const struct sk_buff *skb, bool v6,
			  u8 *mac);
bool mackeep_neigh_nexthop(struct sk_buff *skb, bool v6, bool resolve, u8 *mac);
bool mackeep_neigh_known(const struct sk_buff *skb, bool v6, u8 *mac);
bool mackeep_neigh_configured(const struct sk_buff *skb, bool v6);
void mackeep_neigh_used(const struct sk_buff *skb,
			const struct nf_hook_state *state);

#endif /* _MACKEEP_NEIGH_H */
