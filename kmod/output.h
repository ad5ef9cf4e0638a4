/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two ways out share, that of plain packets and that of all others. */
#ifndef _MACKEEP_OUTPUT_H
#define _MACKEEP_OUTPUT_H

#include <net/addrconf.h>
#include <net/ip.h>

#include "mackeep.h"

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

static __always_inline struct inet6_dev *
mackeep_output_idev(const struct sk_buff *skb, bool v6)
{
	return v6 ? ip6_dst_idev(skb_dst(skb)) : NULL;
}

/* As for NF_DROP_ERR(), the sender gets the error where it can. */
static __always_inline unsigned int mackeep_output_stolen(int ret)
{
	if (likely(!ret))
		return NF_STOLEN;
	if (ret > 0)
		ret = net_xmit_errno(ret);
	return ret < 0 ? NF_STOLEN | -ret << NF_VERDICT_QBITS : NF_STOLEN;
}

#endif /* _MACKEEP_OUTPUT_H */
