// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes of our own: "out of this device, on-link". lasthop.c and steer.c give
 * them to packets that have to leave by the device where their flow is known.
 *
 * Such a route depends on nothing but the device, so there is one for each
 * device and family, made when it is first needed and kept until the device or
 * the last user goes. Readers are in hooks, under rcu_read_lock(); the list
 * changes under its lock, and what leaves it is released after RCU.
 *
 * What a packet came in with takes the usual way of a forwarded one from there;
 * what this box sends takes that of all it sends.
 */
#include <linux/if_arp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
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
#include "mtu.h"
#include "net.h"
#include "onlink.h"

struct mackeep_onlink_route {
	struct hlist_node node;
	struct dst_entry *dst;
	u32 ifindex;
	bool v6;
	struct rcu_head rcu;
};

/* --- what came in ------------------------------------------------------------ */

static int mackeep_onlink_finish(struct net *net, struct sock *sk,
				 struct sk_buff *skb)
{
	skb_clear_tstamp(skb);
	return dst_output(net, sk, skb);
}

/* As ip_forward() does, but for the IP options it would fill in. */
static int mackeep_onlink_forward4(struct sk_buff *skb)
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
		       dst->dev, mackeep_onlink_finish);

drop:
	kfree_skb(skb);
	return NET_RX_DROP;
}

/* As ip6_forward() does. */
static int mackeep_onlink_forward6(struct sk_buff *skb)
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
		       dst->dev, mackeep_onlink_finish);

drop:
	kfree_skb(skb);
	return NET_RX_DROP;
}

/* --- the routes -------------------------------------------------------------- */

static struct dst_entry *mackeep_onlink_dst4(struct net_device *dev)
{
	struct rtable *rt = rt_dst_alloc(dev, 0, RTN_UNICAST, false);

	if (!rt)
		return NULL;
	rt->rt_is_input = 1;
	rt->dst.input = mackeep_onlink_forward4;
	return &rt->dst;
}

static struct dst_entry *mackeep_onlink_dst6(struct net_device *dev)
{
	struct rt6_info *rt;

	rt = ip6_dst_alloc(dev_net(dev), dev, 0);
	if (!rt)
		return NULL;
	rt->rt6i_idev = in6_dev_get(dev);
	rt->dst.input = mackeep_onlink_forward6;
	if (!rt->rt6i_idev || !mackeep_ip6_output(&rt->dst)) {
		dst_release(&rt->dst);
		return NULL;
	}
	return &rt->dst;
}

static void mackeep_onlink_free(struct rcu_head *rcu)
{
	struct mackeep_onlink_route *route =
		container_of(rcu, struct mackeep_onlink_route, rcu);

	dst_release(route->dst);
	kfree(route);
}

/* Under lock. Packets that have the route still are dropped from here on. */
static void mackeep_onlink_del(struct mackeep_onlink_route *route)
{
	hlist_del_rcu(&route->node);
	dst_dev_put(route->dst);
	call_rcu(&route->rcu, mackeep_onlink_free);
}

static struct hlist_head *mackeep_onlink_bucket(struct mackeep_onlink *onlink,
						u32 ifindex)
{
	return &onlink->routes[ifindex % ARRAY_SIZE(onlink->routes)];
}

static struct mackeep_onlink_route *
mackeep_onlink_find(struct mackeep_onlink *onlink, u32 ifindex, bool v6)
{
	struct mackeep_onlink_route *route;

	hlist_for_each_entry_rcu(route, mackeep_onlink_bucket(onlink, ifindex),
				 node, lockdep_is_held(&onlink->lock))
		if (route->ifindex == ifindex && route->v6 == v6)
			return route;
	return NULL;
}

static struct mackeep_onlink_route *
mackeep_onlink_add(struct mackeep_net *mn, u32 ifindex, bool v6)
{
	struct net_device *dev = dev_get_by_index_rcu(mn->net, ifindex);
	struct mackeep_onlink *onlink = &mn->onlink;
	struct mackeep_onlink_route *route, *other;

	if (!dev || dev->type != ARPHRD_ETHER || !(dev->flags & IFF_UP) ||
	    (v6 && !__in6_dev_get(dev)))
		return NULL;

	route = kzalloc(sizeof(*route), GFP_ATOMIC | __GFP_NOWARN);
	if (!route)
		goto err_nomem;
	route->ifindex = ifindex;
	route->v6 = v6;
	route->dst = v6 ? mackeep_onlink_dst6(dev) : mackeep_onlink_dst4(dev);
	if (!route->dst)
		goto err_route;

	/*
	 * A device that goes changes its state before the notifier below comes
	 * for its routes, so none is added behind its back.
	 */
	spin_lock_bh(&onlink->lock);
	other = mackeep_onlink_find(onlink, ifindex, v6);
	if (!other && dev->reg_state == NETREG_REGISTERED) {
		hlist_add_head_rcu(&route->node,
				   mackeep_onlink_bucket(onlink, ifindex));
		other = route;
	}
	spin_unlock_bh(&onlink->lock);

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

/*
 * Under rcu_read_lock(). The route by that device, or by the one that has its
 * name now; NULL if it is down, gone, or has no such protocol.
 */
struct dst_entry *mackeep_onlink(struct mackeep_net *mn, u32 ifindex, bool v6)
{
	struct mackeep_onlink *onlink = &mn->onlink;
	struct mackeep_onlink_route *route;

	route = mackeep_onlink_find(onlink, ifindex, v6);
	if (unlikely(!route)) {
		ifindex = mackeep_device_now(mn, ifindex);
		route = mackeep_onlink_find(onlink, ifindex, v6) ?:
			mackeep_onlink_add(mn, ifindex, v6);
	}
	if (!route || !(READ_ONCE(route->dst->dev)->flags & IFF_UP))
		return NULL;
	return route->dst;
}

/* --- life cycle ----------------------------------------------------------------- */

static void mackeep_onlink_flush(struct mackeep_onlink *onlink,
				 const struct net_device *dev)
{
	struct mackeep_onlink_route *route;
	struct hlist_node *next;
	unsigned int i;

	spin_lock_bh(&onlink->lock);
	for (i = 0; i < ARRAY_SIZE(onlink->routes); i++)
		hlist_for_each_entry_safe(route, next, &onlink->routes[i], node)
			if (!dev || route->ifindex == dev->ifindex)
				mackeep_onlink_del(route);
	spin_unlock_bh(&onlink->lock);
}

/* For who has hooks that give packets such routes */
void mackeep_onlink_get(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	mn->onlink.users++;
}

/* The user's hooks are gone, and RCU has been waited for. */
void mackeep_onlink_put(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (!--mn->onlink.users)
		mackeep_onlink_flush(&mn->onlink, NULL);
}

void mackeep_onlink_net_init(struct mackeep_net *mn)
{
	spin_lock_init(&mn->onlink.lock);
}

static int mackeep_onlink_event(struct notifier_block *nb, unsigned long event,
				void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER)
		mackeep_onlink_flush(&mackeep_net(dev_net(dev))->onlink, dev);
	return NOTIFY_DONE;
}

static struct notifier_block mackeep_onlink_notifier = {
	.notifier_call = mackeep_onlink_event,
};

int mackeep_onlink_init(void)
{
	return register_netdevice_notifier(&mackeep_onlink_notifier);
}

void mackeep_onlink_exit(void)
{
	unregister_netdevice_notifier(&mackeep_onlink_notifier);
	rcu_barrier(); /* mackeep_onlink_free() */
}
