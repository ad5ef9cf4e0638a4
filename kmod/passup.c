// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a lifted frame gets up. There are two ways.
 *
 * Through the bridge: when all its filters have seen the frame, and just before it
 * looks where that is for, the frame is given the bridge's own address; where the
 * bridge passes it up, it gets back the one it came with. So the bridge learns the
 * source, asks its VLANs, STP and port flags, and counts, as for any other frame, and
 * one for an unknown station is not flooded.
 *
 * The frame carries its h_dest along itself, in its headroom. So it does not
 * matter who runs these hooks: softirq, a process that took the frame from an
 * NFQUEUE, or both on one CPU, one in the middle of the other.
 *
 * Straight: what a station sends goes to the bridge's device at once when a frame of
 * it has gone through the bridge by that port, within a second, and nothing has changed
 * since that the bridge tells of. The bridge could only do the same again: pass it up,
 * and note the time in its FDB. Whoever would see the frame on that way, or do something
 * to it there, gets it there: see mackeep_passup_seen(). Those who look at the bridge's
 * device see it in any case. Statistics are those of the bridge.
 */
#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>

#include "asked.h"
#include "bridge.h"
#include "compat.h"
#include "hash.h"
#include "learn.h"
#include "net.h"
#include "passup.h"
#include "stp.h"
#include "tag.h"

static u64 mackeep_passup_secret[3] __read_mostly;

#define MACKEEP_PASSUP_TIME	0xfffffULL	/* of a slot: second, and the answer */

/* The second, which a change of anything that answers depend on ends early */
static __always_inline u64 mackeep_passup_second(const struct mackeep_net *mn,
						 const u8 *mac)
{
	return (u64)jiffies / roundup_pow_of_two(HZ) + mackeep_genid(mn) +
	       mackeep_genid_turn(mn, mac);
}

/* Of a station, at or behind a port. Two bytes more are read than it has. */
static __always_inline u64 mackeep_passup_hash(const u8 *mac,
					       const struct net_device *port)
{
	const u64 *secret = mackeep_passup_secret;

	return mackeep_hash((get_unaligned((u64 *)mac) << 16) ^ secret[0],
			    port->ifindex ^ secret[1]);
}

/* --- which way ------------------------------------------------------------- */

static noinline enum mackeep_passup_way
mackeep_passup_ask(struct mackeep_net *mn, const struct sk_buff *skb,
		   const struct mackeep_passup_place *place)
{
	const struct net_device *to;
	struct netdev_phys_item_id id;

	mackeep_asked_note(mn, eth_hdr(skb)->h_dest);
	mackeep_asked_note(mn, place->br->dev_addr);
	to = mackeep_bridge_port(place->br, eth_hdr(skb)->h_dest, place->vid);
	if (!mackeep_bridge_carries(mn, place->br, place->port, to, place->vid))
		return MACKEEP_PASSUP_STAYS;
	if (mackeep_bridge_knows_itself(place->br, place->vid))
		return MACKEEP_PASSUP_OWN;
	/* As a broadcast it would be sent to ports of other hardware. */
	if (!MACKEEP_OFF_PORTS ||
	    !netif_get_port_parent_id((struct net_device *)place->port, &id,
				      false))
		return MACKEEP_PASSUP_NOWAY;
	return MACKEEP_PASSUP_BROADCAST;
}

/*
 * A slot remembers the answer for a station that is sent to from a port, until
 * the bridge tells of a change, or for a second. Which VLAN it is for is seen from
 * where it lies.
 */
enum mackeep_passup_way
mackeep_passup_way(struct mackeep_net *mn, const struct sk_buff *skb,
		   const struct mackeep_passup_place *place)
{
	const u8 *dest = eth_hdr(skb)->h_dest;
	u64 hash, second, word, known, *slot;
	enum mackeep_passup_way way;

	BUILD_BUG_ON(1 << MACKEEP_WAYS_BITS < VLAN_N_VID);

	hash = mackeep_passup_hash(dest, place->port);
	second = mackeep_passup_second(mn, dest) +
		 mackeep_genid_turn(mn, place->br->dev_addr);
	word = (hash & ~MACKEEP_PASSUP_TIME) |
	       (second * MACKEEP_PASSUP_WAYS & MACKEEP_PASSUP_TIME);
	slot = &mn->slots->ways[((hash >> (64 - MACKEEP_WAYS_BITS)) +
				 place->vid) %
				(1 << MACKEEP_WAYS_BITS)];
	known = READ_ONCE(*slot) ^ word;
	if (likely(known < MACKEEP_PASSUP_WAYS))
		return known;
	way = mackeep_passup_ask(mn, skb, place);
	WRITE_ONCE(*slot, word | way);
	return way;
}

/* --- up, whichever way ----------------------------------------------------- */

static void mackeep_passup_count(struct mackeep_net *mn,
				 enum mackeep_lift_why why)
{
	if (why == MACKEEP_LIFT_MARK)
		MACKEEP_STAT_INC(mn, lifted);
	else if (why == MACKEEP_LIFT_SOCKET)
		MACKEEP_STAT_INC(mn, lifted_sock);
	else
		MACKEEP_STAT_INC(mn, lifted_frag);
}

/* The frame is its device's, with the h_dest it came with. */
static void mackeep_passup_done(struct mackeep_net *mn, struct sk_buff *skb,
				const struct net_device *port,
				enum mackeep_lift_why why)
{
	skb->pkt_type = PACKET_HOST;
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	/* Or the IP tables would take it for seen. */
	skb_ext_del(skb, SKB_EXT_BRIDGE_NF);
#endif
	mackeep_passup_count(mn, why);
	mackeep_learn_lifted(mn, skb, port, why == MACKEEP_LIFT_SOCKET);
}

/* --- straight -------------------------------------------------------------- */

#ifdef HAVE_ndo_fill_forward_path

/*
 * Whether anybody but mackeep_passup_hook() looks at what the bridge passes up; one
 * with a route is br_netfilter's.
 */
static bool mackeep_passup_seen(const struct mackeep_net *mn,
				const struct sk_buff *skb)
{
	const struct nf_hook_entries *hooks;

	hooks = rcu_dereference(mn->net->nf.hooks_bridge[NF_BR_LOCAL_IN]);
	return !hooks || hooks->num_hook_entries != 1 || skb_dst(skb);
}

/* One that is not to learn whoever sends asks its FDB for each frame. */
static bool mackeep_passup_locked(const struct net_device *port)
{
#ifdef BR_PORT_LOCKED
	return br_port_flag_is_set(port, BR_PORT_LOCKED);
#else
	return false;
#endif
}

/*
 * Whether the bridge has learned the source at that port; if not, it does with this
 * frame. That changes its FDB when the source is new, which ends what is noted here,
 * and so the next frame goes the same way once more.
 */
static bool mackeep_passup_knows(struct mackeep_net *mn,
				 const struct sk_buff *skb,
				 const struct net_device *port)
{
	const u8 *source = eth_hdr(skb)->h_source;
	u64 hash, word, *slot;

	hash = mackeep_passup_hash(source, port);
	word = (hash & ~MACKEEP_PASSUP_TIME) |
	       (mackeep_passup_second(mn, source) & MACKEEP_PASSUP_TIME);
	slot = &mn->slots->sources[hash >> (64 - MACKEEP_SOURCES_BITS)];
	if (likely(READ_ONCE(*slot) == word))
		return true;
	if (mackeep_passup_locked(port))
		return false;
	mackeep_asked_note(mn, source);
	WRITE_ONCE(*slot, word);
	return false;
}

static bool mackeep_passup_straight(struct mackeep_net *mn, struct sk_buff *skb,
				    const struct mackeep_passup_place *place,
				    enum mackeep_lift_why why)
{
	/* With a VLAN of its own it is the bridge's to put the tag in or out. */
	if (place->in != place->br || place->vid || place->tag ||
	    mackeep_passup_seen(mn, skb) ||
	    !mackeep_stp_sure(&mn->stp, place->port) ||
	    !mackeep_passup_knows(mn, skb, place->port))
		return false;
	skb->dev = place->br;
	mackeep_passup_done(mn, skb, place->port, why);
	MACKEEP_STAT_INC(mn, straight);
	/* What left an NFQUEUE comes in process context. */
	local_bh_disable();
	dev_sw_netstats_rx_add(place->br, skb->len);
	netif_receive_skb(skb);
	local_bh_enable();
	return true;
}

#else

static bool mackeep_passup_straight(struct mackeep_net *mn, struct sk_buff *skb,
				    const struct mackeep_passup_place *place,
				    enum mackeep_lift_why why)
{
	return false;
}

#endif

/* --- through the bridge ---------------------------------------------------- */

/*
 * What a frame carries on its way up, at the very beginning of its buffer: XDP
 * leaves its metadata next to the frame, and nothing else looks there. The key
 * is of this frame and this load of the module, and only counts together with
 * the h_dest that was written.
 */
struct mackeep_passup_note {
	u64 key;
	u8 dest[ETH_ALEN];
	u8 why;
	bool tagged;			/* and its VLAN has no device */
};

static u64 mackeep_passup_key(const struct sk_buff *skb)
{
	return mackeep_passup_secret[2] ^ (uintptr_t)skb;
}

/* Packet sockets may share the buffer, and show the frame as it came in. */
static unsigned int mackeep_passup_bridge(struct mackeep_net *mn,
					  struct sk_buff *skb,
					  const struct mackeep_passup_place *place,
					  enum mackeep_lift_why why,
					  enum mackeep_passup_way way)
{
	struct mackeep_passup_note *note;
	struct ethhdr *eth;

	if (skb_cow_head(skb, skb->data - skb_mac_header(skb) +
			      sizeof(*note))) {
		MACKEEP_STAT_INC(mn, dropped);
		return NF_DROP;
	}
	eth = eth_hdr(skb);
	note = (struct mackeep_passup_note *)skb->head;
	note->key = mackeep_passup_key(skb);
	note->why = why;
	note->tagged = place->tag;
	ether_addr_copy(note->dest, eth->h_dest);
	if (likely(way == MACKEEP_PASSUP_OWN))
		ether_addr_copy(eth->h_dest, place->br->dev_addr);
	else
		eth_broadcast_addr(eth->h_dest);
	/* If the FDB forgets the bridge just now, the frame is lost. */
	mackeep_skb_off_ports(skb);
	return NF_ACCEPT;
}

/*
 * Under rcu_read_lock(), where a bridge passes up what is for itself. What is meant
 * for it is no PACKET_OTHERHOST.
 */
unsigned int mackeep_passup_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct mackeep_passup_note *note =
		(struct mackeep_passup_note *)skb->head;
	struct ethhdr *eth = eth_hdr(skb);

	if (skb->pkt_type != PACKET_OTHERHOST ||
	    (u8 *)eth < (u8 *)(note + 1) ||
	    note->key != mackeep_passup_key(skb) ||
	    !(ether_addr_equal(eth->h_dest, skb->dev->dev_addr) ||
	      is_broadcast_ether_addr(eth->h_dest)))
		return NF_ACCEPT;

	note->key = 0;
	ether_addr_copy(eth->h_dest, note->dest);
	mackeep_passup_done(priv, skb, state->in, note->why);
	/* The note is gone from here on. */
	if (unlikely(note->tagged))
		mackeep_tag_hide(skb);
	return NF_ACCEPT;
}

/* Under rcu_read_lock(). The verdict, for a frame that one of the first two ways is for. */
unsigned int mackeep_passup(struct mackeep_net *mn, struct sk_buff *skb,
			    const struct mackeep_passup_place *place,
			    enum mackeep_lift_why why,
			    enum mackeep_passup_way way)
{
	if (way == MACKEEP_PASSUP_OWN &&
	    mackeep_passup_straight(mn, skb, place, why))
		return NF_STOLEN;
	return mackeep_passup_bridge(mn, skb, place, why, way);
}

void mackeep_passup_init(void)
{
	get_random_bytes(mackeep_passup_secret, sizeof(mackeep_passup_secret));
}
