/* SPDX-License-Identifier: GPL-2.0-only */
/* What a bridge is asked: about its FDB, its VLANs and its ports. */
#ifndef _MACKEEP_BRIDGE_H
#define _MACKEEP_BRIDGE_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct mackeep_net;

const struct net_device *
mackeep_bridge_port(const struct net_device *br, const u8 *mac, u16 vid);
const struct net_device *mackeep_bridge_of(const struct net_device *dev,
					   u32 vlan, u16 *vid);
struct net_device *mackeep_bridge_in(const struct sk_buff *skb,
				     struct net_device *br,
				     const struct net_device *port, u16 *vid,
				     u32 *tag);
bool mackeep_bridge_knows_itself(const struct net_device *br, u16 vid);
bool mackeep_bridge_silent(const struct net_device *br, const u8 *mac, u16 vid,
			   unsigned long age);
bool mackeep_bridge_connects(const struct net_device *from,
			     const struct net_device *to);
bool mackeep_bridge_carries(struct mackeep_net *mn, struct net_device *br,
			    const struct net_device *port,
			    const struct net_device *to, u16 vid);

#endif /* _MACKEEP_BRIDGE_H */
