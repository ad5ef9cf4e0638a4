/* SPDX-License-Identifier: GPL-2.0-only */
/* POST_ROUTING, the fast path: hooks. */
#ifndef _MACKEEP_FAST_H
#define _MACKEEP_FAST_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

unsigned int mackeep_fast4(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state);
unsigned int mackeep_fast6(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state);

#endif /* _MACKEEP_FAST_H */
