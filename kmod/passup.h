/* SPDX-License-Identifier: GPL-2.0-only */
/* How a lifted frame gets up, past the ports of its bridge. */
#ifndef _MACKEEP_PASSUP_H
#define _MACKEEP_PASSUP_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

#include "lift.h"

struct mackeep_net;

/* Where a frame comes out that a bridge passes up */
struct mackeep_passup_place {
	struct net_device *br;
	const struct net_device *port;	/* it came in by */
	const struct net_device *in;	/* it would come in by; NULL: nowhere */
	u16 vid;			/* in the bridge's FDB */
	u32 tag;			/* which it would have, and no device for */
};

/* Which address makes the bridge pass a frame up, and to nobody else */
enum mackeep_passup_way {
	MACKEEP_PASSUP_OWN,		/* its own */
	MACKEEP_PASSUP_BROADCAST,	/* while its FDB does not know that */
	MACKEEP_PASSUP_NOWAY,
	MACKEEP_PASSUP_STAYS,		/* it would not carry the frame either */
	MACKEEP_PASSUP_WAYS,		/* fits into the low bits of a slot */
};

enum mackeep_passup_way
mackeep_passup_way(struct mackeep_net *mn, const struct sk_buff *skb,
		   const struct mackeep_passup_place *place);
unsigned int mackeep_passup(struct mackeep_net *mn, struct sk_buff *skb,
			    const struct mackeep_passup_place *place,
			    enum mackeep_lift_why why,
			    enum mackeep_passup_way way);
unsigned int mackeep_passup_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);
void mackeep_passup_init(void);

#endif /* _MACKEEP_PASSUP_H */
