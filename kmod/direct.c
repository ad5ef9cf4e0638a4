// SPDX-License-Identifier: GPL-2.0-only
/*
 * Past the bridge: a frame of a settled flow that a bridge would only pass on goes to
 * the port at once. A bridge is a device of its own, with a queue, taps and hooks, and
 * these cost, used or not, a tenth of all that it takes to send a packet.
 *
 * Nothing is remembered here. Each frame asks the FDB, as the bridge would, so a
 * station that has moved is found at its new port; and whoever would see the frame on
 * the bridge, or do something to it there, gets it there: see mackeep_direct_seen().
 * Statistics are those of the bridge.
 *
 * What a port's STP state is, only holders of RTNL are told. stp.c asks when the bridge
 * says that it has changed, and until then nothing is sent this way; but the bridge says
 * it by a work, so that frames of this moment may leave by a port that has just been
 * blocked, as do those that lie in its queue.
 */
#include <linux/if_bridge.h>
#include <linux/netfilter_bridge.h>
#include <net/sch_generic.h>

#include "compat.h"
#include "direct.h"
#include "net.h"
#include "stp.h"

#ifdef HAVE_ndo_fill_forward_path

/* What tc or BPF has put where the device sends */
static __always_inline unsigned long
mackeep_direct_filters(const struct net_device *dev)
{
	unsigned long any = 0;

#if defined(CONFIG_NET_XGRESS) && defined(HAVE_tcx_egress)
	any |= (unsigned long)rcu_access_pointer(dev->tcx_egress);
#elif defined(CONFIG_NET_CLS_ACT) && !defined(HAVE_tcx_egress)
	any |= (unsigned long)rcu_access_pointer(dev->miniq_egress);
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	any |= (unsigned long)rcu_access_pointer(dev->nf_hooks_egress);
#endif
#if IS_ENABLED(CONFIG_CGROUP_NET_PRIO)
	any |= (unsigned long)rcu_access_pointer(dev->priomap);
#endif
	return any;
}

/* 0: nobody looks at what the bridge itself sends, and it is not queued there. */
static __always_inline unsigned long
mackeep_direct_seen(const struct mackeep_net *mn, struct net_device *br)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(br, 0);
	const struct netns_nf *nf = &mn->net->nf;

	return (unsigned long)rcu_dereference(txq->qdisc)->enqueue |
	       (br->real_num_tx_queues - 1) |
	       mackeep_direct_filters(br) |
	       (unsigned long)rcu_access_pointer(nf->hooks_bridge[NF_BR_LOCAL_OUT]) |
	       (unsigned long)rcu_access_pointer(nf->hooks_bridge[NF_BR_POST_ROUTING]) |
	       dev_nit_active(br);
}

/*
 * Whether the port takes the frame as it is. One without a carrier may have a backup,
 * and hardware that forwards by itself wants to be told.
 */
static __always_inline bool
mackeep_direct_fits(const struct mackeep_net *mn, const struct sk_buff *skb,
		    const struct net_device *port)
{
	if (!(port->flags & IFF_UP) || !netif_carrier_ok(port) ||
	    (skb->len > port->mtu + ETH_HLEN && !skb_is_gso(skb)))
		return false;
#ifdef BR_TX_FWD_OFFLOAD
	if (br_port_flag_is_set(port, BR_TX_FWD_OFFLOAD))
		return false;
#endif
	return mackeep_stp_sure(&mn->stp, port);
}

static __always_inline void mackeep_direct_count(struct net_device *br,
						 const struct sk_buff *skb)
{
	/* They are of this CPU, and softirqs of it write them as well. */
	local_bh_disable();
	dev_sw_netstats_tx_add(br, 1, skb->len);
	local_bh_enable();
}

/* The port; NULL: the bridge has more to do than to look it up. */
static __always_inline struct net_device *
mackeep_direct_port(const struct mackeep_net *mn, const struct sk_buff *skb)
{
	struct net_device_path_ctx ctx = { .dev = skb->dev };
	struct net_device_path path = {};
	struct net_device *br = skb->dev;

	if (!netif_is_bridge_master(br) || !(br->flags & IFF_UP) ||
	    mackeep_direct_seen(mn, br))
		return NULL;
	ether_addr_copy(ctx.daddr, skb->data);
	if (mackeep_fill_forward_path(&ctx, &path) ||
	    path.bridge.vlan_proto || /* it filters VLANs */
	    !mackeep_direct_fits(mn, skb, ctx.dev))
		return NULL;
	return (struct net_device *)ctx.dev;
}

/*
 * Under rcu_read_lock(), in process context or softirq, for a packet with its
 * Ethernet header. As dev_queue_xmit(): a bridge does not tell its sender what
 * becomes of a frame either.
 */
int mackeep_direct_xmit(struct mackeep_net *mn, struct sk_buff *skb)
{
	struct net_device *port = mackeep_direct_port(mn, skb);

	if (!port)
		return dev_queue_xmit(skb);
	MACKEEP_STAT_INC(mn, direct);
	mackeep_direct_count(skb->dev, skb);
	skb_clear_tstamp(skb);
	skb->dev = port;
	dev_queue_xmit(skb);
	return 0;
}

#else

int mackeep_direct_xmit(struct mackeep_net *mn, struct sk_buff *skb)
{
	return dev_queue_xmit(skb);
}

#endif
