// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST_ROUTING: the packet of a kept flow leaves with the flow's MACs. This is
 * the way of all packets; plain.c goes before it with most of them.
 *
 * There is no Ethernet header here yet, and IP would build it from the
 * neighbour table with the device's own source. So the packet is stolen and
 * given its header and to the device directly. What stealing skips is done
 * here in the order of the stock path: conntrack's sequence adjustment and
 * confirm, the cgroup's egress program, segmenting and fragmenting to the MTU,
 * the SNMP counters. What would need more is left to the stack, and counted.
 */
#include <linux/bpf-cgroup.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/route.h>

#include "output.h"

/*
 * The MAC that the stack would send to; false while it is being resolved, to
 * which the stack attends when it gets the packet.
 */
static bool mackeep_output_nexthop(struct sk_buff *skb, bool v6, bool strict,
				   u8 *mac)
{
	struct dst_entry *dst = skb_dst(skb);
	struct neighbour *n;
	bool v6gw = false;

	if (v6) {
		const struct in6_addr *hop;

		hop = rt6_nexthop(dst_rt6_info(dst), &ipv6_hdr(skb)->daddr);
		n = ip_neigh_gw6(skb->dev, hop);
	} else {
		n = ip_neigh_for_gw(dst_rtable(dst), skb, &v6gw);
	}
	if (IS_ERR(n))
		return false;
	if (!(READ_ONCE(n->nud_state) & NUD_VALID)) {
		if (strict)
			neigh_event_send(n, NULL);
		return false;
	}
	neigh_ha_snapshot(mac, n, skb->dev);
	return true;
}

/*
 * An answer that is forwarded without --last-hop follows its route: where the
 * next hop's MAC is known, that one is used, so that a host of the same subnet
 * which sends through a router is not answered through it.
 */
static bool mackeep_output_routed(const struct sk_buff *skb, bool v6, u8 *mac)
{
	const struct dst_entry *dst = skb_dst(skb);
	struct net_device *dev = skb->dev;
	const struct rtable *rt;
	struct neighbour *n;

	if (v6) {
		n = __ipv6_neigh_lookup_noref(dev, rt6_nexthop(dst_rt6_info(dst),
							       &ipv6_hdr(skb)->daddr));
	} else {
		rt = dst_rtable(dst);
		n = rt->rt_gw_family == AF_INET6 ?
		    __ipv6_neigh_lookup_noref(dev, &rt->rt_gw6) :
		    __ipv4_neigh_lookup_noref(dev, (__force u32)
					      rt_nexthop(rt, ip_hdr(skb)->daddr));
	}
	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID))
		return false;
	neigh_ha_snapshot(mac, n, dev);
	return true;
}

/*
 * Whether a packet must not leave with this box's own MAC: its own rule is strict,
 * or any is and the box speaks for another.
 */
static bool mackeep_output_strict(const struct mackeep_net *mn,
				  const struct sk_buff *skb, u32 options,
				  bool v6)
{
	return options & XT_MACKEEP_STRICT ||
	       (READ_ONCE(mn->strict) &&
		mackeep_adopt_foreign(skb, mn->net, v6));
}

/*
 * Under rcu_read_lock(). False, and counted, when the packet is not ours. The
 * MACs are those of the ORIGINAL direction.
 */
static __always_inline bool
mackeep_output_header(struct mackeep_net *mn, struct sk_buff *skb,
		      const struct mackeep_macs *macs, u32 options,
		      enum ip_conntrack_dir dir, bool v6,
		      struct mackeep_header *hdr)
{
	bool orig = dir == IP_CT_DIR_ORIGINAL;
	u8 src_flag = orig ? MACKEEP_INFO_SRC : MACKEEP_INFO_DST;
	u8 dst_flag = orig ? MACKEEP_INFO_DST : MACKEEP_INFO_SRC;
	const struct net_device *dev = skb->dev;

	if (unlikely(!(macs->flags & src_flag) &&
		     !(options & XT_MACKEEP_KEEP_DST) &&
		     mackeep_output_strict(mn, skb, options, v6))) {
		MACKEEP_STAT_INC(mn, unknown);
		return false;
	}

	if (likely(macs->flags & src_flag && !(options & XT_MACKEEP_KEEP_DST)))
		ether_addr_copy(hdr->src, orig ? macs->src : macs->dst);
	else
		ether_addr_copy(hdr->src, dev->dev_addr);

	if (unlikely(mackeep_forwarded(skb) && !orig &&
		     !(options & XT_MACKEEP_LAST_HOP) &&
		     mackeep_output_routed(skb, v6, hdr->dst))) {
		;
	} else if (likely(macs->flags & dst_flag &&
			  !(options & XT_MACKEEP_KEEP_SRC))) {
		ether_addr_copy(hdr->dst, orig ? macs->dst : macs->src);
	} else if (!mackeep_output_nexthop(skb, v6,
					   options & XT_MACKEEP_STRICT,
					   hdr->dst)) {
		MACKEEP_STAT_INC(mn, noneigh);
		return false;
	}

	if (unlikely(ether_addr_equal(hdr->dst, dev->dev_addr))) {
		MACKEEP_STAT_INC(mn, own);
		return false;
	}
	return true;
}

/*
 * Consumes skb; its device is the one it leaves by. apart: the bridge has been
 * asked about its two stations.
 */
static int mackeep_output_xmit(struct mackeep_net *mn, struct sk_buff *skb,
			       const struct mackeep_header *hdr, bool v6,
			       bool apart)
{
	struct net_device *dev = skb->dev;

	mackeep_output_count(mn, skb, mackeep_output_idev(skb, v6), v6);
	if (unlikely(skb_headroom(skb) < HH_DATA_MOD)) {
		skb = skb_expand_head(skb, LL_RESERVED_SPACE(dev));
		if (!skb) {
			MACKEEP_STAT_INC(mn, dropped);
			return -ENOMEM;
		}
	}

	if (dev_hard_header(skb, dev, v6 ? ETH_P_IPV6 : ETH_P_IP, hdr->dst,
			    hdr->src, skb->len) < 0) {
		MACKEEP_STAT_INC(mn, dropped);
		kfree_skb(skb);
		return -EINVAL;
	}
	return apart ? dev_queue_xmit(skb) : mackeep_ownport_xmit(mn, skb);
}

/*
 * Some client announced a new MAC since the record was written, or a router or
 * server has another. If it was this flow's, answers must not wait for a frame
 * of the flow to show it: a client that only listens would never get any.
 */
static void mackeep_output_follow(struct mackeep_net *mn,
				  const struct sk_buff *skb, struct nf_conn *ct,
				  struct mackeep_record *rec,
				  struct mackeep_macs *macs)
{
	struct mackeep_macs old = *macs;
	struct mackeep_pair_key key;
	bool moved;

	mackeep_pair_key_ct(&key, ct, macs->ifindex ?: skb->dev->ifindex);
	moved = mackeep_pair_follow(mn, &key, macs);
	if (macs->flags & MACKEEP_INFO_DST &&
	    !mackeep_pair_fixed(mn, macs->policy))
		moved |= mackeep_move_follow(mn, key.ifindex, key.family,
					     &key.server, old.checked,
					     macs->dst);
	if (moved)
		MACKEEP_STAT_INC(mn, refreshed);
	mackeep_record_replace(ct, rec, &old, macs);
}

/*
 * A flow whose frames came with their h_dest destroyed: its answers are from
 * whoever the packet speaks for, as the pair cache or the neighbour table has
 * it. The record keeps that.
 */
static void mackeep_output_complete(struct mackeep_net *mn, struct sk_buff *skb,
				    struct nf_conn *ct,
				    struct mackeep_record *rec, bool v6,
				    struct mackeep_macs *macs)
{
	struct mackeep_macs old = *macs;
	enum ip_conntrack_info ctinfo;

	nf_ct_get(skb, &ctinfo);
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_REPLY && !mackeep_forwarded(skb) &&
	    mackeep_adopt_far(mn, skb, ct, v6, macs))
		mackeep_record_replace(ct, rec, &old, macs);
}

/* The record's MACs are missing, or there may be others now. */
static void mackeep_output_adopt(struct mackeep_net *mn, struct sk_buff *skb,
				 struct nf_conn *ct,
				 struct mackeep_record *rec, bool v6,
				 struct mackeep_macs *macs)
{
	u32 news = mackeep_net_now(mn);
	bool first = !macs->flags;

	if (macs->via == MACKEEP_VIA_LEARNED ||
	    macs->via == MACKEEP_VIA_RESTORED) {
		if ((macs->checked & ~MACKEEP_PLAIN) != news)
			mackeep_output_follow(mn, skb, ct, rec, macs);
		if (!(macs->flags & MACKEEP_INFO_DST))
			mackeep_output_complete(mn, skb, ct, rec, v6, macs);
		return;
	}
	if (mackeep_forwarded(skb))
		return;

	if (!mackeep_adopt(mn, skb, ct, macs))
		return;
	mackeep_record_write(ct, rec, macs);
	if (!first)
		return;

	switch (macs->via) {
	case MACKEEP_VIA_PAIR:
		MACKEEP_STAT_INC(mn, pair);
		break;
	case MACKEEP_VIA_REVERSE:
		MACKEEP_STAT_INC(mn, reverse);
		break;
	case MACKEEP_VIA_CLIENT:
		MACKEEP_STAT_INC(mn, client);
		break;
	case MACKEEP_VIA_NEIGH:
		MACKEEP_STAT_INC(mn, neigh);
		break;
	}
}

static bool mackeep_output_stale(const struct mackeep_net *mn,
				 const struct mackeep_macs *macs)
{
	switch (macs->via) {
	case MACKEEP_VIA_NEIGH:
		return false;
	case MACKEEP_VIA_PAIR:
	case MACKEEP_VIA_REVERSE:
	case MACKEEP_VIA_CLIENT:
		break;
	default:
		if (!(macs->flags & MACKEEP_INFO_DST))
			return true;
	}
	return (macs->checked & ~MACKEEP_PLAIN) != mackeep_net_now(mn);
}

/*
 * Whether what is true of this packet's flow will be until there are news, so
 * that plain.c need not ask again: complete MACs, neither of them this box's; a
 * rule without options; a confirmed entry of which nobody follows the events;
 * stations that the bridge knows. The record remembers.
 */
static bool mackeep_output_settle(const struct sk_buff *skb,
				  const struct mackeep_macs *macs,
				  const struct mackeep_policy *policy)
{
	const struct net_device *dev = skb->dev;
	struct mackeep_macs plain = *macs;
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	if (macs->policy || policy->id || macs->ifindex != dev->ifindex ||
	    macs->flags != (MACKEEP_INFO_SRC | MACKEEP_INFO_DST) ||
	    !netif_is_bridge_master(dev) ||
	    ether_addr_equal(macs->src, dev->dev_addr) ||
	    ether_addr_equal(macs->dst, dev->dev_addr))
		return false;
	ct = nf_ct_get(skb, &ctinfo);
	if (!nf_ct_is_confirmed(ct) || nf_ct_ecache_exist(ct))
		return false;
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec) ||
	    !mackeep_ownport_apart(mackeep_net(nf_ct_net(ct)), dev,
				   macs->src, macs->dst))
		return false;
	plain.checked |= MACKEEP_PLAIN;
	return mackeep_record_replace(ct, rec, macs, &plain);
}

/*
 * A packet whose flow has no record: it could not have one, or conntrack does
 * not follow it. The pair cache keeps it, at the price of a lookup. macs are
 * turned so that they are those of the direction returned.
 */
static int mackeep_output_find_pair(struct mackeep_net *mn, struct sk_buff *skb,
				    struct nf_conn *ct, bool v6,
				    struct mackeep_macs *macs)
{
	int dir = mackeep_adopt_packet(mn, skb, ct, v6, macs);

	if (dir == IP_CT_DIR_REPLY) {
		struct mackeep_macs turned = *macs;

		ether_addr_copy(macs->src, turned.dst);
		ether_addr_copy(macs->dst, turned.src);
	}
	return dir;
}

/*
 * The MACs of the packet's flow, and the packet's direction in it. An error
 * when it is not for us: -ENODATA if it is, but nothing is known.
 */
static __always_inline int
mackeep_output_find(struct mackeep_net *mn, struct sk_buff *skb,
		    struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool v6,
		    struct mackeep_macs *macs)
{
	struct mackeep_record *rec = ct ? mackeep_record_find(ct) : NULL;
	int dir;

	macs->policy = 0;
	if (IS_ERR_OR_NULL(rec)) {
		if (!mackeep_adopt_wanted(skb, mn->net, v6))
			return -ENOENT;
		if (ct && !rec)
			rec = mackeep_record_attach(ct);
		if (IS_ERR_OR_NULL(rec)) {
			dir = mackeep_output_find_pair(mn, skb, ct, v6, macs);
			if (dir < 0)
				return -ENODATA;
			MACKEEP_STAT_INC(mn, norecord);
			return dir;
		}
		mackeep_lift_expect(mn);
	}

	mackeep_record_read(ct, rec, macs);
	if (unlikely(mackeep_output_stale(mn, macs)))
		mackeep_output_adopt(mn, skb, ct, rec, v6, macs);
	return likely(macs->flags) ? CTINFO2DIR(ctinfo) : -ENODATA;
}

/*
 * A fragment carries nothing of the packet it was cut from but its conntrack
 * entry and addresses, so its header comes from there once more.
 */
static int mackeep_output_fragment(struct net *net, struct sock *sk,
				   struct sk_buff *skb)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct mackeep_net *mn = mackeep_net(net);
	const struct mackeep_policy *policy;
	enum ip_conntrack_info ctinfo;
	struct mackeep_header hdr;
	struct mackeep_macs macs;
	struct nf_conn *ct;
	int dir;

	ct = nf_ct_get(skb, &ctinfo);
	dir = mackeep_output_find(mn, skb, ct, ctinfo, v6, &macs);
	policy = mackeep_policy_now(mn, macs.policy);
	if (dir < 0 || !mackeep_output_header(mn, skb, &macs, policy->flags,
					      dir, v6, &hdr)) {
		MACKEEP_STAT_INC(mn, dropped);
		kfree_skb(skb);
		return -ENOENT;
	}
	return mackeep_output_xmit(mn, skb, &hdr, v6, false);
}

static int mackeep_output_cut(struct net *net, struct sock *sk,
			      struct sk_buff *skb, bool v6)
{
	if (v6)
		return ip6_fragment(net, sk, skb, mackeep_output_fragment);
	return ip_do_fragment(net, sk, skb, mackeep_output_fragment);
}

/* Over the MTU: segments of a super-packet first, then fragments of each. */
static int mackeep_output_big(struct mackeep_net *mn, struct sock *sk,
			      struct sk_buff *skb, unsigned int mtu, bool v6)
{
	struct sk_buff *segs, *next;
	int err, ret = 0;

	if (!skb_is_gso(skb))
		return mackeep_output_cut(mn->net, sk, skb, v6);

	segs = skb_gso_segment(skb, netif_skb_features(skb) &
			       ~NETIF_F_GSO_MASK);
	if (IS_ERR_OR_NULL(segs)) {
		MACKEEP_STAT_INC(mn, dropped);
		kfree_skb(skb);
		return -ENOMEM;
	}
	consume_skb(skb);

	skb_list_walk_safe(segs, segs, next) {
		skb_mark_not_on_list(segs);
		if (segs->len > mtu)
			err = mackeep_output_cut(mn->net, sk, segs, v6);
		else
			err = mackeep_output_fragment(mn->net, sk, segs);
		if (err && !ret)
			ret = err;
	}
	return ret;
}

static __always_inline bool mackeep_output_fits(const struct sk_buff *skb,
						unsigned int mtu, bool v6)
{
	unsigned int max = v6 ? IP6CB(skb)->frag_max_size :
				IPCB(skb)->frag_max_size;

	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu);
	/* What came in as fragments leaves as fragments no larger. */
	return skb->len <= mtu && !(v6 ? max && skb->len > max : max);
}

/* The sender, or whoever set DF, has to be told: the stack does that. */
static bool mackeep_output_must_fit(const struct sk_buff *skb, unsigned int mtu,
				    bool v6)
{
	if (v6)
		return !skb->ignore_df || IP6CB(skb)->frag_max_size > mtu;
	return ip_hdr(skb)->frag_off & htons(IP_DF) &&
	       (!skb->ignore_df || IPCB(skb)->frag_max_size > mtu);
}

bool mackeep_output_toobig(const struct sk_buff *skb, unsigned int mtu, bool v6)
{
	return !mackeep_output_fits(skb, mtu, v6) &&
	       mackeep_output_must_fit(skb, mtu, v6);
}

/* The record of a flow whose device was made anew goes on with that. */
static bool mackeep_output_device(struct mackeep_net *mn,
				  const struct sk_buff *skb,
				  struct mackeep_macs *macs)
{
	struct mackeep_macs old = *macs;
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	macs->ifindex = mackeep_device_now(mn, old.ifindex);
	if (macs->ifindex != skb->dev->ifindex)
		return false;
	ct = nf_ct_get(skb, &ctinfo);
	rec = ct ? mackeep_record_find(ct) : NULL;
	if (!IS_ERR_OR_NULL(rec))
		mackeep_record_replace(ct, rec, &old, macs);
	return true;
}

static bool mackeep_output_seqadj(struct sk_buff *skb, struct nf_conn *ct,
				  enum ip_conntrack_info ctinfo, bool v6)
{
	int protoff = skb_network_offset(skb);
	__be16 frag_off;
	u8 nexthdr;

	if (likely(!test_bit(IPS_SEQ_ADJUST_BIT, &ct->status)) ||
	    ctinfo == IP_CT_RELATED || ctinfo == IP_CT_RELATED_REPLY)
		return true;

	if (v6) {
		nexthdr = ipv6_hdr(skb)->nexthdr;
		protoff = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr),
					   &nexthdr, &frag_off);
		if (protoff < 0 || frag_off & htons(~0x7))
			return true;
	} else {
		protoff += ip_hdrlen(skb);
	}
	return nf_ct_seq_adjust(skb, ct, ctinfo, protoff);
}

/* What cannot be kept goes the stack's way, or nowhere. */
static noinline unsigned int
mackeep_output_leave(struct mackeep_net *mn, const struct sk_buff *skb,
		     u32 options, bool v6)
{
	if (!mackeep_output_strict(mn, skb, options, v6))
		return NF_ACCEPT;
	MACKEEP_STAT_INC(mn, strict);
	return NF_DROP;
}

/*
 * To more than one station. The stack sends one of them, and loops another back,
 * which comes by here as well.
 */
static __always_inline bool mackeep_output_many(const struct sk_buff *skb,
						bool v6)
{
	if (v6)
		return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
	return skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST);
}

static __always_inline unsigned int
mackeep_output(struct mackeep_net *mn, struct sk_buff *skb,
	       const struct nf_hook_state *state, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	const struct mackeep_policy *policy;
	struct sock *sk = state->sk;
	enum ip_conntrack_info ctinfo;
	struct mackeep_header hdr;
	struct mackeep_macs macs;
	unsigned int mtu, verdict;
	struct nf_conn *ct;
	bool fits, apart;
	int dir, ret, err;

	if (state->out->type != ARPHRD_ETHER)
		return NF_ACCEPT;
	/* A frame br_netfilter shows us is bridged; a VRF's comes again. */
	if (unlikely(skb->dev != state->out ||
		     netif_is_l3_master(state->out)))
		return NF_ACCEPT;
	if (unlikely(mackeep_output_many(skb, v6)))
		return mackeep_output_leave(mn, skb, 0, v6);

	ct = nf_ct_get(skb, &ctinfo);
	dir = mackeep_output_find(mn, skb, ct, ctinfo, v6, &macs);
	if (unlikely(dir == -ENOENT))
		return mackeep_output_leave(mn, skb, 0, v6);
	policy = mackeep_policy_now(mn, macs.policy);
	if (dir < 0) {
		MACKEEP_STAT_INC(mn, unknown);
		return mackeep_output_leave(mn, skb, policy->flags, v6);
	}

	if (unlikely(policy->id != macs.policy))
		MACKEEP_STAT_INC(mn, rule);
	if (!mackeep_policy_match(policy, skb, dir)) {
		MACKEEP_STAT_INC(mn, mark);
		return NF_ACCEPT;
	}
	if (macs.ifindex && macs.ifindex != state->out->ifindex &&
	    !mackeep_output_device(mn, skb, &macs)) {
		MACKEEP_STAT_INC(mn, device);
		return mackeep_output_leave(mn, skb, 0, v6);
	}
	if (unlikely(dst_xfrm(dst) || dst->lwtstate)) {
		MACKEEP_STAT_INC(mn, xfrm);
		return mackeep_output_leave(mn, skb, 0, v6);
	}

	/* Sent to this box as a router, and forwarded: so are the answers. */
	if (dir == IP_CT_DIR_REPLY && mackeep_forwarded(skb) &&
	    !(policy->flags & XT_MACKEEP_LAST_HOP) &&
	    ether_addr_equal(macs.dst, state->out->dev_addr)) {
		MACKEEP_STAT_INC(mn, routed);
		return NF_ACCEPT;
	}

	if (!mackeep_output_header(mn, skb, &macs, policy->flags, dir, v6,
				   &hdr))
		return mackeep_output_leave(mn, skb, policy->flags, v6);

	mtu = v6 ? ip6_skb_dst_mtu(skb) : ip_skb_dst_mtu(sk, skb);
	fits = mackeep_output_fits(skb, mtu, v6);
	if (unlikely(!fits && mackeep_output_must_fit(skb, mtu, v6))) {
		MACKEEP_STAT_INC(mn, toobig);
		return NF_ACCEPT;
	}

	/* From here on the packet is ours, whatever becomes of it. */
	if (ct && !mackeep_output_seqadj(skb, ct, ctinfo, v6))
		return NF_DROP;
	verdict = nf_conntrack_confirm(skb);
	if (verdict != NF_ACCEPT)
		return verdict;
	/* A forwarded one may go to another MAC than the record has. */
	apart = ct && !mackeep_forwarded(skb) &&
		(macs.checked & MACKEEP_PLAIN ||
		 mackeep_output_settle(skb, &macs, policy));

	ret = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);
	if (unlikely(ret != NET_XMIT_SUCCESS && ret != NET_XMIT_CN)) {
		kfree_skb(skb);
		return mackeep_output_stolen(ret);
	}

	if (dir == IP_CT_DIR_ORIGINAL)
		MACKEEP_STAT_INC(mn, orig);
	else
		MACKEEP_STAT_INC(mn, reply);

	if (likely(fits))
		err = mackeep_output_xmit(mn, skb, &hdr, v6, apart);
	else
		err = mackeep_output_big(mn, sk, skb, mtu, v6);
	/* The program may want the sender to slow down. */
	return mackeep_output_stolen(err ?: ret);
}

/* Both run under rcu_read_lock(), in process context or softirq. */
unsigned int mackeep_output4(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	return mackeep_output(mn, skb, state, false);
}

unsigned int mackeep_output6(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	return mackeep_output(mn, skb, state, true);
}
