// SPDX-License-Identifier: GPL-2.0-only
/*
 * --last-hop: what answers a flow goes back to the MAC and the device that the
 * flow came from, and no route is asked. For traffic that is forwarded, into a
 * tunnel say, whose way back no route describes.
 *
 * Which packets go that way has to be settled before routing would drop them,
 * so at the end of PRE_ROUTING they get a route of our own: "out of this
 * device, on-link". From there they take the usual way of a forwarded packet,
 * FORWARD chain included, and POST_ROUTING gives them their header.
 *
 * Only flows that are known to be forwarded: a proxy's flows have an original
 * direction too, but it ends here, and so do the answers of its servers. That
 * a flow is forwarded is noted when it first passes FORWARD.
 *
 * Such a route depends on nothing but the device, so there is one for each
 * device and family, made when it is first needed and kept until the device or
 * the last rule goes. Readers are in hooks, under rcu_read_lock(); the list
 * changes under its lock, and what leaves it is released after RCU.
 */
#include <linux/if_arp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inetdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "compat.h"
#include "device.h"
#include "lasthop.h"
#include "mtu.h"
#include "net.h"
#include "record.h"

struct mackeep_lasthop_route {
	struct list_head list;
	struct dst_entry *dst;
	u32 ifindex;
	bool v6;
	struct rcu_head rcu;
};

/* --- the way of the packet behind PRE_ROUTING ------------------------------ */

static int mackeep_lasthop_finish(struct net *net, struct sock *sk,
				  struct sk_buff *skb)
{
	skb_clear_tstamp(skb);
	return dst_output(net, sk, skb);
}

/* As ip_forward() does, but for the IP options it would fill in. */
static int mackeep_lasthop_forward4(struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);
	struct dst_entry *dst;
	unsigned int mtu;

	if (skb->pkt_type != PACKET_HOST || skb->sk || skb_warn_if_lro(skb) ||
	    !xfrm4_policy_check(NULL, XFRM_POLICY_FWD, skb))
		goto drop;

	skb_forward_csum(skb);
	if (ip_hdr(skb)->ttl <= 1) {
		__IP_INC_STATS(net, IPSTATS_MIB_INHDRERRORS);
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		goto drop;
	}

	if (!xfrm4_route_forward(skb))
		goto drop;
	dst = skb_dst(skb);
	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);

	IPCB(skb)->flags |= IPSKB_FORWARDED;
	mtu = ip_dst_mtu_maybe_forward(dst, true);
	if (mackeep_mtu_toobig(skb, mtu, false)) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		goto drop;
	}

	if (skb_cow(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len))
		goto drop;
	ip_decrease_ttl(ip_hdr(skb));
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);

	return NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, NULL, skb, skb->dev,
		       dst->dev, mackeep_lasthop_finish);

drop:
	kfree_skb(skb);
	return NET_RX_DROP;
}

/* As ip6_forward() does. */
static int mackeep_lasthop_forward6(struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);
	struct inet6_dev *idev = __in6_dev_get(skb->dev);
	struct dst_entry *dst;
	unsigned int mtu;
	int type;

	if (skb->pkt_type != PACKET_HOST || skb->sk || skb_warn_if_lro(skb) ||
	    !xfrm6_policy_check(NULL, XFRM_POLICY_FWD, skb))
		goto drop;

	skb_forward_csum(skb);
	if (ipv6_hdr(skb)->hop_limit <= 1) {
		icmpv6_send(skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0);
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INHDRERRORS);
		goto drop;
	}

	if (!xfrm6_route_forward(skb))
		goto drop;
	dst = skb_dst(skb);

	type = ipv6_addr_type(&ipv6_hdr(skb)->saddr);
	if (type == IPV6_ADDR_ANY ||
	    type & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK |
		    IPV6_ADDR_LINKLOCAL)) {
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INADDRERRORS);
		goto drop;
	}
	__IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_OUTFORWDATAGRAMS);

	mtu = max_t(unsigned int, ip6_dst_mtu_maybe_forward(dst, true),
		    IPV6_MIN_MTU);
	if (mackeep_mtu_toobig(skb, mtu, true)) {
		/* The error comes from the address of that device. */
		skb->dev = dst->dev;
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INTOOBIGERRORS);
		__IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_FRAGFAILS);
		goto drop;
	}

	if (skb_cow(skb, LL_RESERVED_SPACE(dst->dev)))
		goto drop;
	ipv6_hdr(skb)->hop_limit--;

	return NF_HOOK(NFPROTO_IPV6, NF_INET_FORWARD, net, NULL, skb, skb->dev,
		       dst->dev, mackeep_lasthop_finish);

drop:
	kfree_skb(skb);
	return NET_RX_DROP;
}

/* --- the routes -------------------------------------------------------------- */

static struct dst_entry *mackeep_lasthop_dst4(struct net_device *dev)
{
	struct rtable *rt = rt_dst_alloc(dev, 0, RTN_UNICAST, false);

	if (!rt)
		return NULL;
	rt->rt_is_input = 1;
	rt->dst.input = mackeep_lasthop_forward4;
	return &rt->dst;
}

static struct dst_entry *mackeep_lasthop_dst6(struct net_device *dev)
{
	struct rt6_info *rt;

	rt = ip6_dst_alloc(dev_net(dev), dev, 0);
	if (!rt)
		return NULL;
	rt->rt6i_idev = in6_dev_get(dev);
	rt->dst.input = mackeep_lasthop_forward6;
	if (!rt->rt6i_idev || !mackeep_ip6_output(&rt->dst)) {
		dst_release(&rt->dst);
		return NULL;
	}
	return &rt->dst;
}

static void mackeep_lasthop_free(struct rcu_head *rcu)
{
	struct mackeep_lasthop_route *route =
		container_of(rcu, struct mackeep_lasthop_route, rcu);

	dst_release(route->dst);
	kfree(route);
}

/* Under lock. Packets that have the route still are dropped from here on. */
static void mackeep_lasthop_del(struct mackeep_lasthop_route *route)
{
	list_del_rcu(&route->list);
	dst_dev_put(route->dst);
	call_rcu(&route->rcu, mackeep_lasthop_free);
}

static struct mackeep_lasthop_route *
mackeep_lasthop_find(struct mackeep_lasthop *lh, u32 ifindex, bool v6)
{
	struct mackeep_lasthop_route *route;

	list_for_each_entry_rcu(route, &lh->routes, list,
				lockdep_is_held(&lh->lock))
		if (route->ifindex == ifindex && route->v6 == v6)
			return route;
	return NULL;
}

static struct mackeep_lasthop_route *
mackeep_lasthop_add(struct mackeep_net *mn, u32 ifindex, bool v6)
{
	struct net_device *dev = dev_get_by_index_rcu(mn->net, ifindex);
	struct mackeep_lasthop *lh = &mn->lasthop;
	struct mackeep_lasthop_route *route, *other;

	if (!dev || dev->type != ARPHRD_ETHER || !(dev->flags & IFF_UP) ||
	    (v6 && !__in6_dev_get(dev)))
		return NULL;

	route = kzalloc(sizeof(*route), GFP_ATOMIC | __GFP_NOWARN);
	if (!route)
		goto err_nomem;
	route->ifindex = ifindex;
	route->v6 = v6;
	route->dst = v6 ? mackeep_lasthop_dst6(dev) : mackeep_lasthop_dst4(dev);
	if (!route->dst)
		goto err_route;

	/*
	 * A device that goes changes its state before the notifier below comes
	 * for its routes, so none is added behind its back.
	 */
	spin_lock_bh(&lh->lock);
	other = mackeep_lasthop_find(lh, ifindex, v6);
	if (!other && dev->reg_state == NETREG_REGISTERED) {
		list_add_rcu(&route->list, &lh->routes);
		other = route;
	}
	spin_unlock_bh(&lh->lock);

	if (other != route) {
		dst_release(route->dst);
		kfree(route);
	}
	return other;

err_route:
	kfree(route);
err_nomem:
	MACKEEP_STAT_INC(mn, nomem);
	return NULL;
}

/* --- the hooks --------------------------------------------------------------- */

/*
 * The route for a packet that goes back by --last-hop; NULL for any other.
 * What a rule learned itself or another box handed over, not what the proxy's
 * own connections were adopted with: their answers are for the proxy.
 */
static struct dst_entry *
mackeep_lasthop_route(struct mackeep_net *mn, const struct sk_buff *skb,
		      bool local, bool v6)
{
	const struct mackeep_policy *policy;
	struct mackeep_lasthop_route *route;
	const struct mackeep_record *rec;
	enum ip_conntrack_info ctinfo;
	struct mackeep_macs macs;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || CTINFO2DIR(ctinfo) != IP_CT_DIR_REPLY)
		return NULL;
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec))
		return NULL;
	if (!local && !mackeep_record_forwarded(rec))
		return NULL;

	mackeep_record_read(ct, rec, &macs);
	if (!(macs.flags & MACKEEP_INFO_SRC) || !macs.ifindex ||
	    (macs.via != MACKEEP_VIA_LEARNED &&
	     macs.via != MACKEEP_VIA_RESTORED))
		return NULL;
	policy = mackeep_policy_now(&mn->policies, macs.policy);
	if (!(policy->flags & XT_MACKEEP_LAST_HOP) ||
	    !mackeep_policy_match(policy, skb, IP_CT_DIR_REPLY))
		return NULL;
	if (local && skb_dst(skb)->dev->ifindex == macs.ifindex)
		return NULL;

	route = mackeep_lasthop_find(&mn->lasthop, macs.ifindex, v6);
	if (!route) {
		macs.ifindex = mackeep_device_now(mn, macs.ifindex);
		route = mackeep_lasthop_find(&mn->lasthop, macs.ifindex, v6) ?:
			mackeep_lasthop_add(mn, macs.ifindex, v6);
	}
	if (!route || !(READ_ONCE(route->dst->dev)->flags & IFF_UP)) {
		MACKEEP_STAT_INC(mn, nohop);
		return NULL;
	}
	return route->dst;
}

static bool mackeep_lasthop_forwards(const struct net *net,
				     const struct net_device *in, bool v6)
{
	struct in_device *in_dev;

	if (v6)
		return READ_ONCE(net->ipv6.devconf_all->forwarding);
	in_dev = __in_dev_get_rcu(in);
	return in_dev && IN_DEV_FORWARD(in_dev);
}

/* Behind DNAT, which would drop the route again. */
static unsigned int mackeep_lasthop_in(struct mackeep_net *mn,
				       struct sk_buff *skb,
				       const struct nf_hook_state *state,
				       bool v6)
{
	struct dst_entry *dst;

	/* A socket has been found for it, or br_netfilter only shows it. */
	if (skb->sk || nf_bridge_in_prerouting(skb) ||
	    skb->pkt_type != PACKET_HOST)
		return NF_ACCEPT;

	dst = mackeep_lasthop_route(mn, skb, false, v6);
	if (!dst)
		return NF_ACCEPT;
	if (!mackeep_lasthop_forwards(mn->net, state->in, v6)) {
		MACKEEP_STAT_INC(mn, nohop);
		return NF_ACCEPT;
	}

	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	MACKEEP_STAT_INC(mn, lasthop);
	return NF_ACCEPT;
}

/* The answers of this box itself; RCU does not cover their whole way. */
static unsigned int mackeep_lasthop_local(struct mackeep_net *mn,
					  struct sk_buff *skb, bool v6)
{
	struct dst_entry *dst = mackeep_lasthop_route(mn, skb, true, v6);

	if (!dst)
		return NF_ACCEPT;
	skb_dst_drop(skb);
	skb_dst_set(skb, dst_clone(dst));
	MACKEEP_STAT_INC(mn, lasthop);
	return NF_ACCEPT;
}

static unsigned int mackeep_lasthop_in4(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return mackeep_lasthop_in(priv, skb, state, false);
}

static unsigned int mackeep_lasthop_in6(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return mackeep_lasthop_in(priv, skb, state, true);
}

static unsigned int mackeep_lasthop_local4(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	return mackeep_lasthop_local(priv, skb, false);
}

static unsigned int mackeep_lasthop_local6(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	return mackeep_lasthop_local(priv, skb, true);
}

static unsigned int mackeep_lasthop_pass(void *priv, struct sk_buff *skb,
					 const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL ||
	    skb->pkt_type != PACKET_HOST)
		return NF_ACCEPT;
	rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec) && !mackeep_record_forwarded(rec))
		mackeep_record_set_forwarded(ct, rec, true);
	return NF_ACCEPT;
}

#define MACKEEP_LASTHOP_OP(fn, family, num) {	\
	.hook		= fn,			\
	.pf		= family,		\
	.hooknum	= num,			\
	.priority	= INT_MAX,		\
}

static const struct nf_hook_ops mackeep_lasthop_steer[] = {
	MACKEEP_LASTHOP_OP(mackeep_lasthop_in4, NFPROTO_IPV4,
			   NF_INET_PRE_ROUTING),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_in6, NFPROTO_IPV6,
			   NF_INET_PRE_ROUTING),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_local4, NFPROTO_IPV4,
			   NF_INET_LOCAL_OUT),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_local6, NFPROTO_IPV6,
			   NF_INET_LOCAL_OUT),
};

static const struct nf_hook_ops mackeep_lasthop_watch[] = {
	MACKEEP_LASTHOP_OP(mackeep_lasthop_pass, NFPROTO_IPV4,
			   NF_INET_FORWARD),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_pass, NFPROTO_IPV6,
			   NF_INET_FORWARD),
};

/* --- life cycle, all under mackeep_net_mutex ---------------------------------- */

static void mackeep_lasthop_flush(struct mackeep_lasthop *lh,
				  const struct net_device *dev)
{
	struct mackeep_lasthop_route *route, *next;

	spin_lock_bh(&lh->lock);
	list_for_each_entry_safe(route, next, &lh->routes, list)
		if (!dev || route->ifindex == dev->ifindex)
			mackeep_lasthop_del(route);
	spin_unlock_bh(&lh->lock);
}

int mackeep_lasthop_get(struct mackeep_net *mn)
{
	struct mackeep_lasthop *lh = &mn->lasthop;
	int err;

	lockdep_assert_held(&mackeep_net_mutex);

	if (lh->rules++)
		return 0;

	BUILD_BUG_ON(ARRAY_SIZE(lh->steer) != ARRAY_SIZE(mackeep_lasthop_steer));
	BUILD_BUG_ON(ARRAY_SIZE(lh->watch) != ARRAY_SIZE(mackeep_lasthop_watch));
	err = mackeep_net_hook(mn, lh->watch, mackeep_lasthop_watch,
			       ARRAY_SIZE(lh->watch));
	if (err)
		goto err_rules;
	err = mackeep_net_hook(mn, lh->steer, mackeep_lasthop_steer,
			       ARRAY_SIZE(lh->steer));
	if (err)
		goto err_watch;
	lh->hooked = true;
	return 0;

err_watch:
	nf_unregister_net_hooks(mn->net, lh->watch, ARRAY_SIZE(lh->watch));
err_rules:
	lh->rules--;
	return err;
}

/*
 * Also for a namespace that goes while it has rules. Packets on their way
 * through FORWARD, in an NFQUEUE maybe, would come back to our functions: taking
 * hooks away drops what is queued, so the second time is after the last packet
 * was given our route.
 */
void mackeep_lasthop_stop(struct mackeep_net *mn)
{
	struct mackeep_lasthop *lh = &mn->lasthop;

	lockdep_assert_held(&mackeep_net_mutex);

	if (!lh->hooked)
		return;
	nf_unregister_net_hooks(mn->net, lh->steer, ARRAY_SIZE(lh->steer));
	synchronize_net();
	mackeep_lasthop_flush(lh, NULL);
	nf_unregister_net_hooks(mn->net, lh->watch, ARRAY_SIZE(lh->watch));
	lh->hooked = false;
}

void mackeep_lasthop_put(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (!--mn->lasthop.rules)
		mackeep_lasthop_stop(mn);
}

void mackeep_lasthop_net_init(struct mackeep_net *mn)
{
	INIT_LIST_HEAD(&mn->lasthop.routes);
	spin_lock_init(&mn->lasthop.lock);
}

static int mackeep_lasthop_event(struct notifier_block *nb,
				 unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER)
		mackeep_lasthop_flush(&mackeep_net(dev_net(dev))->lasthop, dev);
	return NOTIFY_DONE;
}

static struct notifier_block mackeep_lasthop_notifier = {
	.notifier_call = mackeep_lasthop_event,
};

int mackeep_lasthop_init(void)
{
	return register_netdevice_notifier(&mackeep_lasthop_notifier);
}

void mackeep_lasthop_exit(void)
{
	unregister_netdevice_notifier(&mackeep_lasthop_notifier);
	rcu_barrier(); /* mackeep_lasthop_free() */
}
