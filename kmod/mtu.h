/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a packet fits into an MTU, and what follows if it does not. */
#ifndef _MACKEEP_MTU_H
#define _MACKEEP_MTU_H

#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "compat.h"

/* What came in as fragments leaves as fragments no larger than those. */
static __always_inline bool mackeep_mtu_fits(const struct sk_buff *skb,
					     unsigned int mtu, bool v6)
{
	unsigned int max = v6 ? IP6CB(skb)->frag_max_size :
				IPCB(skb)->frag_max_size;

	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu);
	return skb->len <= mtu && !(v6 ? max && skb->len > max : max);
}

bool mackeep_mtu_must_fit(const struct sk_buff *skb, unsigned int mtu, bool v6);
bool mackeep_mtu_toobig(const struct sk_buff *skb, unsigned int mtu, bool v6);

#endif /* _MACKEEP_MTU_H */
