/* SPDX-License-Identifier: GPL-2.0-only */
/* The VLAN tag of a frame, from the bridge through IP and out again. */
#ifndef _MACKEEP_TAG_H
#define _MACKEEP_TAG_H

#include <linux/bits.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/jump_label.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct mackeep_net;

/*
 * A tag in one word: its TCI, with this bit if it is one of 802.1ad. 0: none,
 * as one of VID 0 only has a priority.
 */
#define MACKEEP_TAG_AD		BIT(16)

/* The VLAN that a tag is of, 0: none */
static inline u32 mackeep_tag_vlan(u32 tag)
{
	return tag & (MACKEEP_TAG_AD | VLAN_VID_MASK);
}

static inline __be16 mackeep_tag_proto(u32 tag)
{
	return tag & MACKEEP_TAG_AD ? htons(ETH_P_8021AD) : htons(ETH_P_8021Q);
}

static inline u32 mackeep_tag(__be16 proto, u16 tci)
{
	if (!(tci & VLAN_VID_MASK))
		return 0;
	return tci | (proto == htons(ETH_P_8021AD) ? MACKEEP_TAG_AD : 0);
}

/* What user space gives: the VLAN of a device, or a tag; proto in host order */
static inline bool mackeep_tag_valid(u16 proto, u16 tci)
{
	u16 id = tci & VLAN_VID_MASK;

	if (!proto)
		return tci < VLAN_VID_MASK;
	return (proto == ETH_P_8021Q || proto == ETH_P_8021AD) && id &&
	       id != VLAN_VID_MASK;
}

/* That of a frame on a bridge */
static inline u32 mackeep_tag_bridged(const struct sk_buff *skb)
{
	if (!skb_vlan_tag_present(skb))
		return 0;
	return mackeep_tag(skb->vlan_proto, skb_vlan_tag_get(skb));
}

/* A part of the network: what comes in by a device, in one VLAN of its frames */
struct mackeep_segment {
	u32 ifindex;			/* L3 device */
	u32 vlan;			/* mackeep_tag_vlan() */
};

/* Some namespace lifts frames of VLANs that have no device. */
DECLARE_STATIC_KEY_FALSE(mackeep_tag_used);

/*
 * Some flow may have a tag that the fast path has to put: never false again, as
 * a packet may be on its way there. ready: true on every CPU.
 */
DECLARE_STATIC_KEY_FALSE(mackeep_tag_known);
extern bool mackeep_tag_ready;

bool mackeep_tag_lifts(const struct net_device *br);
void mackeep_tag_hide(struct sk_buff *skb);
u16 mackeep_tag_device(struct net *net, u32 ifindex);
u32 mackeep_tag_find(const struct sk_buff *skb, const struct net_device *in);
int mackeep_tag_set(struct mackeep_net *mn, bool on);
void mackeep_tag_net_exit(struct mackeep_net *mn);

/* Of what came in by a device: that of its frame, if lift.c had it hidden. */
static inline u32 mackeep_tag_hidden(const struct sk_buff *skb,
				     const struct ethhdr *eth,
				     const struct net_device *in)
{
	if (likely(eth->h_proto == skb->protocol))
		return 0;
	return mackeep_tag_find(skb, in);
}

/* For what leaves by a bridge; it puts the tag into the frame where that is due. */
static inline void mackeep_tag_put(struct sk_buff *skb, u32 tag)
{
	if (unlikely(tag))
		__vlan_hwaccel_put_tag(skb, mackeep_tag_proto(tag), (u16)tag);
}

#endif /* _MACKEEP_TAG_H */
