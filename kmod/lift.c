// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifting: a frame that a bridge would forward goes to the IP stack of this box
 * instead, as if it had been sent to the bridge, but with the h_dest it came
 * with. Two kinds of frames are lifted: those whose mark matches lift_mark, set
 * by a rule in the bridge's own tables, and, with no rule, those that belong to
 * a transparent socket, ICMP errors about its traffic and later fragments
 * included.
 *
 * The bridge itself does it. Before it looks where a frame is for, the frame is
 * given the bridge's own address; where the bridge passes it up, it gets back
 * the one it came with. So the bridge learns the source, asks its VLANs and
 * counts as for any other frame, and one for an unknown station is not flooded.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/netfilter/nf_socket.h>
#include <net/tcp.h>

#include "hash.h"
#include "mackeep.h"

/*
 * The frame that the bridge is handling, and where it is for. Of this CPU, in
 * softirq only: it stays from one hook to the other, with nothing but the bridge
 * in between.
 */
struct mackeep_lift_frame {
	const struct sk_buff *skb;	/* only to compare */
	u8 dest[ETH_ALEN];
};

static DEFINE_PER_CPU(struct mackeep_lift_frame, mackeep_lift_frame);

static u64 mackeep_lift_secret[6] __read_mostly;

/*
 * Strangers: frames that are for no socket here. Most that cross a bridge are
 * not, and to look for one costs more than all that the bridge does to them. A
 * slot remembers what such a frame had in its headers, as a keyed hash, and
 * when that was, in one word that is read and written whole: others like it
 * pass for a moment. The first packet that leaves in somebody's name ends the
 * moment, so that what comes back is looked at; a socket that only waits gets
 * its frames a moment later.
 */
#define MACKEEP_LIFT_MOMENT	roundup_pow_of_two(HZ / 16)	/* jiffies */

static __always_inline u64 *mackeep_lift_slot(const struct mackeep_net *mn,
					      u64 hash)
{
	return &mn->slots->strangers[hash >> (64 - MACKEEP_SLOTS_BITS)];
}

/* Whether it is one; hash is what to remember it by, 0 for nothing. */
static __always_inline bool mackeep_lift_stranger(const struct mackeep_net *mn,
						  const struct sk_buff *skb,
						  bool v6, u64 *hash)
{
	const u64 *secret = mackeep_lift_secret;
	const u8 *ip = skb_network_header(skb);
	u64 sum, moment;

	*hash = 0;
	if (v6) {
		if (skb_headlen(skb) < sizeof(struct ipv6hdr) + 4 ||
		    (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
			return false;
		sum = mackeep_hash(get_unaligned((u64 *)(ip + 8)) ^ secret[0],
				   get_unaligned((u64 *)(ip + 16)) ^ secret[1]) +
		      mackeep_hash(get_unaligned((u64 *)(ip + 24)) ^ secret[2],
				   get_unaligned((u64 *)(ip + 32)) ^ secret[3]) +
		      (get_unaligned((u32 *)(ip + 40)) |
		       (u64)ip[6] << 32) * secret[4];
	} else {
		if (skb_headlen(skb) < sizeof(struct iphdr) + 4 ||
		    *ip != 0x45 || ip_is_fragment((struct iphdr *)ip))
			return false;
		sum = mackeep_hash(get_unaligned((u64 *)(ip + 12)) ^ secret[0],
				   (get_unaligned((u32 *)(ip + 20)) |
				    (u64)ip[9] << 32) ^ secret[1]);
	}
	sum += ((u64)(uintptr_t)skb->dev ^ skb_vlan_all(skb)) * secret[5];
	moment = jiffies / MACKEEP_LIFT_MOMENT + atomic_read(&mn->expected);
	*hash = (sum & ~0xfffffULL) | (moment & 0xfffff);
	return READ_ONCE(*mackeep_lift_slot(mn, *hash)) == *hash;
}

/* A packet of a new flow is about to leave in somebody else's name. */
void mackeep_lift_expect(struct mackeep_net *mn)
{
	atomic_inc(&mn->expected);
}

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

	WRITE_ONCE(mn->slots->frags[hash % ARRAY_SIZE(mn->slots->frags)],
		   (hash & ~0xffffULL) | mackeep_lift_now());
}

static bool mackeep_lift_recall(const struct mackeep_net *mn,
				const struct mackeep_lift_datagram *key)
{
	u64 hash = siphash(key, sizeof(*key), &mackeep_lift_key);
	u64 slot = READ_ONCE(mn->slots->frags[hash %
					      ARRAY_SIZE(mn->slots->frags)]);

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

static enum mackeep_lift_part
mackeep_lift_parse(struct sk_buff *skb, struct mackeep_lift_datagram *key)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return mackeep_lift_parse4(skb, key);
	case htons(ETH_P_IPV6):
		return mackeep_lift_parse6(skb, key);
	}
	return MACKEEP_LIFT_BAD;
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

static __always_inline bool mackeep_lift_marked(const struct mackeep_net *mn,
						const struct sk_buff *skb)
{
	u32 mask = READ_ONCE(mn->lift_mask);

	return mask && (skb->mark & mask) == READ_ONCE(mn->lift_mark);
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

	part = mackeep_lift_parse(skb, &key);
	if (part == MACKEEP_LIFT_BAD)
		return false;

	if (mackeep_lift_marked(mn, skb)) {
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

/*
 * The device it would come in by: the bridge or a VLAN device on it. NULL when
 * the bridge has no place for the frame's VLAN: it would not pass it up.
 */
static struct net_device *mackeep_lift_in(const struct sk_buff *skb,
					  struct net_device *br,
					  const struct net_device *port)
{
	u16 vid = skb_vlan_tag_present(skb) ? skb_vlan_tag_get_id(skb) : 0;
	__be16 proto = skb->vlan_proto;
	struct bridge_vlan_info info;
	u16 filtered;

	if (br_vlan_enabled(br)) {
		br_vlan_get_proto(br, &filtered);
		if (!vid || proto != htons(filtered)) {
			proto = htons(filtered);
			if (br_vlan_get_pvid_rcu(port, &vid))
				return NULL;
		}
		if (br_vlan_get_info_rcu(br, vid, &info) ||
		    !(info.flags & BRIDGE_VLAN_INFO_BRENTRY))
			return NULL;
		if (info.flags & BRIDGE_VLAN_INFO_UNTAGGED)
			return br;
	}
	return vid ? __vlan_find_dev_deep_rcu(br, proto, vid) : br;
}

/* Others may have the frame's buffer, to show it as it came in. */
static unsigned int mackeep_lift_take(struct mackeep_net *mn,
				      struct sk_buff *skb,
				      const struct net_device *br,
				      const struct nf_hook_state *state)
{
	struct mackeep_lift_frame *frame = this_cpu_ptr(&mackeep_lift_frame);

	if (skb_ensure_writable(skb, 0)) {
		MACKEEP_STAT_INC(mn, dropped);
		return NF_DROP;
	}
	frame->skb = skb;
	ether_addr_copy(frame->dest, eth_hdr(skb)->h_dest);
	ether_addr_copy(eth_hdr(skb)->h_dest, br->dev_addr);
	skb->pkt_type = PACKET_HOST;
	state->okfn(state->net, state->sk, skb);
	frame->skb = NULL;
	return NF_STOLEN;
}

static noinline unsigned int mackeep_lift_look(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       const struct nf_hook_state *state,
					       u64 hash)
{
	struct net_device *br = netdev_master_upper_dev_get_rcu(state->in);

	if (!br)
		return NF_ACCEPT;
	if (mackeep_lift_wanted(mn, skb, mackeep_lift_in(skb, br, state->in)))
		return mackeep_lift_take(mn, skb, br, state);
	if (hash)
		WRITE_ONCE(*mackeep_lift_slot(mn, hash), hash);
	return NF_ACCEPT;
}

/*
 * Under rcu_read_lock(), in softirq, with the marks of the bridge's tables and
 * before br_netfilter: the IP tables see what is lifted afterwards, and once.
 */
unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	struct mackeep_net *mn = priv;
	u64 hash = 0;

	if (skb->pkt_type != PACKET_OTHERHOST)
		return NF_ACCEPT;
	if (likely(!mackeep_lift_marked(mn, skb))) {
		if (skb->protocol == htons(ETH_P_IP)) {
			if (mackeep_lift_stranger(mn, skb, false, &hash))
				return NF_ACCEPT;
		} else if (skb->protocol == htons(ETH_P_IPV6)) {
			if (mackeep_lift_stranger(mn, skb, true, &hash))
				return NF_ACCEPT;
		} else {
			return NF_ACCEPT;
		}
	}
	return mackeep_lift_look(mn, skb, state, hash);
}

/* Likewise, where a bridge passes up what is for itself. */
unsigned int mackeep_lift_up(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	struct mackeep_lift_frame *frame = this_cpu_ptr(&mackeep_lift_frame);

	if (frame->skb != skb)
		return NF_ACCEPT;
	frame->skb = NULL;
	ether_addr_copy(eth_hdr(skb)->h_dest, frame->dest);
	return NF_ACCEPT;
}

void mackeep_lift_init(void)
{
	get_random_bytes(&mackeep_lift_key, sizeof(mackeep_lift_key));
	get_random_bytes(mackeep_lift_secret, sizeof(mackeep_lift_secret));
	/* A factor has to be odd, or it loses bits. */
	mackeep_lift_secret[4] |= 1;
	mackeep_lift_secret[5] |= 1;
}
