// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a flow that the box opens in a client's name gets its MACs from: the
 * pair cache, else the neighbour table for the source and the route for the
 * destination. Once per flow; the record keeps the result.
 */
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>
#include <net/tcp.h>

#include "mackeep.h"

/*
 * Whether a packet about to leave was made here, from an address not ours. In a
 * VRF ours are in its own table, and the others' routes as well.
 */
bool mackeep_adopt_foreign(const struct sk_buff *skb, struct net *net, bool v6)
{
	const struct net_device *dev = skb->dev;
	const struct in6_addr *saddr;

	if (mackeep_forwarded(skb))
		return false;
	if (!v6) {
		switch (inet_addr_type_dev_table(net, dev, ip_hdr(skb)->saddr)) {
		case RTN_LOCAL:
		case RTN_ANYCAST:
		case RTN_BROADCAST:
		case RTN_MULTICAST:
			return false;
		}
		return true;
	}

	saddr = &ipv6_hdr(skb)->saddr;
	return ipv6_addr_type(saddr) & IPV6_ADDR_UNICAST &&
	       !(ipv6_addr_type(saddr) & IPV6_ADDR_LINKLOCAL) &&
	       !ipv6_chk_addr(net, saddr, dev, 0);
}

/* Whether it is this box speaking for another. */
bool mackeep_adopt_wanted(const struct sk_buff *skb, struct net *net, bool v6)
{
	return mackeep_adopt_socket(skb) &&
	       mackeep_adopt_foreign(skb, net, v6);
}

/* The MAC of a next hop; false, and it is being resolved, when not known. */
static bool mackeep_adopt_neigh(struct neigh_table *tbl, const void *addr,
				struct net_device *dev, u8 *mac)
{
	struct neighbour *n = __neigh_lookup(tbl, addr, dev, 1);
	bool valid;

	if (!n)
		return false;
	valid = READ_ONCE(n->nud_state) & NUD_VALID;
	if (valid)
		neigh_ha_snapshot(mac, n, dev);
	else
		neigh_event_send(n, NULL);
	neigh_release(n);
	return valid && is_valid_ether_addr(mac);
}

/* The MAC that frames from saddr would come with by way of dev. */
static bool mackeep_adopt_neigh4(struct net *net, __be32 saddr,
				 struct net_device *dev, u8 *mac)
{
	struct flowi4 fl4 = { .daddr = saddr, .flowi4_oif = dev->ifindex };
	struct rtable *rt = ip_route_output_key(net, &fl4);
	bool found = false;

	if (IS_ERR(rt))
		return false;
	if (rt->dst.dev == dev && rt->rt_type == RTN_UNICAST &&
	    rt->rt_gw_family != AF_INET6)
		found = mackeep_adopt_neigh(&arp_tbl,
					    rt->rt_gw_family ? &rt->rt_gw4 :
							       &saddr,
					    dev, mac);
	ip_rt_put(rt);
	return found;
}

static bool mackeep_adopt_neigh6(struct net *net, const struct in6_addr *saddr,
				 struct net_device *dev, u8 *mac)
{
	struct flowi6 fl6 = { .daddr = *saddr, .flowi6_oif = dev->ifindex };
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);
	struct in6_addr hop;
	bool found = false;

	if (!dst->error && dst->dev == dev) {
		hop = *rt6_nexthop(dst_rt6_info(dst), (struct in6_addr *)saddr);
		found = mackeep_adopt_neigh(&nd_tbl, &hop, dev, mac);
	}
	dst_release(dst);
	return found;
}

/* Only for a socket that says it speaks for another. */
static bool mackeep_adopt_by_neigh(struct mackeep_net *mn,
				   const struct sk_buff *skb, bool v6,
				   struct mackeep_macs *macs)
{
	const struct sock *sk = skb_to_full_sk(skb);
	struct net_device *out = skb->dev;
	bool found;

	if (!READ_ONCE(mn->neigh) || !sk || !inet_sk_transparent(sk))
		return false;
	/* No rule has seen a frame of it: it is under the one added last. */
	macs->policy = mackeep_policy_instead(mn, &mn->policy_none)->id;

	found = v6 ? mackeep_adopt_neigh6(mn->net, &ipv6_hdr(skb)->saddr, out,
					  macs->src) :
		     mackeep_adopt_neigh4(mn->net, ip_hdr(skb)->saddr, out,
					  macs->src);
	macs->ifindex = out->ifindex;
	macs->flags = MACKEEP_INFO_SRC;
	macs->via = MACKEEP_VIA_NEIGH;
	return found;
}

/*
 * What clients show as the MAC of a router may be of one that has gone since;
 * what the router itself, or another in its place, has shown counts more.
 */
static void mackeep_adopt_moved(struct mackeep_net *mn,
				const struct mackeep_pair_key *key,
				const union nf_inet_addr *server, u8 *mac)
{
	mackeep_move_follow(mn, key->ifindex, key->family, server, 0, mac);
}

/* was: as of mackeep_pair_find() */
static bool mackeep_adopt_by_pair(struct mackeep_net *mn,
				  const struct mackeep_pair_key *key,
				  struct mackeep_macs *macs,
				  struct mackeep_pair_was *was)
{
	struct mackeep_pair_key other = *key;
	u8 mac[ETH_ALEN];

	if (mackeep_pair_find(mn, key, macs, was)) {
		macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
		macs->via = MACKEEP_VIA_PAIR;
		if (!mackeep_pair_fixed(mn, macs->policy)) {
			mackeep_adopt_moved(mn, key, &key->server, macs->dst);
			mackeep_adopt_moved(mn, key, &key->server, was->dst);
		}
		return true;
	}

	swap(other.client, other.server);
	if (mackeep_pair_find(mn, &other, macs, was)) {
		ether_addr_copy(mac, macs->src);
		ether_addr_copy(macs->src, macs->dst);
		ether_addr_copy(macs->dst, mac);
		ether_addr_copy(mac, was->src);
		ether_addr_copy(was->src, was->dst);
		ether_addr_copy(was->dst, mac);
		macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
		macs->via = MACKEEP_VIA_REVERSE;
		if (!mackeep_pair_fixed(mn, macs->policy)) {
			mackeep_adopt_moved(mn, key, &key->client, macs->src);
			mackeep_adopt_moved(mn, key, &key->client, was->src);
		}
		return true;
	}

	other.client = key->client;
	memset(&other.server, 0, sizeof(other.server));
	macs->flags = MACKEEP_INFO_SRC;
	macs->via = MACKEEP_VIA_CLIENT;
	return mackeep_pair_find(mn, &other, macs, was);
}

/* The pair that a flow was adopted by may be forgotten by now. */
static void mackeep_adopt_follow(struct mackeep_net *mn,
				 const struct mackeep_pair_key *key,
				 struct mackeep_macs *macs)
{
	if (mackeep_pair_fixed(mn, macs->policy))
		return;
	if (macs->via == MACKEEP_VIA_PAIR)
		mackeep_adopt_moved(mn, key, &key->server, macs->dst);
	else if (macs->via == MACKEEP_VIA_REVERSE)
		mackeep_adopt_moved(mn, key, &key->client, macs->src);
}

static bool mackeep_adopt_mac(const u8 *old, const u8 *new, const u8 *was)
{
	return ether_addr_equal(old, new) || ether_addr_equal(old, was);
}

/*
 * Whether a flow that has MACs takes those which its pair has now. It does when
 * its client has shown that it moved, with a flow of its own, or said so; not
 * when somebody else has come to show other MACs. What shows in datagrams is
 * proof for datagrams.
 */
static bool mackeep_adopt_may(const struct nf_conn *ct,
			      const struct mackeep_macs *old,
			      const struct mackeep_macs *new,
			      const struct mackeep_pair_was *was)
{
	if (old->flags & ~new->flags)
		return false;
	if (ether_addr_equal(old->src, new->src) &&
	    ether_addr_equal(old->dst, new->dst))
		return true;
	if (was->weak && nf_ct_protonum(ct) == IPPROTO_TCP)
		return false;
	return mackeep_adopt_mac(old->src, new->src, was->src) &&
	       (!(old->flags & MACKEEP_INFO_DST) ||
		mackeep_adopt_mac(old->dst, new->dst, was->dst));
}

/* The addresses that a flow's packets leave with: NAT may have changed them. */
static void mackeep_adopt_key(struct mackeep_pair_key *key,
			      const struct nf_conn *ct, u32 ifindex)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_REPLY].tuple;

	mackeep_pair_key_ct(key, ct, ifindex);
	if (likely(!(READ_ONCE(ct->status) & IPS_NAT_MASK)))
		return;
	key->client = tuple->dst.u3;
	key->server = tuple->src.u3;
}

/*
 * Under rcu_read_lock(), for a packet about to leave by skb->dev. Replaces
 * macs if something better, or as good and newer, is known; false if there is
 * nothing known at all. The options are the pair's, unless a rule in OUTPUT gave
 * the flow its own.
 */
bool mackeep_adopt(struct mackeep_net *mn, const struct sk_buff *skb,
		   const struct nf_conn *ct, struct mackeep_macs *macs)
{
	bool v6 = nf_ct_l3num(ct) == NFPROTO_IPV6;
	struct mackeep_pair_was was = {};
	struct mackeep_macs new = {};
	u32 news = mackeep_net_now(mn);
	struct mackeep_pair_key key;
	bool found;

	mackeep_adopt_key(&key, ct, skb->dev->ifindex);
	found = mackeep_adopt_by_pair(mn, &key, &new, &was);
	if (macs->flags) {
		mackeep_adopt_follow(mn, &key, macs);
		if (!found || !mackeep_adopt_may(ct, macs, &new, &was)) {
			macs->checked = news;
			return true;
		}
	} else if (!found && !mackeep_adopt_by_neigh(mn, skb, v6, &new)) {
		return false;
	}

	if (macs->ruled) {
		new.policy = macs->policy;
		new.ruled = true;
	}
	*macs = new;
	return true;
}

/*
 * As above for an answer in a flow of which only the client's MAC is known:
 * adds the other one.
 */
bool mackeep_adopt_far(struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct nf_conn *ct, bool v6,
		       struct mackeep_macs *macs)
{
	struct mackeep_pair_key key;
	struct mackeep_macs new;

	mackeep_pair_key_ct(&key, ct, skb->dev->ifindex);
	if (mackeep_pair_find(mn, &key, &new, NULL))
		ether_addr_copy(macs->dst, new.dst);
	else if (mackeep_adopt_by_neigh(mn, skb, v6, &new))
		ether_addr_copy(macs->dst, new.src);
	else
		return false;
	macs->flags |= MACKEEP_INFO_DST;
	return true;
}

/*
 * As above for a packet whose flow has no record to keep anything in. macs are
 * those of the packet's own direction; the return value tells which direction
 * of a flow from client to server that is, or that nothing is known.
 */
int mackeep_adopt_packet(struct mackeep_net *mn, const struct sk_buff *skb,
			 const struct nf_conn *ct, bool v6,
			 struct mackeep_macs *macs)
{
	struct mackeep_pair_was was;
	struct mackeep_pair_key key;

	mackeep_pair_key_skb(&key, skb, ct, skb->dev->ifindex, v6);
	if (!mackeep_adopt_by_pair(mn, &key, macs, &was) &&
	    !mackeep_adopt_by_neigh(mn, skb, v6, macs))
		return -ENOENT;
	return macs->via == MACKEEP_VIA_REVERSE ? IP_CT_DIR_REPLY :
						  IP_CT_DIR_ORIGINAL;
}
