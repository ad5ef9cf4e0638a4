// SPDX-License-Identifier: GPL-2.0-only
/*
 * What came in: the MACs of a frame go into the flow's record and, by its
 * addresses, into the pair cache.
 */
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/netfilter/nf_conntrack_l4proto.h>

#include <linux/mackeep.h>

#include "hash.h"
#include "learn.h"
#include "move.h"
#include "net.h"
#include "pair.h"
#include "record.h"
#include "router.h"
#include "station.h"
#include "tag.h"

static u64 mackeep_learn_secret[6] __read_mostly;

/*
 * The MACs of the frame the packet came in.
 *
 * What comes in by a bridge port itself was taken off the bridge by broute, and
 * has to leave by the bridge. If redirect did it, the frame's h_dest was
 * overwritten with the MAC of the port, which nobody sends to: then the source
 * alone is known, and output.c finds the other end where it can.
 */
static bool mackeep_learn_macs(const struct sk_buff *skb,
			       const struct net_device *in,
			       struct mackeep_macs *macs)
{
	const struct net_device *br = NULL;
	const struct ethhdr *eth;

	if (in->type != ARPHRD_ETHER || !skb_mac_header_was_set(skb) ||
	    skb_mac_header(skb) < skb->head ||
	    skb_mac_header(skb) + ETH_HLEN > skb->data)
		return false;

	eth = eth_hdr(skb);
	if (!is_valid_ether_addr(eth->h_source) ||
	    !is_valid_ether_addr(eth->h_dest))
		return false;

	ether_addr_copy(macs->src, eth->h_source);
	ether_addr_copy(macs->dst, eth->h_dest);
	macs->ifindex = in->ifindex;
	macs->tag = mackeep_tag_hidden(skb, eth, in);
	macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
	if (unlikely(netif_is_bridge_port(in)))
		br = netdev_master_upper_dev_get_rcu((struct net_device *)in);
	if (br) {
		macs->ifindex = br->ifindex;
		if (ether_addr_equal(macs->dst, in->dev_addr)) {
			eth_zero_addr(macs->dst);
			macs->flags = MACKEEP_INFO_SRC;
		}
	}
	macs->via = MACKEEP_VIA_LEARNED;
	macs->checked = 0;
	return true;
}

static bool mackeep_learn_same(const struct mackeep_macs *a,
			       const struct mackeep_macs *b)
{
	return a->flags == b->flags && a->ifindex == b->ifindex &&
	       ether_addr_equal(a->src, b->src) &&
	       ether_addr_equal(a->dst, b->dst) &&
	       a->policy == b->policy && a->ruled == b->ruled &&
	       a->tag == b->tag;
}

/*
 * The stamp says when the flow last refreshed its pair entries, in steps of 8 s,
 * and whether it had seen an answer by then. While neither changes, a packet
 * touches nothing but its own record. 30 bits do not wrap while a flow can be idle.
 */
static u32 mackeep_learn_stamp(bool proven)
{
	return (((u32)(jiffies / (8 * HZ)) << 1) | proven) &
	       ~MACKEEP_RECORD_AWAITED_MASK;
}

/* Why the flow has no record. */
static void mackeep_learn_count(struct mackeep_net *mn, int err)
{
	switch (err) {
	case -EBUSY:
		MACKEEP_STAT_INC(mn, helper);
		break;
	case -ETIME:
		MACKEEP_STAT_INC(mn, late);
		break;
	default:
		MACKEEP_STAT_INC(mn, nomem);
	}
}

/* How far behind its window conntrack takes a segment for a late one */
#define MACKEEP_LEARN_OVERDUE	66000

/*
 * Whether only the flow's own end can have sent this frame, as far as the numbers
 * of TCP tell; the flow has seen an answer. conntrack is less strict. It accepts a
 * SYN at any time, an RST in answer to anything, and a segment that is far behind
 * the window. It drops what is ahead of the window, unless told to be liberal.
 */
static bool mackeep_learn_proves(const struct sk_buff *skb,
				 const struct nf_conn *ct)
{
	const struct ip_ct_tcp_state *from =
		&ct->proto.tcp.seen[IP_CT_DIR_ORIGINAL];
	const struct ip_ct_tcp_state *to =
		&ct->proto.tcp.seen[IP_CT_DIR_REPLY];
	const struct tcphdr *th;
	struct tcphdr _th;
	int at = skb_network_offset(skb);
	__be16 frag_off;
	u8 nexthdr;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return true;
	if (nf_ct_l3num(ct) == NFPROTO_IPV6) {
		nexthdr = ipv6_hdr(skb)->nexthdr;
		at = ipv6_skip_exthdr(skb, at + sizeof(struct ipv6hdr),
				      &nexthdr, &frag_off);
	} else {
		at += ip_hdrlen(skb);
	}
	th = at < 0 ? NULL : skb_header_pointer(skb, at, sizeof(_th), &_th);
	if (!th || th->syn || th->rst)
		return false;
	if (from->flags & IP_CT_TCP_FLAG_BE_LIBERAL ||
	    READ_ONCE(nf_tcp_pernet(nf_ct_net(ct))->tcp_be_liberal))
		return true;
	return th->ack &&
	       after(ntohl(th->seq), READ_ONCE(from->td_end) -
				     READ_ONCE(to->td_maxwin) -
				     MACKEEP_LEARN_OVERDUE) &&
	       after(ntohl(th->ack_seq), READ_ONCE(to->td_end) -
					 READ_ONCE(from->td_maxwin) -
					 MACKEEP_LEARN_OVERDUE);
}

/* Sent to a router that has another MAC by now, or is another one */
static void mackeep_learn_late(struct mackeep_net *mn, const struct nf_conn *ct,
			       struct mackeep_macs *now)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;

	mackeep_move_late(mn, mackeep_macs_segment(now), nf_ct_l3num(ct),
			  &tuple->dst.u3, now->dst);
}

static void mackeep_learn_pair(struct mackeep_net *mn,
			       const struct mackeep_pair_key *key,
			       const struct mackeep_macs *macs,
			       struct mackeep_pair_proof *proof)
{
	if (macs->flags & MACKEEP_INFO_DST)
		proof->router = mackeep_router_seen(mn, key,
						    mackeep_tag_vlan(macs->tag),
						    macs->dst, proof->proven);
	mackeep_pair_learn(mn, key, macs, proof);
}

/* A frame of the ORIGINAL direction: its MACs are the flow's. */
static void mackeep_learn_frame(struct mackeep_net *mn,
				const struct sk_buff *skb, struct nf_conn *ct,
				bool proven, const struct net_device *in,
				const struct mackeep_policy *policy, bool ruled)
{
	bool fixed = policy->flags & XT_MACKEEP_REFRESH_FIRST;
	u64 date = mackeep_genid_date(mn);
	struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_macs now, old;
	struct mackeep_pair_key key;
	struct mackeep_pair_proof proof = {
		.weak = nf_ct_protonum(ct) != IPPROTO_TCP,
		.fixed = fixed,
	};
	u32 ifindex, stamp;

	/* A packet comes a second time as from its VRF. */
	if (unlikely(netif_is_l3_master(in)))
		return;
	if (!mackeep_learn_macs(skb, in, &now)) {
		MACKEEP_STAT_INC(mn, noether);
		return;
	}
	ifindex = now.ifindex;
	now.policy = policy->id;
	now.checked = date;

	if (!rec)
		rec = mackeep_record_attach(ct);
	if (IS_ERR(rec)) {
		if (PTR_ERR(rec) == -EPROTONOSUPPORT) {
			MACKEEP_STAT_INC(mn, proto);
			return;
		}
		mackeep_learn_count(mn, PTR_ERR(rec));
		rec = NULL;
	}

	now.ruled = ruled;

	if (rec) {
		stamp = mackeep_learn_stamp(proven);
		mackeep_record_read(ct, rec, &old);
		if (fixed && old.flags && old.via == MACKEEP_VIA_LEARNED) {
			now = old;
			now.policy = policy->id;
			now.ruled = ruled;
		} else if (now.flags & MACKEEP_INFO_DST &&
			   !ether_addr_equal(now.dst, old.dst)) {
			mackeep_learn_late(mn, ct, &now);
		}
		/* What output.c found instead of an h_dest that is not shown */
		if (!(now.flags & MACKEEP_INFO_DST) &&
		    old.flags & MACKEEP_INFO_DST &&
		    ether_addr_equal(now.src, old.src)) {
			ether_addr_copy(now.dst, old.dst);
			now.flags |= MACKEEP_INFO_DST;
		}
		if (old.flags && !(ether_addr_equal(now.src, old.src) &&
				   ether_addr_equal(now.dst, old.dst))) {
			if (proven && !mackeep_learn_proves(skb, ct)) {
				MACKEEP_STAT_INC(mn, invalid);
				return;
			}
			if (proven && old.via == MACKEEP_VIA_LEARNED)
				proof.old = &old;
		}
		if (!mackeep_learn_same(&now, &old)) {
			mackeep_record_write(ct, rec, &now);
			if (old.flags)
				MACKEEP_STAT_INC(mn, refreshed);
			else
				MACKEEP_STAT_INC(mn, saved);
		} else if (mackeep_record_stamp(rec) == stamp) {
			return;
		}
		mackeep_record_set_stamp(rec, stamp);
	}

	/*
	 * Sent to this box itself, as to a router: nothing that the upstream
	 * leg could use, since it would come straight back.
	 */
	if (ether_addr_equal(now.dst, in->dev_addr))
		return;

	proof.proven = proven && mackeep_learn_proves(skb, ct);
	mackeep_pair_key_ct(&key, ct, ifindex);
	mackeep_learn_pair(mn, &key, &now, &proof);
}

/*
 * An answer to a flow of the box's own, which has no pair: whether it comes from where
 * the flow sends to. The stamp of such a flow says that answers did.
 */
static noinline void mackeep_learn_own(struct mackeep_net *mn,
				       const struct sk_buff *skb,
				       const struct nf_conn *ct,
				       struct mackeep_record *rec,
				       const struct net_device *in)
{
	struct mackeep_macs now, macs;

	mackeep_record_read(ct, rec, &macs);
	if (!mackeep_macs_owned(&macs) || netif_is_l3_master(in) ||
	    !mackeep_learn_macs(skb, in, &now) || now.ifindex != macs.ifindex)
		return;
	mackeep_move_back(mn, mackeep_macs_segment(&now), now.src);
	if (ether_addr_equal(now.src, macs.dst)) {
		if (!mackeep_record_stamp(rec))
			mackeep_record_set_stamp(rec, 1);
	} else if (mackeep_record_stamp(rec)) {
		mackeep_move_suspect(mn, mackeep_macs_segment(&now), macs.dst,
				     now.src);
	}
}

/*
 * For flows that a rule of nftables gave the helper: PRE_ROUTING, in
 * namespaces where the sysctl mackeep_hooks is set.
 */
unsigned int mackeep_learn_hook(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct mackeep_policy *policy;
	const struct mackeep_record *rec;
	struct mackeep_net *mn = priv;
	enum ip_conntrack_info ctinfo;
	struct mackeep_macs macs;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec))
		return NF_ACCEPT;

	/* A MACKEEP rule may be there as well, and its options stay. */
	mackeep_record_read(ct, rec, &macs);
	if (macs.ruled)
		policy = mackeep_policy_find(&mn->policies, macs.policy) ?:
			 &mn->policies.none;
	else
		policy = mackeep_policy_unruled(&mn->policies);
	mackeep_learn(mn, skb, ct, ctinfo, state->in, policy, macs.ruled);
	return NF_ACCEPT;
}

/* Under rcu_read_lock(), at PRE_ROUTING behind conntrack. */
void mackeep_learn(struct mackeep_net *mn, const struct sk_buff *skb,
		   struct nf_conn *ct, enum ip_conntrack_info ctinfo,
		   const struct net_device *in,
		   const struct mackeep_policy *policy, bool ruled)
{
	struct mackeep_record *rec;

	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL) {
		if (ctinfo != IP_CT_ESTABLISHED_REPLY)
			return;
		rec = mackeep_record_find(ct);
		if (!IS_ERR_OR_NULL(rec) && unlikely(mackeep_record_own(rec)))
			mackeep_learn_own(mn, skb, ct, rec, in);
		return;
	}
	/* An ICMP error about the flow shows the MAC of some router. */
	if (ctinfo == IP_CT_RELATED && nf_ct_is_confirmed(ct))
		return;
	mackeep_learn_frame(mn, skb, ct, ctinfo == IP_CT_ESTABLISHED, in,
			    policy, ruled);
}

static bool mackeep_learn_ports(const struct sk_buff *skb, bool v6)
{
	unsigned int offset = 0;
	int proto;

	proto = v6 ? ipv6_find_hdr(skb, &offset, -1, NULL, NULL) :
		     ip_hdr(skb)->protocol;
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/*
 * Under rcu_read_lock(), at PRE_ROUTING, for a packet that conntrack does not
 * track: the pair cache is all there is for it. Nothing says whether it asks or
 * answers, so the client is who was seen first, and the frames of the other end
 * teach nothing. No answer proves it: a flood of them only makes fresh entries.
 */
void mackeep_learn_untracked(struct mackeep_net *mn, const struct sk_buff *skb,
			     const struct net_device *in, bool v6,
			     const struct mackeep_policy *policy)
{
	struct mackeep_pair_proof proof = {
		.fixed = policy->flags & XT_MACKEEP_REFRESH_FIRST,
	};
	struct mackeep_pair_key key, back;
	struct mackeep_macs now, known;

	if (netif_is_l3_master(in) || !mackeep_learn_ports(skb, v6))
		return;
	if (!mackeep_learn_macs(skb, in, &now)) {
		MACKEEP_STAT_INC(mn, noether);
		return;
	}
	now.policy = policy->id;
	/* See mackeep_learn_frame() */
	if (ether_addr_equal(now.dst, in->dev_addr))
		return;

	mackeep_pair_key_skb(&key, skb, NULL, now.ifindex, v6);
	back = key;
	swap(back.client, back.server);
	if (!mackeep_pair_find(mn, &back, &known, NULL))
		mackeep_learn_pair(mn, &key, &now, &proof);
}

/*
 * The answers of a server came from dst, where the client sends to, and come
 * from elsewhere now.
 */
static void mackeep_learn_answer(struct mackeep_net *mn,
				 const struct mackeep_pair_key *key,
				 struct mackeep_segment on, const u8 *src,
				 u8 *dst)
{
	mackeep_move_follow(mn, on, key->family, &key->server, 0, dst);
	if (!ether_addr_equal(src, dst))
		mackeep_move_suspect(mn, on, dst, src);
}

/*
 * A frame was lifted that shows something new, or shows it again after a while.
 * Of frames between two addresses of which nothing is known, the one that was
 * seen first is taken for the client, as with untracked ones: a server may be
 * the first to speak when all that was known has timed out, and no rule has to
 * match what it sends.
 */
static noinline void mackeep_learn_lifted_new(struct mackeep_net *mn,
					      const struct sk_buff *skb,
					      const struct net_device *port,
					      bool teach)
{
	u32 tag = mackeep_tag_bridged(skb);
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	const struct ethhdr *eth = eth_hdr(skb);
	struct mackeep_pair_proof proof = {};
	struct mackeep_pair_key key, back;
	enum mackeep_pair_answer answer;
	struct mackeep_macs macs = {};
	struct net_device *in = skb->dev, *upper = NULL;
	struct mackeep_segment on;
	u8 dst[ETH_ALEN];
	u16 vid = 0;

	if (br_vlan_enabled(in) && !tag)
		br_vlan_get_pvid_rcu(in, &vid);
	else if (br_vlan_enabled(in))
		vid = tag & VLAN_VID_MASK;
	mackeep_station_seen(mn, in, eth->h_source, vid, port);

	if (tag)
		upper = __vlan_find_dev_deep_rcu(in, skb->vlan_proto,
						 tag & VLAN_VID_MASK);
	if (upper) {
		in = upper;
		tag = 0;
	}
	on.ifindex = in->ifindex;
	on.vlan = mackeep_tag_vlan(tag);
	mackeep_pair_key_skb(&key, skb, NULL, in->ifindex, v6);
	back = key;
	swap(back.client, back.server);
	mackeep_move_back(mn, on, eth->h_source);
	answer = mackeep_pair_answered(mn, &back, eth->h_source, dst);
	if (answer == MACKEEP_PAIR_LEFT)
		mackeep_learn_answer(mn, &back, on, eth->h_source, dst);
	if (answer != MACKEEP_PAIR_UNKNOWN)
		return;
	if (!teach || !mackeep_learn_ports(skb, v6) ||
	    mackeep_pair_find(mn, &key, &macs, NULL) ||
	    mackeep_pair_find(mn, &back, &macs, NULL))
		return;
	ether_addr_copy(macs.src, eth->h_source);
	ether_addr_copy(macs.dst, eth->h_dest);
	macs.tag = tag;
	macs.policy = mackeep_policy_unruled(&mn->policies)->id;
	macs.flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
	mackeep_learn_pair(mn, &key, &macs, &proof);
}

#define MACKEEP_LEARN_TIME	0xfffffffULL	/* of a slot: steps of 8 s */

/*
 * Under rcu_read_lock(), for a frame that the bridge has passed up. What it shows
 * is looked at when it is new, every 8 s, and when pairs have changed: a slot
 * remembers a hash of it, and when that was, in one word that is read and written
 * whole. teach: it is for a socket of a proxy, so that its MACs are wanted whether
 * or not a rule says so.
 */
void mackeep_learn_lifted(struct mackeep_net *mn, const struct sk_buff *skb,
			  const struct net_device *port, bool teach)
{
	const u64 *secret = mackeep_learn_secret;
	const struct ethhdr *eth = eth_hdr(skb);
	const u8 *ip = skb_network_header(skb);
	u64 sum, moment, *slot;

	/* A product alone would put addresses in a row into the same few slots at times. */
	if (skb->protocol == htons(ETH_P_IPV6))
		sum = mackeep_hash6(ip + 8, secret[0], secret[1], secret[2],
				    secret[3]);
	else
		sum = mackeep_hash(get_unaligned((u64 *)(ip + 12)) * secret[4],
				   secret[2]);
	/* The source with the frame's type, and the port with the VLAN. */
	sum += mackeep_hash(get_unaligned((u64 *)eth->h_source) ^ secret[0],
			    ((u64)port->ifindex << 32 | skb_vlan_all(skb)) ^
			    secret[1]);
	moment = (u64)jiffies / (8 * HZ) + mackeep_genid_turn(mn, eth->h_source);
	sum = (sum & ~MACKEEP_LEARN_TIME) | (moment & MACKEEP_LEARN_TIME);
	slot = &mn->slots->lifted[sum >> (64 - mn->slots->lifted_bits)];
	if (likely(READ_ONCE(*slot) == sum))
		return;
	WRITE_ONCE(*slot, sum);
	mackeep_learn_lifted_new(mn, skb, port, teach);
}

void mackeep_learn_init(void)
{
	get_random_bytes(mackeep_learn_secret, sizeof(mackeep_learn_secret));
	/* A factor has to be odd, or it loses bits. */
	mackeep_learn_secret[4] |= 1;
}
