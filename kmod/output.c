// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST_ROUTING: the packet of a kept flow leaves with the flow's MACs. This is
 * the slow path, which every packet can take; fast.c sends most of them.
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
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/route.h>

#include <linux/mackeep.h>

#include "adopt.h"
#include "await.h"
#include "left.h"
#include "mtu.h"
#include "neigh.h"
#include "net.h"
#include "output.h"
#include "ownport.h"
#include "policy.h"
#include "tag.h"

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
 * Whether the route is to say where a packet goes: the rule wants it, or does not
 * want what was found instead.
 */
static __always_inline bool
mackeep_output_routed(const struct mackeep_macs *macs, u32 options)
{
	return unlikely(options & (XT_MACKEEP_KEEP_SRC |
				   XT_MACKEEP_NEXT_HOP_ROUTE)) &&
	       (options & XT_MACKEEP_KEEP_SRC ||
		macs->via == MACKEEP_VIA_ROUTER);
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
		     !mackeep_macs_owned(macs) &&
		     mackeep_output_strict(mn, skb, options, v6))) {
		MACKEEP_LEFT(mn, skb, unknown);
		return false;
	}

	if (likely(macs->flags & src_flag && !(options & XT_MACKEEP_KEEP_DST)))
		ether_addr_copy(hdr->src, orig ? macs->src : macs->dst);
	else
		ether_addr_copy(hdr->src, dev->dev_addr);

	/*
	 * An answer that is forwarded without --last-hop follows its route, so
	 * that a host of the same subnet which sends through a router is not
	 * answered through it.
	 */
	if (unlikely(mackeep_adopt_forwarded(skb) && !orig &&
		     !(options & XT_MACKEEP_LAST_HOP) &&
		     mackeep_neigh_known(skb, v6, hdr->dst))) {
		;
	} else if (likely(macs->flags & dst_flag &&
			  !mackeep_output_routed(macs, options))) {
		ether_addr_copy(hdr->dst, orig ? macs->dst : macs->src);
	} else if (macs->tag || /* its VLAN has no neighbours here */
		   !mackeep_neigh_nexthop(skb, v6,
					   options & XT_MACKEEP_STRICT,
					   hdr->dst)) {
		MACKEEP_LEFT(mn, skb, noneigh);
		return false;
	}

	if (unlikely(ether_addr_equal(hdr->dst, dev->dev_addr))) {
		MACKEEP_LEFT(mn, skb, own);
		return false;
	}
	return true;
}

/*
 * Consumes skb; its device is the one it leaves by. apart: the bridge has been
 * asked about its two stations.
 */
static int mackeep_output_xmit(struct mackeep_net *mn, struct sk_buff *skb,
			       const struct mackeep_header *hdr, u32 tag,
			       bool v6, bool apart)
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
	mackeep_tag_put(skb, tag);
	return apart ? dev_queue_xmit(skb) : mackeep_ownport_xmit(mn, skb);
}

/*
 * A fragment has the conntrack entry and the addresses of the packet that it was
 * cut from, and nothing else: its MACs are looked up once more.
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
	dir = mackeep_adopt(mn, skb, ct, ctinfo, v6, &macs);
	policy = mackeep_policy_now(&mn->policies, macs.policy);
	if (dir < 0 || !mackeep_output_header(mn, skb, &macs, policy->flags,
					      dir, v6, &hdr)) {
		MACKEEP_STAT_INC(mn, dropped);
		kfree_skb(skb);
		return -ENOENT;
	}
	return mackeep_output_xmit(mn, skb, &hdr, macs.tag, v6, false);
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

/*
 * Whether the stack could only ask in nobody's name, with this box's own MAC: the
 * box speaks for another, and has no address there.
 */
static bool mackeep_output_mute(const struct mackeep_net *mn,
				const struct sk_buff *skb, bool v6)
{
	u8 mac[ETH_ALEN];

	return mackeep_adopt_foreign(skb, mn->net, v6) &&
	       !mackeep_device_addressed(skb->dev, v6) &&
	       !mackeep_neigh_known(skb, v6, mac);
}

/* What cannot be kept is left to the stack, or dropped where --strict says so. */
static noinline unsigned int
mackeep_output_leave(struct mackeep_net *mn, const struct sk_buff *skb,
		     u32 options, bool v6)
{
	if (!mackeep_output_strict(mn, skb, options, v6))
		return NF_ACCEPT;
	MACKEEP_LEFT(mn, skb, strict);
	return NF_DROP;
}

/* IPsec or a tunnel takes it, and what leaves is a packet of this box. */
static bool mackeep_output_tunnel(struct mackeep_net *mn,
				  const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	if (likely(!dst_xfrm(dst) && !dst->lwtstate))
		return false;
	MACKEEP_LEFT(mn, skb, xfrm);
	return true;
}

/*
 * br_netfilter shows what is bridged, a VRF's packet comes once more, and IPsec
 * takes one before it has its device, which is asked for, and set by IP behind us.
 */
static noinline unsigned int
mackeep_output_other(struct mackeep_net *mn, struct sk_buff *skb,
		     const struct nf_hook_state *state, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	struct net_device *dev = skb->dev;
	enum ip_conntrack_info ctinfo;
	struct mackeep_macs macs;
	struct nf_conn *ct;

	if (!dst || !dst_xfrm(dst) || mackeep_output_many(skb, v6))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &ctinfo);
	skb->dev = state->out;
	if (mackeep_adopt(mn, skb, ct, ctinfo, v6, &macs) >= 0)
		mackeep_output_tunnel(mn, skb);
	skb->dev = dev;
	return NF_ACCEPT;
}

/*
 * As mackeep_output_leave(), but for want of MACs. A socket tries again, and some
 * may be known then.
 */
static noinline unsigned int
mackeep_output_unknown(struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct mackeep_macs *macs, u32 options, bool v6)
{
	if (macs->flags)
		mackeep_adopt_unsure(skb, macs);
	if (!mackeep_output_mute(mn, skb, v6))
		return mackeep_output_leave(mn, skb, options, v6);
	MACKEEP_LEFT(mn, skb, mute);
	return NF_DROP_ERR(-EHOSTUNREACH);
}

/* The stack knows no tag, and would send the packet into another VLAN. */
static unsigned int mackeep_output_untagged(struct mackeep_net *mn,
					    const struct sk_buff *skb,
					    const struct mackeep_macs *macs,
					    unsigned int verdict)
{
	if (likely(!macs->tag) || macs->ifindex != skb->dev->ifindex)
		return verdict;
	MACKEEP_LEFT(mn, skb, untagged);
	return NF_DROP;
}

static __always_inline unsigned int
mackeep_output(struct mackeep_net *mn, struct sk_buff *skb,
	       const struct nf_hook_state *state, bool v6)
{
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
	if (unlikely(skb->dev != state->out ||
		     netif_is_l3_master(state->out)))
		return mackeep_output_other(mn, skb, state, v6);
	if (unlikely(mackeep_output_many(skb, v6)))
		return mackeep_output_leave(mn, skb, 0, v6);

	ct = nf_ct_get(skb, &ctinfo);
	dir = mackeep_adopt(mn, skb, ct, ctinfo, v6, &macs);
	if (unlikely(dir == -ENOENT))
		return mackeep_output_leave(mn, skb, 0, v6);
	policy = mackeep_policy_now(&mn->policies, macs.policy);
	if (dir < 0) {
		MACKEEP_LEFT(mn, skb, unknown);
		return mackeep_output_unknown(mn, skb, &macs, policy->flags,
					      v6);
	}

	if (unlikely(policy->id != macs.policy))
		MACKEEP_STAT_INC(mn, rule);
	if (!mackeep_policy_match(policy, skb, dir)) {
		MACKEEP_LEFT(mn, skb, mark);
		return mackeep_output_untagged(mn, skb, &macs, NF_ACCEPT);
	}
	if (macs.ifindex && macs.ifindex != state->out->ifindex &&
	    !mackeep_adopt_device(mn, skb, &macs)) {
		MACKEEP_LEFT(mn, skb, device);
		return mackeep_output_leave(mn, skb, 0, v6);
	}
	if (unlikely(mackeep_output_tunnel(mn, skb)))
		return mackeep_output_leave(mn, skb, 0, v6);

	/* The client uses this box as its router: the answers are routed, too. */
	if (dir == IP_CT_DIR_REPLY && mackeep_adopt_forwarded(skb) &&
	    !(policy->flags & XT_MACKEEP_LAST_HOP) &&
	    ether_addr_equal(macs.dst, state->out->dev_addr)) {
		MACKEEP_LEFT(mn, skb, routed);
		return NF_ACCEPT;
	}

	if (!mackeep_output_header(mn, skb, &macs, policy->flags, dir, v6,
				   &hdr)) {
		verdict = mackeep_output_unknown(mn, skb, &macs, policy->flags,
						 v6);
		return mackeep_output_untagged(mn, skb, &macs, verdict);
	}

	mtu = v6 ? ip6_skb_dst_mtu(skb) : ip_skb_dst_mtu(sk, skb);
	fits = mackeep_mtu_fits(skb, mtu, v6);
	if (unlikely(!fits && mackeep_mtu_must_fit(skb, mtu, v6))) {
		MACKEEP_LEFT(mn, skb, toobig);
		return NF_ACCEPT;
	}

	/* From here on the packet is ours, whatever becomes of it. */
	if (ct && !mackeep_output_seqadj(skb, ct, ctinfo, v6))
		return NF_DROP;
	verdict = nf_conntrack_confirm(skb);
	if (verdict != NF_ACCEPT)
		return verdict;
	if (!mackeep_adopt_forwarded(skb))
		mackeep_adopt_await(mn, skb, &macs, v6);
	/* A forwarded one may go to another MAC than the record has. */
	apart = ct && !mackeep_adopt_forwarded(skb) &&
		(macs.checked & MACKEEP_GENID_FAST ||
		 mackeep_adopt_settle(skb, &macs, policy));

	ret = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);
	if (unlikely(ret != NET_XMIT_SUCCESS && ret != NET_XMIT_CN)) {
		kfree_skb(skb);
		return mackeep_output_stolen(ret);
	}

	if (dir == IP_CT_DIR_ORIGINAL)
		MACKEEP_STAT_INC(mn, orig);
	else
		MACKEEP_STAT_INC(mn, reply);
	MACKEEP_STAT_INC(mn, slow);

	if (likely(fits))
		err = mackeep_output_xmit(mn, skb, &hdr, macs.tag, v6, apart);
	else
		err = mackeep_output_big(mn, sk, skb, mtu, v6);
	/* The program may want the sender to slow down. */
	return mackeep_output_stolen(err ?: ret);
}

/* What is left to the stack may be answered, and may go to a client that is fed. */
static __always_inline unsigned int
mackeep_output_left(struct mackeep_net *mn, const struct sk_buff *skb,
		    const struct nf_hook_state *state, unsigned int verdict)
{
	if (verdict != NF_ACCEPT)
		return verdict;
	if (!mackeep_adopt_forwarded(skb) && mackeep_adopt_socket(skb))
		mackeep_await_answer(mn, skb, state->pf == NFPROTO_IPV6);
	if (unlikely(READ_ONCE(mn->feed.on)))
		mackeep_neigh_used(skb, state);
	return NF_ACCEPT;
}

/* Both run under rcu_read_lock(), in process context or softirq. */
unsigned int mackeep_output4(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	return mackeep_output_left(mn, skb, state,
				   mackeep_output(mn, skb, state, false));
}

unsigned int mackeep_output6(struct mackeep_net *mn, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	return mackeep_output_left(mn, skb, state,
				   mackeep_output(mn, skb, state, true));
}
