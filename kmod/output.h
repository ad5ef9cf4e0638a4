/* SPDX-License-Identifier: GPL-2.0-only */
/* POST_ROUTING, the slow path, and what it shares with the fast one. */
#ifndef _MACKEEP_OUTPUT_H
#define _MACKEEP_OUTPUT_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/addrconf.h>
#include <net/ip.h>

#include "compat.h"
#include "net.h"

unsigned int mackeep_output4(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state);
unsigned int mackeep_output6(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state);

/* idev is that of the route, NULL for IPv4. */
static __always_inline void
mackeep_output_count(struct mackeep_net *mn, const struct sk_buff *skb,
		     struct inet6_dev *idev, bool v6)
{
	unsigned int len = skb->len;

	if (MACKEEP_OUT_COUNTED)
		return;
	if (v6)
		IP6_UPD_PO_STATS(mn->net, idev, IPSTATS_MIB_OUT, len);
	else
		IP_UPD_PO_STATS(mn->net, IPSTATS_MIB_OUT, len);
}

/*
 * Broadcast or multicast. The stack sends one copy and loops another one back;
 * both pass here.
 */
static __always_inline bool mackeep_output_many(const struct sk_buff *skb,
						bool v6)
{
	if (v6)
		return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
	return skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST);
}

static __always_inline struct inet6_dev *
mackeep_output_idev(const struct sk_buff *skb, bool v6)
{
	return v6 ? ip6_dst_idev(skb_dst(skb)) : NULL;
}

/*
 * Tells the sender what became of its packet: an error, as NF_DROP_ERR() does, or
 * the qdisc's answer, as the stack does. NET_XMIT_DROP is 1, which would mean that
 * the packet may go on; senders take any value but NET_XMIT_CN for it. Old kernels
 * do not look at the verdict of a stolen packet: there all of it is lost.
 */
#define MACKEEP_XMIT_DROP	3

static __always_inline unsigned int mackeep_output_stolen(int ret)
{
	BUILD_BUG_ON(NET_XMIT_DROP != 1 || NET_XMIT_CN == MACKEEP_XMIT_DROP);

	if (likely(!ret))
		return NF_STOLEN;
	if (ret == NET_XMIT_DROP)
		ret = MACKEEP_XMIT_DROP;
	return NF_STOLEN | (unsigned int)-ret << NF_VERDICT_QBITS;
}

#endif /* _MACKEEP_OUTPUT_H */
