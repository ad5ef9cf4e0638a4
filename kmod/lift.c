// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifting: a frame that a bridge would forward goes to the IP stack of this box
 * instead, as if it had been sent to the bridge, but with the h_dest it came
 * with. Two kinds of frames are lifted: those whose mark matches lift_mark, set
 * by a rule in the bridge's own tables, and, with no rule, those that belong to
 * a transparent socket, ICMP errors about its traffic and later fragments
 * included. How they get up is in passup.c.
 */
#include <linux/etherdevice.h>
#include <linux/netfilter_bridge.h>

#include "announce.h"
#include "bridge.h"
#include "compat.h"
#include "frag.h"
#include "lift.h"
#include "net.h"
#include "passup.h"
#include "service.h"
#include "sock.h"
#include "tag.h"

static __always_inline bool mackeep_lift_marked(const struct mackeep_net *mn,
						const struct sk_buff *skb)
{
	u32 mask = READ_ONCE(mn->lift_mask);

	/* In this order, as there is a mask as a rule. */
	return (skb->mark & mask) == READ_ONCE(mn->lift_mark) && mask;
}

/*
 * Whether a marked frame's service takes it, if there is one. Of a datagram in
 * pieces the first decides for those that come behind it. final: to be counted.
 */
static enum mackeep_lift_why
mackeep_lift_service(struct mackeep_net *mn, struct sk_buff *skb,
		     const struct net_device *in, enum mackeep_frag_part part,
		     struct mackeep_frag_datagram *key, bool final)
{
	struct mackeep_service *service = mackeep_service_find(mn, skb);
	u8 why = MACKEEP_SERVICE_MIDSTREAM;

	if (likely(!service))
		return MACKEEP_LIFT_MARK;
	/* Datagrams apart from those that are lifted */
	if (unlikely(service->rehearse))
		key->rehearse = 1;
	if (part != MACKEEP_FRAG_LATER)
		why = mackeep_service_ask(mn, service, skb, in);
	else if (mackeep_frag_recall(mn, key))
		why = MACKEEP_SERVICE_OPEN;
	if (unlikely(service->rehearse && why == MACKEEP_SERVICE_OPEN))
		why = MACKEEP_SERVICE_REHEARSED;
	if (final)
		mackeep_service_count(service, why);
	if (why == MACKEEP_SERVICE_OPEN)
		return MACKEEP_LIFT_MARK;
	if (unlikely(service->rehearse))
		return why == MACKEEP_SERVICE_REHEARSED ?
			       MACKEEP_LIFT_REHEARSED : MACKEEP_LIFT_NOT;
	return service->fail == MACKEEP_FAIL_CLOSED ? MACKEEP_LIFT_DROP :
						      MACKEEP_LIFT_NOT;
}

/*
 * Where VLANs have no device: whether another VLAN of this device has a client of
 * the same address. The proxy's connection to the server could not tell the two
 * apart, so the one that came first has the proxy, while its frames are seen.
 */
static bool mackeep_lift_twin(struct mackeep_net *mn, const struct sk_buff *skb,
			      const struct net_device *in, u32 vlan,
			      enum mackeep_lift_why why)
{
	struct mackeep_macs macs;

	if (likely(!mackeep_pair_elsewhere(mn, skb, in->ifindex, vlan,
					   why == MACKEEP_LIFT_MARK)))
		return false;
	/* Its flow may be older than the other one's. */
	return !mackeep_sock_record(mn, skb, &macs) || !macs.flags ||
	       macs.ifindex != in->ifindex ||
	       mackeep_tag_vlan(macs.tag) != vlan;
}

/* Where nothing may go past the proxy, the second one gets nowhere. */
static enum mackeep_lift_why
mackeep_lift_twin_way(struct mackeep_net *mn, const struct sk_buff *skb,
		      enum mackeep_lift_why why)
{
	const struct mackeep_service *service = NULL;

	if (why == MACKEEP_LIFT_MARK)
		service = mackeep_service_find(mn, skb);
	return service && service->fail == MACKEEP_FAIL_CLOSED ?
		       MACKEEP_LIFT_DROP : MACKEEP_LIFT_NOT;
}

/*
 * Whether a frame is for the proxy. Marks are the user's to set on what he
 * likes, but nothing else can be done with a frame that has no proper header.
 */
static enum mackeep_lift_why mackeep_lift_wanted(struct mackeep_net *mn,
						 struct sk_buff *skb,
						 const struct net_device *in,
						 u32 vlan, bool final)
{
	struct mackeep_frag_datagram key = {
		.ifindex = in ? in->ifindex : 0,
		.vlan = vlan,
	};
	enum mackeep_lift_why why;
	enum mackeep_frag_part part;

	part = mackeep_frag_parse(skb, &key);
	if (part == MACKEEP_FRAG_BAD)
		return MACKEEP_LIFT_NOT;

	if (mackeep_lift_marked(mn, skb))
		why = in ? mackeep_lift_service(mn, skb, in, part, &key, final) :
			   MACKEEP_LIFT_NOVLAN;
	else if (!in)
		why = MACKEEP_LIFT_NOT;
	else if (part == MACKEEP_FRAG_LATER)
		why = mackeep_frag_recall(mn, &key) ? MACKEEP_LIFT_FRAGMENT :
						      MACKEEP_LIFT_NOT;
	else
		why = mackeep_sock_find(mn, skb, in) ? MACKEEP_LIFT_SOCKET :
							 MACKEEP_LIFT_NOT;
	if (static_branch_unlikely(&mackeep_tag_used) &&
	    (why == MACKEEP_LIFT_MARK || why == MACKEEP_LIFT_SOCKET) &&
	    mackeep_lift_twin(mn, skb, in, vlan, why)) {
		if (final)
			MACKEEP_STAT_INC(mn, twin);
		why = mackeep_lift_twin_way(mn, skb, why);
	}
	if (part == MACKEEP_FRAG_FIRST && why >= MACKEEP_LIFT_REHEARSED)
		mackeep_frag_remember(mn, &key);
	return why;
}

/* Under rcu_read_lock(). Whether it is wanted; a frame of no socket is remembered. */
static enum mackeep_lift_why mackeep_lift_look(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       struct mackeep_passup_place *place,
					       u64 word, bool final)
{
	enum mackeep_lift_why why;

	place->in = mackeep_bridge_in(skb, place->br, place->port, &place->vid,
				      &place->tag);
	why = mackeep_lift_wanted(mn, skb, place->in,
				  mackeep_tag_vlan(place->tag), final);
	if (why == MACKEEP_LIFT_NOT && word)
		mackeep_sock_remember(mn, skb, word);
	return why;
}

/* A frame that would be lifted now; later fragments are of a flow that is known. */
static noinline unsigned int
mackeep_lift_rehearse(struct mackeep_net *mn, struct sk_buff *skb,
		      const struct net_device *in)
{
	const struct mackeep_service *service = mackeep_service_find(mn, skb);
	struct mackeep_frag_datagram key = {};

	if (service && service->rehearse &&
	    mackeep_frag_parse(skb, &key) != MACKEEP_FRAG_LATER)
		mackeep_service_rehearse(mn, service, skb, in);
	return NF_ACCEPT;
}

static noinline unsigned int mackeep_lift_try(struct mackeep_net *mn,
					      struct sk_buff *skb,
					      const struct net_device *port,
					      u64 word)
{
	struct mackeep_passup_place place = { .port = port };
	enum mackeep_passup_way way;
	enum mackeep_lift_why why;

	if (!word)
		mackeep_announce_bridged(mn, skb, port);
	place.br = netdev_master_upper_dev_get_rcu((struct net_device *)port);
	if (!place.br)
		return NF_ACCEPT;
	why = mackeep_lift_look(mn, skb, &place, word, true);
	if (why == MACKEEP_LIFT_NOT)
		return NF_ACCEPT;
	if (word)
		mackeep_sock_wanted(mn, word);
	if (why == MACKEEP_LIFT_DROP)
		return NF_DROP;
	if (why == MACKEEP_LIFT_NOVLAN) {
		MACKEEP_STAT_INC(mn, novlan);
		return NF_ACCEPT;
	}
	way = mackeep_passup_way(mn, skb, &place);
	if (way == MACKEEP_PASSUP_NOWAY)
		MACKEEP_STAT_INC(mn, nolift);
	if (way >= MACKEEP_PASSUP_NOWAY)
		return NF_ACCEPT;
	if (unlikely(why == MACKEEP_LIFT_REHEARSED))
		return mackeep_lift_rehearse(mn, skb, place.in);
	return mackeep_passup(mn, skb, &place, why, way);
}

/* Whether a marked frame goes past its service, as one like it did just now */
static bool mackeep_lift_past(struct mackeep_net *mn, const struct sk_buff *skb,
			      u64 *word)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct mackeep_service *service;
	u8 proto;

	if (!READ_ONCE(mn->services.count) ||
	    !(v6 || skb->protocol == htons(ETH_P_IP)) ||
	    !mackeep_sock_past(mn, skb, v6, word, &proto))
		return false;
	service = mackeep_service_of(&mn->services, skb->mark, proto);
	if (unlikely(!service || READ_ONCE(service->fail)))
		return false;
	mackeep_service_count(service, MACKEEP_SERVICE_MIDSTREAM);
	return true;
}

/*
 * A frame that is not lifted, but may say who has which MAC. What has IP behind
 * another header goes past every proxy: its kinds are counted.
 */
static noinline unsigned int mackeep_lift_hear(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       const struct net_device *port)
{
	switch (skb->protocol) {
	case htons(ETH_P_8021Q):
	case htons(ETH_P_8021AD):
		MACKEEP_STAT_INC(mn, qinq);
		break;
	case htons(ETH_P_PPP_SES):
		MACKEEP_STAT_INC(mn, pppoe);
		break;
	case htons(ETH_P_MPLS_UC):
		MACKEEP_STAT_INC(mn, mpls);
		break;
	default:
		mackeep_announce_bridged(mn, skb, port);
	}
	return NF_ACCEPT;
}

static noinline unsigned int mackeep_lift_mark(struct mackeep_net *mn,
					       struct sk_buff *skb,
					       const struct net_device *port)
{
	u64 word;

	if (mackeep_lift_past(mn, skb, &word))
		return NF_ACCEPT;
	return mackeep_lift_try(mn, skb, port, word);
}

/*
 * A frame that is not like one of this moment. This and the next one ask step by step,
 * as what is more to do needs registers that would have to be saved.
 */
static noinline unsigned int mackeep_lift_perhaps(struct mackeep_net *mn,
						  struct sk_buff *skb,
						  const struct net_device *port,
						  u64 hash, unsigned long moment)
{
	if (mackeep_sock_passes(mn, hash, moment))
		return NF_ACCEPT;
	return mackeep_lift_try(mn, skb, port,
				mackeep_sock_word(skb, hash, moment));
}

static noinline unsigned int mackeep_lift_new(struct mackeep_net *mn,
					      struct sk_buff *skb,
					      const struct net_device *port,
					      u64 hash, unsigned long moment)
{
	if (mackeep_sock_spent(mn, moment) && mackeep_await_none(mn, hash))
		return NF_ACCEPT;
	return mackeep_lift_perhaps(mn, skb, port, hash, moment);
}

/* Most frames are for no socket here, and this is all that is done to them. */
static __always_inline unsigned int
mackeep_lift_ip(struct mackeep_net *mn, struct sk_buff *skb,
		const struct net_device *port, bool v6)
{
	unsigned long moment = mackeep_sock_moment();
	u64 hash = mackeep_await_hash(skb, v6);

	if (unlikely(!hash))
		return mackeep_lift_try(mn, skb, port, 0);
	if (likely(mackeep_sock_passed(mn, mackeep_sock_word(skb, hash, moment))))
		return NF_ACCEPT;
	return mackeep_lift_new(mn, skb, port, hash, moment);
}

static noinline unsigned int mackeep_lift_ip6(struct mackeep_net *mn,
					      struct sk_buff *skb,
					      const struct net_device *port)
{
	return mackeep_lift_ip(mn, skb, port, true);
}

/* Under rcu_read_lock(), behind all other hooks, in any context. */
unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	struct mackeep_net *mn = priv;

	if (unlikely(skb->pkt_type != PACKET_OTHERHOST))
		return mackeep_lift_hear(mn, skb, state->in);
	if (unlikely(mackeep_lift_marked(mn, skb)))
		return mackeep_lift_mark(mn, skb, state->in);
	if (skb->protocol == htons(ETH_P_IP))
		return mackeep_lift_ip(mn, skb, state->in, false);
	if (skb->protocol == htons(ETH_P_IPV6))
		return mackeep_lift_ip6(mn, skb, state->in);
	return mackeep_lift_hear(mn, skb, state->in);
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
	struct mackeep_passup_place place;
	struct mackeep_net *mn = priv;
	struct net_device *port;
	unsigned long moment = mackeep_sock_moment();
	u64 hash, word = 0;

	if (likely(!info) || !info->in_prerouting || !info->pkt_otherhost)
		return NF_ACCEPT;
	if (!mackeep_lift_marked(mn, skb)) {
		hash = mackeep_await_hash(skb, state->pf == NFPROTO_IPV6);
		word = hash ? mackeep_sock_word(skb, hash, moment) : 0;
		if (hash && (mackeep_sock_passed(mn, word) ||
			     mackeep_sock_passes(mn, hash, moment)))
			return NF_ACCEPT;
	}
	port = dev_get_by_index_rcu(mn->net, nf_bridge_get_physinif(skb));
	place.port = port;
	place.br = port ? netdev_master_upper_dev_get_rcu(port) : NULL;
	if (!place.br ||
	    mackeep_lift_look(mn, skb, &place, word, false) <
		    MACKEEP_LIFT_MARK ||
	    mackeep_passup_way(mn, skb, &place) >= MACKEEP_PASSUP_NOWAY)
		return NF_ACCEPT;
	local_bh_disable();
	state->okfn(state->net, state->sk, skb);
	local_bh_enable();
	return NF_STOLEN;
#else
	return NF_ACCEPT;
#endif
}
