// SPDX-License-Identifier: GPL-2.0-only
/* What the neighbour table knows, for packets about to leave by skb->dev. */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "compat.h"
#include "device.h"
#include "neigh.h"

/* The MAC of a next hop; false, and it is being resolved, when not known. */
static bool mackeep_neigh_ask(struct neigh_table *tbl, const void *addr,
			      struct net_device *dev, u8 *mac)
{
	struct neighbour *n = __neigh_lookup(tbl, addr, dev, 1);
	bool valid;

	if (!n)
		return false;
	valid = READ_ONCE(n->nud_state) & NUD_VALID;
	if (valid)
		neigh_ha_snapshot(mac, n, dev);
	else if (mackeep_device_addressed(dev, tbl->family == AF_INET6))
		neigh_event_send(n, NULL);
	neigh_release(n);
	return valid && is_valid_ether_addr(mac);
}

/* The MAC that frames from saddr would come with by way of dev. */
static bool mackeep_neigh_source4(struct net *net, __be32 saddr,
				  struct net_device *dev, u8 *mac)
{
	struct flowi4 fl4 = { .daddr = saddr, .flowi4_oif = dev->ifindex };
	struct rtable *rt = ip_route_output_key(net, &fl4);
	bool found = false;

	if (IS_ERR(rt))
		return false;
	if (rt->dst.dev == dev && rt->rt_type == RTN_UNICAST &&
	    rt->rt_gw_family != AF_INET6)
		found = mackeep_neigh_ask(&arp_tbl,
					  rt->rt_gw_family ? &rt->rt_gw4 :
							     &saddr,
					  dev, mac);
	ip_rt_put(rt);
	return found;
}

static bool mackeep_neigh_source6(struct net *net, const struct in6_addr *saddr,
				  struct net_device *dev, u8 *mac)
{
	struct flowi6 fl6 = { .daddr = *saddr, .flowi6_oif = dev->ifindex };
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);
	struct in6_addr hop;
	bool found = false;

	if (!dst->error && dst->dev == dev) {
		hop = *rt6_nexthop(dst_rt6_info(dst), (struct in6_addr *)saddr);
		found = mackeep_neigh_ask(&nd_tbl, &hop, dev, mac);
	}
	dst_release(dst);
	return found;
}

/* The MAC that frames from the packet's source would come with. */
bool mackeep_neigh_source(struct net *net, const struct sk_buff *skb, bool v6,
			  u8 *mac)
{
	if (v6)
		return mackeep_neigh_source6(net, &ipv6_hdr(skb)->saddr,
					     skb->dev, mac);
	return mackeep_neigh_source4(net, ip_hdr(skb)->saddr, skb->dev, mac);
}

/*
 * The MAC that the stack would send to; false while it is not known. The stack
 * resolves it when it gets the packet; resolve: it will not get this one.
 */
bool mackeep_neigh_nexthop(struct sk_buff *skb, bool v6, bool resolve,
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
		if (resolve && mackeep_device_addressed(skb->dev, v6))
			neigh_event_send(n, NULL);
		return false;
	}
	neigh_ha_snapshot(mac, n, skb->dev);
	return true;
}

/* The next hop, if it is in the table; no reference is taken. */
static struct neighbour *mackeep_neigh_hop(const struct sk_buff *skb, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	struct net_device *dev = skb->dev;
	const struct rtable *rt;

	if (v6)
		return __ipv6_neigh_lookup_noref(dev, rt6_nexthop(dst_rt6_info(dst),
								  &ipv6_hdr(skb)->daddr));
	rt = dst_rtable(dst);
	return rt->rt_gw_family == AF_INET6 ?
	       __ipv6_neigh_lookup_noref(dev, &rt->rt_gw6) :
	       __ipv4_neigh_lookup_noref(dev, (__force u32)
					 rt_nexthop(rt, ip_hdr(skb)->daddr));
}

/* As mackeep_neigh_nexthop(), and nothing is asked of the network. */
bool mackeep_neigh_known(const struct sk_buff *skb, bool v6, u8 *mac)
{
	struct neighbour *n = mackeep_neigh_hop(skb, v6);

	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID))
		return false;
	neigh_ha_snapshot(mac, n, skb->dev);
	return true;
}

/*
 * Whether somebody has said what the next hop is: the route names a gateway, its MAC
 * was given by hand, or the destination is in a subnet where the device has an address.
 */
bool mackeep_neigh_configured(const struct sk_buff *skb, bool v6)
{
	const struct neighbour *n = mackeep_neigh_hop(skb, v6);
	const struct dst_entry *dst = skb_dst(skb);
	const struct in_device *in_dev;
	const struct in_ifaddr *ifa;

	if (n && READ_ONCE(n->nud_state) & NUD_PERMANENT)
		return true;
	if (v6)
		return dst_rt6_info(dst)->rt6i_flags & RTF_GATEWAY ||
		       ipv6_addr_type(&ipv6_hdr(skb)->daddr) &
			       IPV6_ADDR_LINKLOCAL ||
		       ipv6_chk_prefix(&ipv6_hdr(skb)->daddr, skb->dev);
	if (dst_rtable(dst)->rt_gw_family)
		return true;
	in_dev = __in_dev_get_rcu(skb->dev);
	if (in_dev)
		in_dev_for_each_ifa_rcu(ifa, in_dev)
			if (inet_ifa_match(ip_hdr(skb)->daddr, ifa))
				return true;
	return false;
}

/*
 * The stack is about to send this packet. If that is to a client that the stack did
 * not find itself, it does not ask for it, see feed.c.
 */
void mackeep_neigh_used(const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	struct neighbour *n;

	/* br_netfilter shows what is bridged, with a route that is none. */
	if (skb->dev != state->out || !skb_dst(skb))
		return;
	n = mackeep_neigh_hop(skb, state->pf == NFPROTO_IPV6);
	if (!n || !(n->flags & NTF_EXT_LEARNED))
		return;
	if (READ_ONCE(n->nud_state) & NUD_STALE)
		neigh_update(n, NULL, NUD_REACHABLE, 0, 0);
	else if (time_before(READ_ONCE(n->confirmed), jiffies))
		WRITE_ONCE(n->confirmed, jiffies);
}
