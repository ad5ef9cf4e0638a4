// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifting: a frame that the bridge is about to forward goes to the IP stack of
 * this box instead, as if it had been sent to the bridge, but with the h_dest
 * it came with. Two kinds of frames are lifted: those whose mark matches
 * lift_mark, set by a rule in the bridge's own tables, and, with no rule,
 * those that belong to a transparent socket, ICMP errors about its traffic
 * and later fragments included.
 *
 * It is done at FORWARD since the bridge has learned the source by then. A
 * frame for an unknown destination comes to FORWARD as one copy per port. All
 * come in a row on one CPU, between two frames at PRE_ROUTING, and share the
 * buffer of the frame: the first is lifted, the rest are dropped.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/netfilter/nf_socket.h>
#include <net/tcp.h>

#include "mackeep.h"

/*
 * What PRE_ROUTING saw of the frame now on its way through the bridge, and
 * what FORWARD did with it. Of this CPU, written in softirq only.
 */
struct mackeep_lift_frame {
	const void *lifted;		/* its buffer, once it is lifted */
	struct net_device *in;
	__be16 vlan_proto;		/* its tag as it came in; 0 for none */
	u16 vlan_tci;
};

static DEFINE_PER_CPU(struct mackeep_lift_frame, mackeep_lift_frame);

/*
 * Fragments. Only the first of a datagram has ports, so only that one is marked
 * or found to belong to a socket; the others follow it. A slot remembers one
 * datagram as a hash of what its fragments have in common and the second it
 * was seen in, in one word that is read and written whole.
 */
static siphash_aligned_key_t mackeep_lift_key __read_mostly;

struct mackeep_lift_datagram {
	union nf_inet_addr saddr, daddr;
	u32 id;
	u32 ifindex;			/* the device it comes in by */
	u32 protocol;
	u32 pad;
};

#define MACKEEP_LIFT_SECONDS	30	/* as long as a host waits for the rest */

static u64 mackeep_lift_now(void)
{
	return (u32)ktime_get_seconds() & 0xffff;
}

static void mackeep_lift_remember(struct mackeep_net *mn,
				  const struct mackeep_lift_datagram *key)
{
	u64 hash = siphash(key, sizeof(*key), &mackeep_lift_key);

	WRITE_ONCE(mn->frags[hash % MACKEEP_LIFT_SLOTS],
		   (hash & ~0xffffULL) | mackeep_lift_now());
}

static bool mackeep_lift_recall(const struct mackeep_net *mn,
				const struct mackeep_lift_datagram *key)
{
	u64 hash = siphash(key, sizeof(*key), &mackeep_lift_key);
	u64 slot = READ_ONCE(mn->frags[hash % MACKEEP_LIFT_SLOTS]);

	return slot >> 16 == hash >> 16 &&
	       ((mackeep_lift_now() - slot) & 0xffff) < MACKEEP_LIFT_SECONDS;
}

enum mackeep_lift_part {
	MACKEEP_LIFT_BAD,		/* no proper header */
	MACKEEP_LIFT_WHOLE,
	MACKEEP_LIFT_FIRST,		/* fragment with the ports */
	MACKEEP_LIFT_LATER,		/* without */
};

static enum mackeep_lift_part
mackeep_lift_parse4(struct sk_buff *skb, struct mackeep_lift_datagram *key)
{
	const struct iphdr *iph;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return MACKEEP_LIFT_BAD;
	iph = ip_hdr(skb);
	if (iph->version != 4 || iph->ihl < 5 ||
	    !pskb_may_pull(skb, iph->ihl * 4))
		return MACKEEP_LIFT_BAD;
	iph = ip_hdr(skb);
	if (likely(!ip_is_fragment(iph)))
		return MACKEEP_LIFT_WHOLE;

	key->saddr.ip = iph->saddr;
	key->daddr.ip = iph->daddr;
	key->id = (__force u16)iph->id;
	key->protocol = iph->protocol;
	return iph->frag_off & htons(IP_OFFSET) ? MACKEEP_LIFT_LATER :
						  MACKEEP_LIFT_FIRST;
}

static enum mackeep_lift_part
mackeep_lift_parse6(struct sk_buff *skb, struct mackeep_lift_datagram *key)
{
	const struct ipv6hdr *ip6h;
	struct frag_hdr *fh, _fh;
	unsigned int offset = 0;

	if (!pskb_may_pull(skb, sizeof(*ip6h)) || ipv6_hdr(skb)->version != 6)
		return MACKEEP_LIFT_BAD;
	if (ipv6_find_hdr(skb, &offset, NEXTHDR_FRAGMENT, NULL, NULL) < 0)
		return MACKEEP_LIFT_WHOLE;
	fh = skb_header_pointer(skb, offset, sizeof(_fh), &_fh);
	if (!fh)
		return MACKEEP_LIFT_BAD;

	ip6h = ipv6_hdr(skb);
	key->saddr.in6 = ip6h->saddr;
	key->daddr.in6 = ip6h->daddr;
	key->id = (__force u32)fh->identification;
	return fh->frag_off & htons(IP6_OFFSET) ? MACKEEP_LIFT_LATER :
						  MACKEEP_LIFT_FIRST;
}

/*
 * Whose address it is: a socket of the flow itself, or one bound to the
 * address the frame is for. Not a listener on any address, or every frame to
 * its port would be taken.
 */
static bool mackeep_lift_bound(const struct sock *sk, bool v6)
{
	if (sk->sk_state == TCP_LISTEN && sk->sk_protocol == IPPROTO_TCP)
		return false;
	if (v6)
		return !ipv6_addr_any(&sk->sk_v6_rcv_saddr);
	return sk->sk_rcv_saddr;
}

/* in: the device it would come in by. */
static bool mackeep_lift_socket(const struct mackeep_net *mn,
				const struct sk_buff *skb,
				const struct net_device *in)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct sock *sk;
	bool ours;

	sk = v6 ? nf_sk_lookup_slow_v6(mn->net, skb, in) :
		  nf_sk_lookup_slow_v4(mn->net, skb, in);
	if (!sk) {
		if (!netif_is_l3_slave(in))
			return false;
		/* In a VRF sockets are bound to that. */
		in = l3mdev_master_dev_rcu(in);
		return in && mackeep_lift_socket(mn, skb, in);
	}

	ours = inet_sk_transparent(sk) && mackeep_lift_bound(sk, v6);
	sock_gen_put(sk);
	return ours;
}

static bool mackeep_lift_marked(const struct mackeep_net *mn,
				const struct sk_buff *skb)
{
	u32 mask = READ_ONCE(mn->lift_mask);

	return mask && (skb->mark & mask) == READ_ONCE(mn->lift_mark);
}

/* br_netfilter has run the IP tables already: TPROXY has found its socket. */
static bool mackeep_lift_assigned(const struct sk_buff *skb)
{
	return unlikely(skb->sk) && inet_sk_transparent(skb->sk);
}

/*
 * Whether a frame is for the proxy; it is counted by the reason. Marks are the
 * user's to set on what he likes, but nothing else can be done with a frame
 * that has no proper header.
 */
static bool mackeep_lift_wanted(struct mackeep_net *mn, struct sk_buff *skb,
				const struct net_device *in)
{
	struct mackeep_lift_datagram key = { .ifindex = in ? in->ifindex : 0 };
	enum mackeep_lift_part part;

	part = skb->protocol == htons(ETH_P_IPV6) ?
	       mackeep_lift_parse6(skb, &key) : mackeep_lift_parse4(skb, &key);
	if (part == MACKEEP_LIFT_BAD)
		return false;

	if (mackeep_lift_marked(mn, skb) || mackeep_lift_assigned(skb)) {
		if (!in) {
			MACKEEP_STAT_INC(mn, novlan);
			return false;
		}
		MACKEEP_STAT_INC(mn, lifted);
	} else if (!in) {
		return false;
	} else if (part == MACKEEP_LIFT_LATER) {
		if (!mackeep_lift_recall(mn, &key))
			return false;
		MACKEEP_STAT_INC(mn, lifted_frag);
	} else if (mackeep_lift_socket(mn, skb, in)) {
		MACKEEP_STAT_INC(mn, lifted_sock);
	} else {
		return false;
	}
	if (part == MACKEEP_LIFT_FIRST)
		mackeep_lift_remember(mn, &key);
	return true;
}

/* The tag that a frame would have on the bridge device itself; no vid: none. */
struct mackeep_lift_tag {
	__be16 proto;
	u16 vid;
};

/*
 * The device it would come in by: the bridge or a VLAN device on it. NULL when
 * the bridge has no place for the frame's VLAN: the stack would only drop it.
 */
static struct net_device *mackeep_lift_in(const struct sk_buff *skb,
					  struct net_device *br,
					  struct mackeep_lift_tag *tag)
{
	const struct mackeep_lift_frame *frame =
		this_cpu_ptr(&mackeep_lift_frame);
	struct bridge_vlan_info info;

	tag->vid = skb_vlan_tag_present(skb) ? skb_vlan_tag_get_id(skb) : 0;
	tag->proto = skb->vlan_proto;
	if (br_vlan_enabled(br)) {
		/* The tag is already as the port wants it that it was for. */
		tag->proto = frame->vlan_proto ?: htons(ETH_P_8021Q);
		tag->vid = frame->vlan_proto ? frame->vlan_tci & VLAN_VID_MASK :
					       0;
		if (!tag->vid && br_vlan_get_pvid_rcu(frame->in, &tag->vid))
			return NULL;
		if (br_vlan_get_info_rcu(br, tag->vid, &info))
			return NULL;
		if (info.flags & BRIDGE_VLAN_INFO_UNTAGGED)
			tag->vid = 0;
	}
	return tag->vid ? __vlan_find_dev_deep_rcu(br, tag->proto, tag->vid) :
			  br;
}

/*
 * br_netfilter is about to show the frame to the IP tables, which see what is
 * lifted afterwards: such a frame goes past it. Not one whose socket would be
 * found: what TPROXY and DIVERT do to that is not lost on the way.
 */
static bool mackeep_lift_past(struct mackeep_net *mn, struct sk_buff *skb,
			      const struct net_device *in)
{
	struct mackeep_lift_datagram key = { .ifindex = in->ifindex };
	enum mackeep_lift_part part;

	part = skb->protocol == htons(ETH_P_IPV6) ?
	       mackeep_lift_parse6(skb, &key) : mackeep_lift_parse4(skb, &key);
	return part != MACKEEP_LIFT_BAD &&
	       (mackeep_lift_marked(mn, skb) ||
		(part == MACKEEP_LIFT_LATER && mackeep_lift_recall(mn, &key)));
}

static bool mackeep_lift_proto(const struct sk_buff *skb)
{
	return (skb->protocol == htons(ETH_P_IP) ||
		skb->protocol == htons(ETH_P_IPV6)) &&
	       !is_multicast_ether_addr(eth_hdr(skb)->h_dest);
}

/* Under rcu_read_lock(), in softirq, with the marks of the bridge's tables. */
unsigned int mackeep_lift_begin(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	struct mackeep_lift_frame *frame = this_cpu_ptr(&mackeep_lift_frame);
	struct mackeep_lift_tag tag;
	struct net_device *br, *in;

	frame->lifted = NULL;
	frame->in = state->in;
	frame->vlan_proto = skb_vlan_tag_present(skb) ? skb->vlan_proto : 0;
	frame->vlan_tci = skb->vlan_tci;

	if (likely(!rcu_access_pointer(nf_br_ops)) || !mackeep_lift_proto(skb))
		return NF_ACCEPT;
	br = netdev_master_upper_dev_get_rcu(frame->in);
	in = br ? mackeep_lift_in(skb, br, &tag) : NULL;
	if (!in || !mackeep_lift_past(priv, skb, in))
		return NF_ACCEPT;
	state->okfn(state->net, state->sk, skb);
	return NF_STOLEN;
}

/* Under rcu_read_lock(), in softirq. */
unsigned int mackeep_lift_forward(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct mackeep_net *mn = priv;
	const void *buffer = skb->head;
	struct mackeep_lift_tag tag;
	struct net_device *br, *in;

	if (!mackeep_lift_proto(skb))
		return NF_ACCEPT;

	if (__this_cpu_read(mackeep_lift_frame.lifted) == buffer) {
		MACKEEP_STAT_INC(mn, lifted_copy);
		return NF_DROP;
	}

	br = netdev_master_upper_dev_get_rcu(state->in);
	if (!br)
		return NF_ACCEPT;
	in = mackeep_lift_in(skb, br, &tag);
	if (!mackeep_lift_wanted(mn, skb, in))
		return NF_ACCEPT;

	if (!tag.vid)
		__vlan_hwaccel_clear_tag(skb);
	else if (!skb_vlan_tag_present(skb))
		__vlan_hwaccel_put_tag(skb, tag.proto, tag.vid);
	__this_cpu_write(mackeep_lift_frame.lifted, buffer);

	skb->dev = br;
	skb->pkt_type = PACKET_HOST;
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
#endif
	/* br_netfilter gave it one that nothing can be received by. */
	skb_dst_drop(skb);
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	/*
	 * It ran the IP tables as well and keeps them from running again. Only
	 * the socket that they found is dropped on the way up: let them look
	 * for it once more.
	 */
	if (skb->sk)
		skb_ext_del(skb, SKB_EXT_BRIDGE_NF);
#endif
	dev_sw_netstats_rx_add(br, skb->len);
	netif_receive_skb(skb);
	return NF_STOLEN;
}

void mackeep_lift_init(void)
{
	get_random_bytes(&mackeep_lift_key, sizeof(mackeep_lift_key));
}
