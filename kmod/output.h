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

static __always_inline void
mackeep_output_count(struct mackeep_net *mn, const struct sk_buff *skb, bool v6)
{
	if (MACKEEP_OUT_COUNTED)
		return;
	if (v6)
		IP6_UPD_PO_STATS(mn->net, ip6_dst_idev(skb_dst(skb)),
				 IPSTATS_MIB_OUT, skb->len);
	else
		IP_UPD_PO_STATS(mn->net, IPSTATS_MIB_OUT, skb->len);
}

/* Whether these MACs came out of the pair cache, and may change with it. */
static __always_inline bool mackeep_output_paired(u8 via)
{
	return via >= MACKEEP_VIA_PAIR && via <= MACKEEP_VIA_CLIENT;
}

/* Nothing was learned since that would change them. */
static __always_inline bool
mackeep_output_current(const struct mackeep_net *mn, u8 via, u32 gen)
{
	if (mackeep_output_paired(via))
		return gen == READ_ONCE(mn->pairs.gen);
	if (via == MACKEEP_VIA_NEIGH)
		return true;
	return via != MACKEEP_VIA_NONE && gen == READ_ONCE(mn->pairs.moves);
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
