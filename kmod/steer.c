// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sysctl mackeep_steer: what this box sends in the name of others leaves by
 * the device where the flow, or its client, is known, whatever routes say. So the
 * routes may be those of the box itself: a management network has the default
 * route, or there are several bridges.
 *
 * At the end of LOCAL_OUT such a packet gets a route of our own, see onlink.c, in
 * place of the one that it has; POST_ROUTING then finds it on its device. A flow
 * is known by its record. One that the proxy opens has none yet: the pair cache
 * is asked for the device that was chosen, then for all others that it knows
 * clients on. Where two bridges have clients with the same address, that of the
 * exact pair counts more than that of the client alone, and of two bridges that
 * know the same pair the one that was chosen by a route, else the one that was
 * learned from first.
 *
 * What comes in for the proxy is not held against the routes either. Where IPv4
 * looks for the way back to a source (rp_filter, and src_valid_mark, which
 * wg-quick sets), a bridge without an address would have to be the best of all
 * ways. So a packet of a kept flow that a local route takes, by the mark of TPROXY,
 * gets that route at the end of PRE_ROUTING. What is for an address of this box is
 * checked as ever.
 *
 * A packet whose flow's device is down does not leave by another one. What a
 * rule's mark takes out is left to its route: that is how a proxy has some
 * connections leave another way.
 *
 * Runs under rcu_read_lock(), in process context or softirq, and takes no lock once
 * a flow has its record.
 */
#include <linux/inetdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/dst.h>
#include <net/ip_fib.h>
#include <net/ip6_route.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include "adopt.h"
#include "compat.h"
#include "mtu.h"
#include "net.h"
#include "onlink.h"
#include "output.h"
#include "record.h"
#include "steer.h"

/* --- which device ------------------------------------------------------------ */

/*
 * Whether the cache knows a pair on the key's device, or on another one. Of those
 * where it is known one that is up counts more.
 */
static bool mackeep_steer_known(struct mackeep_net *mn,
				struct mackeep_pair_key *key, bool v6,
				struct mackeep_macs *macs)
{
	const u32 routed = key->ifindex;
	bool known = false;
	unsigned int i;

	if (mackeep_pair_find(mn, key, macs, NULL))
		return true;
	for (i = 0; i < mackeep_pair_devices(mn); i++) {
		key->ifindex = mackeep_pair_device(mn, i);
		if (key->ifindex == routed ||
		    !mackeep_pair_find(mn, key, macs, NULL))
			continue;
		known = true;
		if (mackeep_onlink(mn, key->ifindex, v6))
			break;
	}
	key->ifindex = routed;
	return known;
}

/* As mackeep_adopt() will do it on that device; what it returns. */
static int mackeep_steer_pair(struct mackeep_net *mn, const struct sk_buff *skb,
			      const struct nf_conn *ct,
			      enum ip_conntrack_info ctinfo, bool v6,
			      struct mackeep_macs *macs)
{
	struct mackeep_pair_key key, other;

	mackeep_pair_key_skb(&key, skb, ct, skb_dst(skb)->dev->ifindex, v6);
	macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
	if (mackeep_steer_known(mn, &key, v6, macs))
		return IP_CT_DIR_ORIGINAL;

	other = key;
	swap(other.client, other.server);
	if (mackeep_steer_known(mn, &other, v6, macs))
		return ct ? CTINFO2DIR(ctinfo) : IP_CT_DIR_REPLY;

	memset(&key.server, 0, sizeof(key.server));
	macs->flags = MACKEEP_INFO_SRC;
	return mackeep_steer_known(mn, &key, v6, macs) ? IP_CT_DIR_ORIGINAL :
							  -ENODATA;
}

/*
 * The MACs of the packet's flow, and the packet's direction in it; negative when
 * nothing is known or it is not for us.
 */
static int mackeep_steer_macs(struct mackeep_net *mn, const struct sk_buff *skb,
			      bool v6, struct mackeep_macs *macs)
{
	const struct mackeep_record *rec = NULL;
	const struct sock *sk = skb->sk;
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;
	bool ruled = false;
	u8 policy = 0;
	int dir;

	ct = nf_ct_get(skb, &ctinfo);
	if (ct)
		rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec)) {
		mackeep_record_read(ct, rec, macs);
		if (macs->flags)
			return (sk && inet_sk_transparent(sk)) ||
			       mackeep_adopt_foreign(skb, mn->net, v6) ?
				       CTINFO2DIR(ctinfo) : -ENOENT;
		ruled = macs->ruled;
		policy = macs->policy;
	}

	if (!mackeep_adopt_socket(skb) ||
	    !mackeep_adopt_foreign(skb, mn->net, v6))
		return -ENOENT;
	dir = mackeep_steer_pair(mn, skb, ct, ctinfo, v6, macs);
	if (ruled)
		macs->policy = policy;
	return dir;
}

/* --- which route ------------------------------------------------------------- */

static struct dst_entry *mackeep_steer_lookup4(struct net *net,
					       const struct sk_buff *skb,
					       const struct net_device *dev)
{
	struct flowi4 fl4 = {
		.flowi4_oif	= dev->ifindex,
		.flowi4_mark	= skb->mark,
		.flowi4_flags	= FLOWI_FLAG_ANYSRC,
		.daddr		= ip_hdr(skb)->daddr,
		.saddr		= ip_hdr(skb)->saddr,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	if (IS_ERR(rt))
		return NULL;
	if (rt->dst.dev == dev && rt->rt_type == RTN_UNICAST)
		return &rt->dst;
	ip_rt_put(rt);
	return NULL;
}

/* With a source address IPv6 would take another device as well. */
static struct dst_entry *mackeep_steer_lookup6(struct net *net,
					       const struct sk_buff *skb,
					       const struct net_device *dev)
{
	struct flowi6 fl6 = {
		.flowi6_oif	= dev->ifindex,
		.flowi6_mark	= skb->mark,
		.daddr		= ipv6_hdr(skb)->daddr,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);

	if (!dst->error && dst->dev == dev)
		return dst;
	dst_release(dst);
	return NULL;
}

/*
 * The stack is to set the MAC of the next hop: a route by that device may name
 * a gateway. It is the caller's then.
 */
static struct dst_entry *mackeep_steer_hop(struct net *net,
					   const struct sk_buff *skb,
					   const struct mackeep_macs *macs,
					   const struct mackeep_policy *policy,
					   int dir,
					   const struct net_device *dev,
					   bool v6)
{
	u8 flag = dir == IP_CT_DIR_ORIGINAL ? MACKEEP_INFO_DST :
					      MACKEEP_INFO_SRC;

	if (likely(macs->flags & flag &&
		   !(policy->flags & XT_MACKEEP_KEEP_SRC)))
		return NULL;
	return v6 ? mackeep_steer_lookup6(net, skb, dev) :
		    mackeep_steer_lookup4(net, skb, dev);
}

/*
 * False if the packet is too big for the device; the route that was chosen, by
 * which the sender asks for its MTU, has that from here on. Where that route has
 * the lesser one, it may be that of the path: fragments are no larger.
 */
static bool mackeep_steer_fits(struct sk_buff *skb, const struct dst_entry *dst,
			       bool v6)
{
	unsigned int routed = dst_mtu(skb_dst(skb)), mtu = dst_mtu(dst);

	if (likely(routed == mtu))
		return true;
	if (routed < mtu) {
		if (skb->len <= routed || skb_is_gso(skb))
			return true;
		if (v6)
			IP6CB(skb)->frag_max_size = routed;
		else
			IPCB(skb)->frag_max_size = routed;
		return true;
	}
	if (likely(!mackeep_mtu_toobig(skb, mtu, v6)))
		return true;
	skb->dev = skb_dst(skb)->dev; /* is asked for, and set by IP behind us */
	skb_dst_update_pmtu_no_confirm(skb, mtu);
	return false;
}

/* --- the hooks ---------------------------------------------------------------- */

/* The packet is for this box itself, or for many, or not only IP's to send. */
static bool mackeep_steer_odd(const struct sk_buff *skb,
			      const struct nf_hook_state *state, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);

	return dst->dev->flags & IFF_LOOPBACK ||
	       netif_is_l3_master(state->out) || dst_xfrm(dst) ||
	       dst->lwtstate || mackeep_output_many(skb, v6);
}

/* By another device than that of its flow, as far as has been seen */
static noinline unsigned int
mackeep_steer_away(struct mackeep_net *mn, struct sk_buff *skb,
		   const struct nf_hook_state *state, bool v6)
{
	const struct mackeep_policy *policy;
	struct dst_entry *dst, *hop;
	struct mackeep_macs macs;
	int dir;

	if (unlikely(mackeep_steer_odd(skb, state, v6)))
		return NF_ACCEPT;
	dir = mackeep_steer_macs(mn, skb, v6, &macs);
	if (dir < 0 || !macs.ifindex)
		return NF_ACCEPT;
	policy = mackeep_policy_now(&mn->policies, macs.policy);
	if (!mackeep_policy_match(policy, skb, dir))
		return NF_ACCEPT;

	dst = mackeep_onlink(mn, macs.ifindex, v6);
	if (unlikely(!dst)) {
		MACKEEP_LEFT(mn, skb, nosteer);
		return NF_DROP_ERR(-ENETDOWN);
	}
	if (dst->dev == skb_dst(skb)->dev)
		return NF_ACCEPT;
	if (unlikely(!mackeep_steer_fits(skb, dst, v6))) {
		MACKEEP_LEFT(mn, skb, toobig);
		return NF_DROP_ERR(-EMSGSIZE);
	}

	hop = mackeep_steer_hop(mn->net, skb, &macs, policy, dir, dst->dev, v6);
	/* Without a reference the sender is under RCU all the packet's way. */
	if (hop || !skb_dst_is_noref(skb)) {
		skb_dst_drop(skb);
		skb_dst_set(skb, hop ?: dst_clone(dst));
	} else {
		skb_dst_set_noref(skb, dst);
	}
	MACKEEP_STAT_INC(mn, steered);
	return NF_ACCEPT;
}

static __always_inline unsigned int
mackeep_steer(struct mackeep_net *mn, struct sk_buff *skb,
	      const struct nf_hook_state *state, bool v6)
{
	const struct mackeep_record *rec = NULL;
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (ct)
		rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec)) {
		/* One word, which is right by itself */
		if (likely(READ_ONCE(rec->ifindex) == skb_dst(skb)->dev->ifindex))
			return NF_ACCEPT;
	} else if (likely(!mackeep_adopt_socket(skb))) {
		return NF_ACCEPT;
	}
	return mackeep_steer_away(mn, skb, state, v6);
}

static unsigned int mackeep_steer4(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return mackeep_steer(priv, skb, state, false);
}

static unsigned int mackeep_steer6(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return mackeep_steer(priv, skb, state, true);
}

/* IPv6 asks for no way back. */
static unsigned int mackeep_steer_in(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	struct in_device *in_dev = __in_dev_get_rcu(state->in);
	struct mackeep_net *mn = priv;
	enum ip_conntrack_info ctinfo;
	struct fib_result res;
	struct nf_conn *ct;
	struct flowi4 fl4 = {
		.flowi4_iif	= state->in->ifindex,
		.flowi4_mark	= skb->mark,
		.daddr		= ip_hdr(skb)->daddr,
		.saddr		= ip_hdr(skb)->saddr,
	};

	if (!in_dev || likely(!IN_DEV_RPFILTER(in_dev) &&
			      !IN_DEV_SRC_VMARK(in_dev)))
		return NF_ACCEPT;
	if (!skb->mark || skb->pkt_type != PACKET_HOST || skb_dst(skb) ||
	    nf_bridge_in_prerouting(skb))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &ctinfo);
	if (ct && !IS_ERR_OR_NULL(mackeep_record_find(ct)) &&
	    !fib_lookup(mn->net, &fl4, &res, 0) && res.type == RTN_LOCAL &&
	    res.table->tb_id != RT_TABLE_LOCAL)
		skb_dst_set_noref(skb, mn->steer.local);
	return NF_ACCEPT;
}

/* Behind all that would choose a route once more, or mark the packet */
static const struct nf_hook_ops mackeep_steer_hooks[] = {
	{
		.hook		= mackeep_steer_in,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_steer4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_LOCAL_OUT,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_steer6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_LOCAL_OUT,
		.priority	= NF_IP6_PRI_LAST,
	},
};

static struct dst_entry *mackeep_steer_local(struct net *net)
{
	struct rtable *rt = rt_dst_alloc(net->loopback_dev, RTCF_LOCAL,
					 RTN_LOCAL, false);

	if (!rt)
		return NULL;
	rt->rt_is_input = 1;
	return &rt->dst;
}

/*
 * May sleep, and needs mackeep_net_mutex. Packets that have a route of ours and
 * wait, in an NFQUEUE maybe, need no function of ours: they find the route dead.
 */
int mackeep_steer_set(struct mackeep_net *mn, bool on)
{
	struct mackeep_steer *steer = &mn->steer;
	int err;

	lockdep_assert_held(&mackeep_net_mutex);
	BUILD_BUG_ON(ARRAY_SIZE(steer->hooks) != ARRAY_SIZE(mackeep_steer_hooks));

	if (on == steer->on)
		return 0;
	if (!on) {
		nf_unregister_net_hooks(mn->net, steer->hooks,
					ARRAY_SIZE(steer->hooks));
		synchronize_net();
		mackeep_onlink_put(mn);
		dst_dev_put(steer->local);
		dst_release(steer->local);
		WRITE_ONCE(steer->on, false);
		return 0;
	}

	steer->local = mackeep_steer_local(mn->net);
	if (!steer->local)
		return -ENOMEM;
	err = mackeep_net_hook(mn, steer->hooks, mackeep_steer_hooks,
			       ARRAY_SIZE(steer->hooks));
	if (err)
		goto err_hooks;
	mackeep_onlink_get(mn);
	WRITE_ONCE(steer->on, true);
	return 0;

err_hooks:
	/* Some of them were there for a moment. */
	synchronize_net();
	dst_release(steer->local);
	return err;
}
