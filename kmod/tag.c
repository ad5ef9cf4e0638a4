// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of VLANs that have no device: their tag on its way from the bridge
 * through IP and out again.
 *
 * The stack drops a packet whose tag no device takes. So at the bridge's LOCAL_IN
 * the tag moves from the packet into the Ethernet header, in front of the type,
 * as it was on the wire: the header grows to 18 bytes, and nothing behind it
 * moves. Packet sockets and nftables show the tag there. IP does not look at it;
 * learn.c finds it and puts it into the flow's record, and fast.c and output.c take
 * it from there: a bridge sends a packet with the tag next to it as any VLAN device does.
 *
 * So a packet without a tag is asked no more than whether the type in its header
 * is its protocol. A VLAN needs no memory here, and no search: 4,094 cost what
 * one does.
 */
#include "net.h"
#include "tag.h"

DEFINE_STATIC_KEY_FALSE(mackeep_tag_used);
DEFINE_STATIC_KEY_FALSE(mackeep_tag_known);
bool mackeep_tag_ready __read_mostly;

/* Whether frames of VLANs without a device are lifted on this bridge */
bool mackeep_tag_lifts(const struct net_device *br)
{
	return static_branch_unlikely(&mackeep_tag_used) &&
	       READ_ONCE(mackeep_net(dev_net(br))->lift_vlan);
}

/*
 * The packet's data begins behind its Ethernet header, which nobody shares, and in
 * front of which are VLAN_HLEN bytes of room.
 */
void mackeep_tag_hide(struct sk_buff *skb)
{
	u8 *mac = skb_mac_header(skb);
	struct vlan_ethhdr *veth = (struct vlan_ethhdr *)(mac - VLAN_HLEN);

	if (!skb_vlan_tag_present(skb))
		return;
	memmove(veth, mac, 2 * ETH_ALEN);
	veth->h_vlan_proto = skb->vlan_proto;
	veth->h_vlan_TCI = htons(skb_vlan_tag_get(skb));
	skb->mac_header -= VLAN_HLEN;
	__vlan_hwaccel_clear_tag(skb);
}

/*
 * A VLAN device without reorder_hdr leaves the tag in the header as well, and its
 * own one: only a bridge's packets have one that was hidden.
 */
u32 mackeep_tag_find(const struct sk_buff *skb, const struct net_device *in)
{
	const struct vlan_ethhdr *veth;

	if (!netif_is_bridge_master(in) ||
	    skb_mac_header(skb) + VLAN_ETH_HLEN > skb->data)
		return 0;
	veth = (const struct vlan_ethhdr *)skb_mac_header(skb);
	if (!eth_type_vlan(veth->h_vlan_proto) ||
	    veth->h_vlan_encapsulated_proto != skb->protocol)
		return 0;
	return mackeep_tag(veth->h_vlan_proto, ntohs(veth->h_vlan_TCI));
}

/* Under rcu_read_lock(). The VLAN of a VLAN device, 0 for any other */
u16 mackeep_tag_device(struct net *net, u32 ifindex)
{
	const struct net_device *dev = dev_get_by_index_rcu(net, ifindex);

	return dev && is_vlan_dev(dev) ? vlan_dev_vlan_id(dev) : 0;
}

/* May sleep. */
int mackeep_tag_set(struct mackeep_net *mn, bool on)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (on == mn->lift_vlan)
		return 0;
	if (on) {
		static_branch_enable(&mackeep_tag_known);
		WRITE_ONCE(mackeep_tag_ready, true);
	}
	WRITE_ONCE(mn->lift_vlan, on);
	if (on)
		static_branch_inc(&mackeep_tag_used);
	else
		static_branch_dec(&mackeep_tag_used);
	return 0;
}

void mackeep_tag_net_exit(struct mackeep_net *mn)
{
	mutex_lock(&mackeep_net_mutex);
	mackeep_tag_set(mn, false);
	mutex_unlock(&mackeep_net_mutex);
}
