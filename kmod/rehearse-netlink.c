// SPDX-License-Identifier: GPL-2.0-only
/*
 * What would be lifted, by generic netlink. A dump holds mackeep_net_mutex for a
 * message, so that the table stays, and its lock for one entry.
 */
#include <net/genetlink.h>

#include <linux/mackeep.h>

#include "net.h"
#include "rehearse.h"
#include "rehearse-netlink.h"

static int mackeep_rehearse_netlink_put(struct sk_buff *skb,
					const struct mackeep_rehearsed *flow)
{
	if (nla_put(skb, MACKEEP_A_FLOWS, sizeof(flow->flows), &flow->flows))
		return -EMSGSIZE;
	/* Those without a place have no more to tell. */
	if (!flow->proto)
		return 0;
	if (nla_put_u32(skb, MACKEEP_A_MARK, flow->mark) ||
	    nla_put_u8(skb, MACKEEP_A_PROTO, flow->proto) ||
	    nla_put_u32(skb, MACKEEP_A_IFINDEX, flow->ifindex) ||
	    nla_put_u16(skb, MACKEEP_A_VLAN, flow->vlan) ||
	    nla_put(skb, MACKEEP_A_SRC, sizeof(flow->src), flow->src) ||
	    nla_put(skb, MACKEEP_A_DST, sizeof(flow->dst), flow->dst))
		return -EMSGSIZE;
	return 0;
}

/* -EMSGSIZE: the message is full. */
static int mackeep_rehearse_netlink_show(struct sk_buff *skb,
					 struct netlink_callback *cb,
					 const struct mackeep_rehearsed *flow)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &mackeep_netlink_family,
				NLM_F_MULTI, MACKEEP_CMD_REHEARSED);

	if (!hdr)
		return -EMSGSIZE;
	if (mackeep_rehearse_netlink_put(skb, flow)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* A copy of an entry; behind the last one, of those without a place */
static void mackeep_rehearse_netlink_copy(struct mackeep_rehearsal *rehearsal,
					  unsigned long n,
					  struct mackeep_rehearsed *flow)
{
	spin_lock_bh(&rehearsal->lock);
	if (n < ARRAY_SIZE(rehearsal->macs))
		*flow = rehearsal->macs[n];
	else
		*flow = (struct mackeep_rehearsed){
			.flows = rehearsal->beyond,
		};
	spin_unlock_bh(&rehearsal->lock);
}

int mackeep_rehearse_netlink_dump(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	struct mackeep_net *mn = mackeep_net(sock_net(cb->skb->sk));
	struct mackeep_rehearsal *rehearsal;
	struct mackeep_rehearsed flow;
	unsigned long n = cb->args[0];

	mutex_lock(&mackeep_net_mutex);
	rehearsal = mn->services.rehearsal;
	for (; rehearsal && n <= ARRAY_SIZE(rehearsal->macs); n++) {
		mackeep_rehearse_netlink_copy(rehearsal, n, &flow);
		if (flow.flows && mackeep_rehearse_netlink_show(skb, cb, &flow))
			break;
	}
	mutex_unlock(&mackeep_net_mutex);
	cb->args[0] = n;
	return skb->len;
}
