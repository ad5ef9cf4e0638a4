/* SPDX-License-Identifier: GPL-2.0-only */
/* What frames that come in teach about their flow. */
#ifndef _MACKEEP_LEARN_H
#define _MACKEEP_LEARN_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>

struct mackeep_net;
struct mackeep_policy;

void mackeep_learn(struct mackeep_net *mn, const struct sk_buff *skb,
		   struct nf_conn *ct, enum ip_conntrack_info ctinfo,
		   const struct net_device *in,
		   const struct mackeep_policy *policy, bool ruled);
void mackeep_learn_untracked(struct mackeep_net *mn, const struct sk_buff *skb,
			     const struct net_device *in, bool v6,
			     const struct mackeep_policy *policy);
void mackeep_learn_lifted(struct mackeep_net *mn, const struct sk_buff *skb,
			  const struct net_device *port, bool teach);
void mackeep_learn_init(void);
unsigned int mackeep_learn_hook(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);

#endif /* _MACKEEP_LEARN_H */
