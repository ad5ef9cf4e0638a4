// SPDX-License-Identifier: GPL-2.0-only
/* What a bridge is asked: about its FDB, its VLANs and its ports. */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>

#include "bridge.h"
#include "compat.h"
#include "net.h"
#include "stp.h"
#include "tag.h"

/* Under rcu_read_lock(). The FDB's word for it, without RTNL; vid 0 is none. */
const struct net_device *
mackeep_bridge_port(const struct net_device *br, const u8 *mac, u16 vid)
{
	struct net_device_path_ctx ctx = { .dev = br };
	struct net_device_path path = {};
	u16 proto;

	ether_addr_copy(ctx.daddr, mac);
	if (br_vlan_enabled(br)) {
		if (br_vlan_get_proto(br, &proto))
			return NULL;
		ctx.vlan[0].id = vid;
		ctx.vlan[0].proto = htons(proto);
		ctx.num_vlans = 1;
	}
	return mackeep_fill_forward_path(&ctx, &path) ? NULL : ctx.dev;
}

/*
 * The bridge that a device sends by, and the VLAN's id in its FDB. NULL where
 * there is none, or the bridge has no place for what is sent. vlan: of the tag that
 * this has, if it has no VLAN device.
 */
const struct net_device *mackeep_bridge_of(const struct net_device *dev,
					   u32 vlan, u16 *vid)
{
	*vid = vlan & VLAN_VID_MASK;
	while (is_vlan_dev(dev)) {
		*vid = vlan_dev_vlan_id(dev);
		dev = vlan_dev_real_dev(dev);
	}
	if (!netif_is_bridge_master(dev))
		return NULL;
	if (!br_vlan_enabled(dev))
		*vid = 0;
	else if (!*vid && br_vlan_get_pvid_rcu(dev, vid))
		return NULL;
	return dev;
}

/*
 * The device a frame would come in by: the bridge or a VLAN device on it, and
 * the VLAN's id in the FDB. NULL when the bridge has no place for the frame's
 * VLAN: it would not pass it up. tag: what it would have then, without a device.
 */
struct net_device *mackeep_bridge_in(const struct sk_buff *skb,
				     struct net_device *br,
				     const struct net_device *port, u16 *vid,
				     u32 *tag)
{
	u16 tci = skb_vlan_tag_present(skb) ? skb_vlan_tag_get(skb) : 0;
	u16 id = tci & VLAN_VID_MASK;
	__be16 proto = skb->vlan_proto;
	struct bridge_vlan_info info;
	struct net_device *in;
	u16 filtered;

	*vid = 0;
	*tag = 0;
	if (br_vlan_enabled(br)) {
		br_vlan_get_proto(br, &filtered);
		/* With a tag of the other kind it is untagged for the bridge,
		 * which puts that tag back into the frame.
		 */
		if (id && proto != htons(filtered))
			return NULL;
		proto = htons(filtered);
		if (!id && br_vlan_get_pvid_rcu(port, &id))
			return NULL;
		if (br_vlan_get_info_rcu(br, id, &info) ||
		    !(info.flags & BRIDGE_VLAN_INFO_BRENTRY))
			return NULL;
		*vid = id;
		if (info.flags & BRIDGE_VLAN_INFO_UNTAGGED)
			return br;
	}
	if (!id)
		return br;
	in = __vlan_find_dev_deep_rcu(br, proto, id);
	if (in || !mackeep_tag_lifts(br))
		return in;
	*tag = mackeep_tag(proto, (tci & ~VLAN_VID_MASK) | id);
	return br;
}

/* Whether the bridge would pass up what is sent to its own address. */
bool mackeep_bridge_knows_itself(const struct net_device *br, u16 vid)
{
	struct mackeep_fdb fdb;

	return !mackeep_fdb_get(br, br->dev_addr, vid, &fdb) && fdb.local;
}

/* Whether it has seen no frame of a station for so many jiffies. */
bool mackeep_bridge_silent(const struct net_device *br, const u8 *mac, u16 vid,
			   unsigned long age)
{
	struct mackeep_fdb fdb;

	return mackeep_fdb_get(br, mac, vid, &fdb) || fdb.age >= age;
}

/*
 * Whether the bridge connects one of its ports with another, or with itself, where
 * STP and VLANs let a frame through both.
 */
bool mackeep_bridge_connects(const struct net_device *from,
			     const struct net_device *to)
{
	if (from == to)
		return br_port_flag_is_set(from, BR_HAIRPIN_MODE);
	return !br_port_flag_is_set(from, BR_ISOLATED) ||
	       !br_port_flag_is_set(to, BR_ISOLATED);
}

struct mackeep_bridge_frame {
	struct mackeep_net *mn;
	const struct net_device *br;
	const struct net_device *port;
	u16 vid;
};

static int mackeep_bridge_takes(struct net_device *dev,
				struct netdev_nested_priv *priv)
{
	const struct mackeep_bridge_frame *frame = priv->data;

	return netdev_master_upper_dev_get_rcu(dev) == frame->br &&
	       br_port_flag_is_set(dev, BR_FLOOD) &&
	       mackeep_bridge_connects(frame->port, dev) &&
	       mackeep_stp_forwards(&frame->mn->stp, dev, frame->vid) &&
	       (!frame->vid || mackeep_vlan_has(dev, frame->vid));
}

/*
 * Under rcu_read_lock(). Whether a frame that came in by the port would leave by
 * any other, or that one; to is where the FDB has its station, NULL for nowhere.
 */
bool mackeep_bridge_carries(struct mackeep_net *mn, struct net_device *br,
			    const struct net_device *port,
			    const struct net_device *to, u16 vid)
{
	struct mackeep_bridge_frame frame = {
		.mn = mn,
		.br = br,
		.port = port,
		.vid = vid,
	};
	struct netdev_nested_priv priv = { .data = &frame };

	if (to)
		return mackeep_bridge_connects(port, to) &&
		       mackeep_stp_forwards(&mn->stp, to, vid);
	return netdev_walk_all_lower_dev_rcu(br, mackeep_bridge_takes, &priv);
}
