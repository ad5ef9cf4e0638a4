/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes frames for the proxy off a bridge, h_dest intact. */
#ifndef _MACKEEP_LIFT_H
#define _MACKEEP_LIFT_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

/* Why a frame is lifted */
enum mackeep_lift_why {
	MACKEEP_LIFT_NOT,
	MACKEEP_LIFT_DROP,		/* its service does not take it, nor let it by */
	MACKEEP_LIFT_NOVLAN,		/* it should be, but has no VLAN device */
	MACKEEP_LIFT_REHEARSED,		/* it would be, but its service rehearses */
	MACKEEP_LIFT_MARK,
	MACKEEP_LIFT_SOCKET,
	MACKEEP_LIFT_FRAGMENT,
};

unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state);
unsigned int mackeep_lift_spare(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);

#endif /* _MACKEEP_LIFT_H */
