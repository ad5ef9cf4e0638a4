// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifting: a frame that a bridge would forward goes to the IP stack of this box
 * instead, as if it had been sent to the bridge, but with the h_dest it came
 * with. Two kinds of frames are lifted: those whose mark matches lift_mark, set
 * by a rule in the bridge's own tables, and, with no rule, those that belong to
 * a transparent socket, ICMP errors about its traffic and later fragments
 * included.
 *
 * The bridge itself does it. When all its filters have seen the frame, and just
 * before it looks where that is for, the frame is given the bridge's own
 * address; where the bridge passes it up, it gets back the one it came with. So
 * the bridge learns the source, asks its VLANs, STP and port flags, and counts,
 * as for any other frame, and one for an unknown station is not flooded.
 *
 * The frame carries its h_dest along itself, in its headroom. So it does not
 * matter who runs these hooks: softirq, a process that took the frame from an
 * NFQUEUE, or both on one CPU, one in the middle of the other.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/log2.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>
#include <net/inet_sock.h>
#include <net/l3mdev.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_socket.h>
#include <net/tcp.h>

#include "hash.h"
#include "mackeep.h"

static u64 mackeep_lift_secret[6] __read_mostly;

/*
 * Strangers: frames that are for no socket here. Most that cross a bridge are
 * not, and to look for one costs more than all that the bridge does to them. A
 * slot remembers what such a frame had in its headers, as a keyed hash, plus
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
	u64 port = (u64)(uintptr_t)skb->dev ^ skb_vlan_all(skb) ^ secret[1];
	u64 sum;

	*hash = 0;
	if (v6) {
		if (skb_headlen(skb) < sizeof(struct ipv6hdr) + 4 ||
		    (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
			return false;
		sum = mackeep_hash(get_unaligned((u64 *)(ip + 8)) ^ secret[0],
				   get_unaligned((u64 *)(ip + 16)) ^ port) +
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
				    (u64)ip[9] << 32) ^ port);
	}
	*hash = sum + jiffies / MACKEEP_LIFT_MOMENT + atomic_read(&mn->expected);
	return READ_ONCE(*mackeep_lift_slot(mn, *hash)) == *hash;
}

/* A packet of a new flow is about to leave in somebody else's name. */
void mackeep_lift_expect(struct mackeep_net *mn)
{
	atomic_inc(&mn->expected);
}

/*
 * Whether the flow of a frame is kept already. Which zone rules of iptables put
 * a frame into is not known here, so flows of other zones than the default one
 * are not found.
 */
static bool mackeep_lift_kept(const struct mackeep_net *mn,
			      const struct sk_buff *skb)
{
	u16 l3num = skb->protocol == htons(ETH_P_IPV6) ? NFPROTO_IPV6 :
							 NFPROTO_IPV4;
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conn *ct;
	bool kept;

	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), l3num, mn->net,
			       &tuple))
		return false;
	found = nf_conntrack_find_get(mn->net, &nf_ct_zone_dflt, &tuple);
	if (!found)
		return false;
	ct = nf_ct_tuplehash_to_ctrack(found);
	kept = !IS_ERR_OR_NULL(mackeep_record_find(ct));
	nf_ct_put(ct);
	return kept;
}

/*
 * Whether the frame is the socket's: one that has this peer, or, where it has
 * none, one of a flow that is kept. Proxies bind sockets to the server's or the
 * client's address to answer in its name, and others on the network go on
 * talking to that.
 */
static bool mackeep_lift_owns(const struct mackeep_net *mn,
			      const struct sock *sk, const struct sk_buff *skb)
{
	if (sk->sk_protocol == IPPROTO_TCP)
		return sk->sk_state != TCP_LISTEN;
	if (sk->sk_state == TCP_ESTABLISHED)
		return true;
	if (skb->protocol == htons(ETH_P_IPV6) ?
		    ipv6_addr_any(&sk->sk_v6_rcv_saddr) : !sk->sk_rcv_saddr)
		return false;
	return mackeep_lift_kept(mn, skb);
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

	ours = inet_sk_transparent(sk) && mackeep_lift_owns(mn, sk, skb);
	sock_gen_put(sk);
	return ours;
}

static __always_inline bool mackeep_lift_marked(const struct mackeep_net *mn,
						const struct sk_buff *skb)
{
	u32 mask = READ_ONCE(mn->lift_mask);

	/* In this order, as there is a mask as a rule. */
	return (skb->mark & mask) == READ_ONCE(mn->lift_mark) && mask;
}

/* Why a frame is lifted */
enum mackeep_lift_why {
	MACKEEP_LIFT_NOT,
	MACKEEP_LIFT_NOVLAN,		/* it should be, but has no VLAN device */
	MACKEEP_LIFT_MARK,
	MACKEEP_LIFT_SOCKET,
	MACKEEP_LIFT_FRAGMENT,
};

/*
 * Whether a frame is for the proxy. Marks are the user's to set on what he
 * likes, but nothing else can be done with a frame that has no proper header.
 */
static enum mackeep_lift_why mackeep_lift_wanted(struct mackeep_net *mn,
						 struct sk_buff *skb,
						 const struct net_device *in)
{
	struct mackeep_frag_datagram key = { .ifindex = in ? in->ifindex : 0 };
	enum mackeep_lift_why why;
	enum mackeep_frag_part part;

	part = mackeep_frag_parse(skb, &key);
	if (part == MACKEEP_FRAG_BAD)
		return MACKEEP_LIFT_NOT;

	if (mackeep_lift_marked(mn, skb))
		why = in ? MACKEEP_LIFT_MARK : MACKEEP_LIFT_NOVLAN;
	else if (!in)
		why = MACKEEP_LIFT_NOT;
	else if (part == MACKEEP_FRAG_LATER)
		why = mackeep_frag_recall(mn, &key) ? MACKEEP_LIFT_FRAGMENT :
						      MACKEEP_LIFT_NOT;
	else
		why = mackeep_lift_socket(mn, skb, in) ? MACKEEP_LIFT_SOCKET :
							 MACKEEP_LIFT_NOT;
	if (part == MACKEEP_FRAG_FIRST && why >= MACKEEP_LIFT_MARK)
		mackeep_frag_remember(mn, &key);
	return why;
}

/* Under rcu_read_lock(). Wanted, asked at most once a moment for strangers. */
static enum mackeep_lift_why mackeep_lift_look(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       struct net_device *br,
					       const struct net_device *port,
					       u64 hash, u16 *vid)
{
	enum mackeep_lift_why why;

	why = mackeep_lift_wanted(mn, skb,
				  mackeep_bridge_in(skb, br, port, vid));
	if (why == MACKEEP_LIFT_NOT && hash)
		WRITE_ONCE(*mackeep_lift_slot(mn, hash), hash);
	return why;
}

/* --- how it gets up -------------------------------------------------------- */

/* Which address makes the bridge pass a frame up, and to nobody else */
enum mackeep_lift_way {
	MACKEEP_LIFT_OWN,		/* its own */
	MACKEEP_LIFT_BROADCAST,		/* while its FDB does not know that */
	MACKEEP_LIFT_NOWAY,
	MACKEEP_LIFT_STAYS,		/* it would not carry the frame either */
	MACKEEP_LIFT_WAYS,		/* fits into the low bits of a slot */
};

static noinline enum mackeep_lift_way
mackeep_lift_ask(struct mackeep_net *mn, struct sk_buff *skb,
		 struct net_device *br, const struct net_device *port, u16 vid)
{
	const struct net_device *to;
	struct netdev_phys_item_id id;

	to = mackeep_bridge_port(br, eth_hdr(skb)->h_dest, vid);
	if (!mackeep_bridge_carries(mn, br, port, to, vid))
		return MACKEEP_LIFT_STAYS;
	if (mackeep_bridge_knows_itself(br, vid))
		return MACKEEP_LIFT_OWN;
	/* As a broadcast it would be sent to ports of other hardware. */
	if (!MACKEEP_OFF_PORTS ||
	    !netif_get_port_parent_id((struct net_device *)port, &id, false))
		return MACKEEP_LIFT_NOWAY;
	return MACKEEP_LIFT_BROADCAST;
}

#define MACKEEP_LIFT_TIME	0xfffffULL	/* of a slot: moment, and the answer */

/*
 * A slot remembers the answer for a station that is sent to from a port, until
 * the bridge tells of a change, or for a moment.
 */
static enum mackeep_lift_way
mackeep_lift_find_way(struct mackeep_net *mn, struct sk_buff *skb,
		      struct net_device *br, const struct net_device *port,
		      u16 vid)
{
	const u64 *secret = mackeep_lift_secret;
	u64 hash, moment, word, known, *slot;
	enum mackeep_lift_way way;

	hash = mackeep_hash((get_unaligned((u64 *)eth_hdr(skb)->h_dest) <<
			     16) ^ secret[0],
			    ((u64)port->ifindex << 16 | vid) ^ secret[1]);
	moment = (u64)jiffies / MACKEEP_LIFT_MOMENT + mackeep_net_now(mn);
	word = (hash & ~MACKEEP_LIFT_TIME) |
	       (moment * MACKEEP_LIFT_WAYS & MACKEEP_LIFT_TIME);
	slot = &mn->slots->ways[hash >> (64 - MACKEEP_SLOTS_BITS)];
	known = READ_ONCE(*slot) ^ word;
	if (likely(known < MACKEEP_LIFT_WAYS))
		return known;
	way = mackeep_lift_ask(mn, skb, br, port, vid);
	WRITE_ONCE(*slot, word | way);
	return way;
}

/*
 * What a frame carries on its way up, at the very beginning of its buffer: XDP
 * leaves its metadata next to the frame, and nothing else looks there. The key
 * is of this frame and this load of the module, and only counts together with
 * the h_dest that was written.
 */
struct mackeep_lift_note {
	u64 key;
	u8 dest[ETH_ALEN];
	u8 why;
};

static u64 mackeep_lift_key(const struct sk_buff *skb)
{
	return mackeep_lift_secret[5] ^ (uintptr_t)skb;
}

/* Others may have the frame's buffer, to show it as it came in. */
static unsigned int mackeep_lift_take(struct mackeep_net *mn,
				      struct sk_buff *skb,
				      const struct net_device *br,
				      enum mackeep_lift_why why,
				      enum mackeep_lift_way way)
{
	struct mackeep_lift_note *note;
	struct ethhdr *eth;

	if (skb_cow_head(skb, skb->data - skb_mac_header(skb) +
			      sizeof(*note))) {
		MACKEEP_STAT_INC(mn, dropped);
		return NF_DROP;
	}
	eth = eth_hdr(skb);
	note = (struct mackeep_lift_note *)skb->head;
	note->key = mackeep_lift_key(skb);
	note->why = why;
	ether_addr_copy(note->dest, eth->h_dest);
	if (likely(way == MACKEEP_LIFT_OWN))
		ether_addr_copy(eth->h_dest, br->dev_addr);
	else
		eth_broadcast_addr(eth->h_dest);
	/* If the FDB forgets the bridge just now, the frame is lost. */
	mackeep_skb_off_ports(skb);
	return NF_ACCEPT;
}

static noinline unsigned int mackeep_lift_try(struct mackeep_net *mn,
					      struct sk_buff *skb,
					      const struct net_device *port,
					      u64 hash)
{
	struct net_device *br;
	enum mackeep_lift_why why;
	enum mackeep_lift_way way;
	u16 vid;

	if (!hash)
		mackeep_announce_bridged(mn, skb, port);
	br = netdev_master_upper_dev_get_rcu((struct net_device *)port);
	if (!br)
		return NF_ACCEPT;
	why = mackeep_lift_look(mn, skb, br, port, hash, &vid);
	if (why == MACKEEP_LIFT_NOT)
		return NF_ACCEPT;
	if (why == MACKEEP_LIFT_NOVLAN) {
		MACKEEP_STAT_INC(mn, novlan);
		return NF_ACCEPT;
	}
	way = mackeep_lift_find_way(mn, skb, br, port, vid);
	if (way == MACKEEP_LIFT_NOWAY)
		MACKEEP_STAT_INC(mn, nolift);
	if (way >= MACKEEP_LIFT_NOWAY)
		return NF_ACCEPT;
	return mackeep_lift_take(mn, skb, br, why, way);
}

/* A frame that is not lifted, but may say who has which MAC */
static noinline unsigned int mackeep_lift_hear(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       const struct net_device *port)
{
	mackeep_announce_bridged(mn, skb, port);
	return NF_ACCEPT;
}

/*
 * Under rcu_read_lock(), behind all other hooks, in any context. Most frames
 * are strangers, and all that is done to them stands here.
 */
unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	struct mackeep_net *mn = priv;
	u64 hash = 0;

	if (unlikely(skb->pkt_type != PACKET_OTHERHOST))
		return mackeep_lift_hear(mn, skb, state->in);
	if (unlikely(mackeep_lift_marked(mn, skb)))
		return mackeep_lift_try(mn, skb, state->in, 0);
	if (skb->protocol == htons(ETH_P_IP)) {
		if (mackeep_lift_stranger(mn, skb, false, &hash))
			return NF_ACCEPT;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		if (mackeep_lift_stranger(mn, skb, true, &hash))
			return NF_ACCEPT;
	} else {
		return mackeep_lift_hear(mn, skb, state->in);
	}
	return mackeep_lift_try(mn, skb, state->in, hash);
}

/*
 * br_netfilter shows frames to the IP tables while they are still the bridge's,
 * and would have these leave out what comes up. So it is spared what will be
 * lifted, which the IP tables see once, with a socket found in time. Its own
 * hooks may run in process context, where the bridge does not expect softirqs.
 */
unsigned int mackeep_lift_spare(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	const struct nf_bridge_info *info = nf_bridge_info_get(skb);
	struct net_device *port, *br;
	struct mackeep_net *mn = priv;
	u64 hash = 0;
	u16 vid;

	if (likely(!info) || !info->in_prerouting || !info->pkt_otherhost)
		return NF_ACCEPT;
	if (!mackeep_lift_marked(mn, skb) &&
	    mackeep_lift_stranger(mn, skb, state->pf == NFPROTO_IPV6, &hash))
		return NF_ACCEPT;
	port = dev_get_by_index_rcu(mn->net, nf_bridge_get_physinif(skb));
	br = port ? netdev_master_upper_dev_get_rcu(port) : NULL;
	if (!br ||
	    mackeep_lift_look(mn, skb, br, port, hash, &vid) < MACKEEP_LIFT_MARK ||
	    mackeep_lift_find_way(mn, skb, br, port, vid) >= MACKEEP_LIFT_NOWAY)
		return NF_ACCEPT;
	local_bh_disable();
	state->okfn(state->net, state->sk, skb);
	local_bh_enable();
	return NF_STOLEN;
#else
	return NF_ACCEPT;
#endif
}

static void mackeep_lift_count(struct mackeep_net *mn,
			       enum mackeep_lift_why why)
{
	if (why == MACKEEP_LIFT_MARK)
		MACKEEP_STAT_INC(mn, lifted);
	else if (why == MACKEEP_LIFT_SOCKET)
		MACKEEP_STAT_INC(mn, lifted_sock);
	else
		MACKEEP_STAT_INC(mn, lifted_frag);
}

/*
 * As above, where a bridge passes up what is for itself. What is meant for it
 * is no PACKET_OTHERHOST.
 */
unsigned int mackeep_lift_up(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	struct mackeep_lift_note *note = (struct mackeep_lift_note *)skb->head;
	struct ethhdr *eth = eth_hdr(skb);

	if (skb->pkt_type != PACKET_OTHERHOST ||
	    (u8 *)eth < (u8 *)(note + 1) ||
	    note->key != mackeep_lift_key(skb) ||
	    !(ether_addr_equal(eth->h_dest, skb->dev->dev_addr) ||
	      is_broadcast_ether_addr(eth->h_dest)))
		return NF_ACCEPT;

	note->key = 0;
	ether_addr_copy(eth->h_dest, note->dest);
	skb->pkt_type = PACKET_HOST;
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	/* Or the IP tables would take it for seen. */
	skb_ext_del(skb, SKB_EXT_BRIDGE_NF);
#endif
	mackeep_lift_count(priv, note->why);
	mackeep_learn_lifted(priv, skb, state->in,
			     note->why == MACKEEP_LIFT_SOCKET);
	return NF_ACCEPT;
}

void mackeep_lift_init(void)
{
	get_random_bytes(mackeep_lift_secret, sizeof(mackeep_lift_secret));
	/* A factor has to be odd, or it loses bits. */
	mackeep_lift_secret[4] |= 1;
}
