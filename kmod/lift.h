/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes frames for the proxy off a bridge, h_dest intact. */
#ifndef _MACKEEP_LIFT_H
#define _MACKEEP_LIFT_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state);
unsigned int mackeep_lift_up(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state);
unsigned int mackeep_lift_spare(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);
void mackeep_lift_init(void);

#endif /* _MACKEEP_LIFT_H */
