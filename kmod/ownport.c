// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bridge floods what this box sends to a station that it does not know, and
 * the copies carry the MAC of another station. The one for the port where that
 * station is must not leave: the switch there would learn that it has moved to
 * this box, and a port with port security would be shut. A frame that comes in
 * by a port is never sent back by it, so the same is done for what we send in a
 * station's name.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/netfilter_bridge.h>

#include "mackeep.h"

/*
 * Which stations are not at which port, as of this jiffy: the FDB is asked once
 * per jiffy for all frames from one station to one port. Of this CPU; LOCAL_OUT
 * is called with softirqs off.
 */
#define MACKEEP_OWNPORT_SLOTS	16

struct mackeep_ownport {
	u64 station;			/* MAC, VLAN id */
	const void *port;		/* only to compare */
	unsigned long when;
};

static DEFINE_PER_CPU(struct mackeep_ownport [MACKEEP_OWNPORT_SLOTS],
		      mackeep_ownport);

static u64 mackeep_ownport_station(const struct sk_buff *skb)
{
	u16 vid = skb_vlan_tag_present(skb) ? skb_vlan_tag_get_id(skb) : 0;

	return ether_addr_to_u64(eth_hdr(skb)->h_source) << 16 | vid;
}

/* Under rcu_read_lock(). The FDB's word for it, without RTNL. */
static bool mackeep_ownport_there(const struct sk_buff *skb,
				  const struct net_device *port)
{
	struct net_device_path_ctx ctx = {};
	struct net_device_path path = {};
	struct net_device *br;
	u16 proto;

	br = netdev_master_upper_dev_get_rcu((struct net_device *)port);
	if (!br)
		return false;

	ctx.dev = br;
	ether_addr_copy(ctx.daddr, eth_hdr(skb)->h_source);
	if (br_vlan_enabled(br)) {
		if (skb_vlan_tag_present(skb))
			ctx.vlan[0].id = skb_vlan_tag_get_id(skb);
		else if (br_vlan_get_pvid_rcu(port, &ctx.vlan[0].id))
			return false;
		if (br_vlan_get_proto(br, &proto))
			return false;
		ctx.vlan[0].proto = htons(proto);
		ctx.num_vlans = 1;
	}
	return !mackeep_fill_forward_path(&ctx, &path) && ctx.dev == port;
}

/* Under rcu_read_lock(), softirqs are off. */
unsigned int mackeep_ownport_out(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct net_device *port = state->out;
	const struct ethhdr *eth = eth_hdr(skb);
	struct mackeep_net *mn = priv;
	struct mackeep_ownport *seen;
	unsigned long now = jiffies;
	u64 station;

	if (skb->protocol != htons(ETH_P_IP) &&
	    skb->protocol != htons(ETH_P_IPV6))
		return NF_ACCEPT;

	station = mackeep_ownport_station(skb);
	seen = this_cpu_ptr(&mackeep_ownport[(station >> 16 ^ port->ifindex) %
					     MACKEEP_OWNPORT_SLOTS]);
	if (likely(seen->station == station && seen->port == port &&
		   seen->when == now))
		return NF_ACCEPT;

	/* The FDB has this box's own addresses as well. */
	if (!is_multicast_ether_addr(eth->h_dest) &&
	    !ether_addr_equal(eth->h_source, port->dev_addr) &&
	    mackeep_ownport_there(skb, port)) {
		MACKEEP_STAT_INC(mn, ownport);
		return NF_DROP;
	}

	seen->station = station;
	seen->port = port;
	seen->when = now;
	return NF_ACCEPT;
}
