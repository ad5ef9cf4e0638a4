// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets over the MTU. Some are cut by whoever sends them on; for others the
 * sender has to hear of it, and the stack tells it.
 */
#include "mtu.h"

/* Whether whoever sent the packet, or set its DF, forbids to cut it. */
bool mackeep_mtu_must_fit(const struct sk_buff *skb, unsigned int mtu, bool v6)
{
	if (v6)
		return !skb->ignore_df || IP6CB(skb)->frag_max_size > mtu;
	return ip_hdr(skb)->frag_off & htons(IP_DF) &&
	       (!skb->ignore_df || IPCB(skb)->frag_max_size > mtu);
}

bool mackeep_mtu_toobig(const struct sk_buff *skb, unsigned int mtu, bool v6)
{
	return !mackeep_mtu_fits(skb, mtu, v6) &&
	       mackeep_mtu_must_fit(skb, mtu, v6);
}
