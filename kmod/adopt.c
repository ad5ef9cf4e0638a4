// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which MACs a packet that leaves gets. A flow that came in has them in its
 * record. One that the box opens in a client's name adopts those of the pair
 * cache, or else of the neighbour table for the source; for a destination that these
 * do not know, that of router.c, or else the route's. All of that is decided once, the
 * record keeps the result. When the genid has changed since, a record is looked at
 * again.
 *
 * All of it runs under rcu_read_lock(), in process context or softirq, on many
 * CPUs for one flow. A record is only written where it still is what was read.
 */
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/route.h>

#include <linux/mackeep.h>

#include "adopt.h"
#include "await.h"
#include "neigh.h"
#include "net.h"
#include "record.h"
#include "router.h"
#include "tag.h"

/*
 * Whether a packet about to leave was made here, from an address not ours. In a
 * VRF ours are in its own table, and the others' routes as well.
 */
bool mackeep_adopt_foreign(const struct sk_buff *skb, struct net *net, bool v6)
{
	const struct net_device *dev = skb_dst(skb)->dev;
	const struct in6_addr *saddr;

	if (mackeep_adopt_forwarded(skb))
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

/* Only for a socket that says it speaks for another. */
static bool mackeep_adopt_by_neigh(struct mackeep_net *mn,
				   const struct sk_buff *skb, bool v6,
				   struct mackeep_macs *macs)
{
	const struct sock *sk = skb_to_full_sk(skb);

	if (!READ_ONCE(mn->neigh) || !sk || !inet_sk_transparent(sk))
		return false;
	/* No rule has seen a frame of it: it is under the one added last. */
	macs->policy = mackeep_policy_instead(&mn->policies,
					      &mn->policies.none)->id;
	macs->ifindex = skb->dev->ifindex;
	macs->tag = 0;
	macs->flags = MACKEEP_INFO_SRC;
	macs->via = MACKEEP_VIA_NEIGH;
	macs->checked = mackeep_genid_date(mn);
	return mackeep_neigh_source(mn->net, skb, v6, macs->src);
}

/*
 * What clients show as the MAC of a router may be of one that has gone since;
 * what the router itself, or another in its place, has shown counts more.
 */
static void mackeep_adopt_moved(struct mackeep_net *mn,
				const struct mackeep_pair_key *key, u32 tag,
				const union nf_inet_addr *server, u8 *mac)
{
	struct mackeep_segment on = {
		.ifindex = key->ifindex,
		.vlan = mackeep_tag_vlan(tag),
	};

	mackeep_move_follow(mn, on, key->family, server, 0, mac);
}

/* was: as of mackeep_pair_find() */
static bool mackeep_adopt_by_pair(struct mackeep_net *mn,
				  const struct mackeep_pair_key *key,
				  struct mackeep_macs *macs,
				  struct mackeep_pair_was *was)
{
	struct mackeep_pair_key other = *key;
	u8 mac[ETH_ALEN];

	if (mackeep_pair_find(mn, key, macs, was) &&
	    macs->via == MACKEEP_VIA_PAIR) {
		macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
		if (!mackeep_policy_fixed(&mn->policies, macs->policy)) {
			mackeep_adopt_moved(mn, key, macs->tag, &key->server,
					    macs->dst);
			mackeep_adopt_moved(mn, key, macs->tag, &key->server,
					    was->dst);
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
		if (!mackeep_policy_fixed(&mn->policies, macs->policy)) {
			mackeep_adopt_moved(mn, key, macs->tag, &key->client,
					    macs->src);
			mackeep_adopt_moved(mn, key, macs->tag, &key->client,
					    was->src);
		}
		return true;
	}

	other.client = key->client;
	memset(&other.server, 0, sizeof(other.server));
	if (!mackeep_pair_find(mn, &other, macs, was))
		return false;
	macs->flags = MACKEEP_INFO_SRC;
	macs->via = MACKEEP_VIA_CLIENT;
	return true;
}

/* Whether nobody has said which is the packet's next hop: then frames may tell. */
static bool mackeep_adopt_unsaid(struct mackeep_net *mn,
				 const struct sk_buff *skb, bool v6, u8 policy)
{
	return !(mackeep_policy_now(&mn->policies, policy)->flags &
		 (XT_MACKEEP_KEEP_SRC | XT_MACKEEP_NEXT_HOP_ROUTE)) &&
	       !mackeep_neigh_configured(skb, v6);
}

/*
 * The source is known, and the client never sent to this server: the next hop is the
 * server itself or the client's router.
 */
static void mackeep_adopt_by_router(struct mackeep_net *mn,
				    const struct sk_buff *skb,
				    const struct mackeep_pair_key *key,
				    struct mackeep_macs *macs)
{
	if (macs->flags & MACKEEP_INFO_DST ||
	    !mackeep_adopt_unsaid(mn, skb, key->family == NFPROTO_IPV6,
				  macs->policy) ||
	    !mackeep_router_hop(mn, key, mackeep_tag_vlan(macs->tag),
				macs->dst))
		return;
	macs->flags |= MACKEEP_INFO_DST;
	macs->via = MACKEEP_VIA_ROUTER;
	if (!mackeep_policy_fixed(&mn->policies, macs->policy))
		mackeep_adopt_moved(mn, key, macs->tag, &key->server,
				    macs->dst);
	mackeep_pair_note(mn, key, macs);
}

/*
 * A flow of the box itself, which a rule in OUTPUT has named: from its own MAC to
 * where the clients' frames go. macs is what the flow has, if it has any.
 */
static bool mackeep_adopt_own(struct mackeep_net *mn, const struct sk_buff *skb,
			      const struct mackeep_pair_key *key,
			      struct mackeep_macs *macs)
{
	u64 date = mackeep_genid_date(mn);
	u8 mac[ETH_ALEN];

	ether_addr_copy(mac, macs->dst);
	macs->checked = date;
	if (!mackeep_adopt_unsaid(mn, skb, key->family == NFPROTO_IPV6,
				  macs->policy) ||
	    !mackeep_router_own(mn, key, mac))
		return macs->flags;
	if (!mackeep_policy_fixed(&mn->policies, macs->policy))
		mackeep_adopt_moved(mn, key, 0, &key->server, mac);
	ether_addr_copy(macs->dst, mac);
	macs->ifindex = key->ifindex;
	macs->flags = MACKEEP_INFO_DST;
	macs->via = MACKEEP_VIA_ROUTER;
	return true;
}

/* The pair that a flow was adopted by may be forgotten by now. */
static void mackeep_adopt_follow_move(struct mackeep_net *mn,
				      const struct mackeep_pair_key *key,
				      struct mackeep_macs *macs)
{
	if (mackeep_policy_fixed(&mn->policies, macs->policy))
		return;
	if (macs->via == MACKEEP_VIA_PAIR || macs->via == MACKEEP_VIA_ROUTER)
		mackeep_adopt_moved(mn, key, macs->tag, &key->server,
				    macs->dst);
	else if (macs->via == MACKEEP_VIA_REVERSE)
		mackeep_adopt_moved(mn, key, macs->tag, &key->client,
				    macs->src);
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
	if (old->flags & ~new->flags ||
	    mackeep_tag_vlan(old->tag) != mackeep_tag_vlan(new->tag))
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
 * Replaces macs if something better, or as good and newer, is known; false if
 * nothing is known at all. The options are the pair's, unless a rule in OUTPUT
 * gave the flow its own.
 */
static bool mackeep_adopt_opened(struct mackeep_net *mn,
				 const struct sk_buff *skb,
				 const struct nf_conn *ct,
				 struct mackeep_macs *macs)
{
	bool v6 = nf_ct_l3num(ct) == NFPROTO_IPV6;
	struct mackeep_pair_was was = {};
	struct mackeep_macs new = {};
	u64 date = mackeep_genid_date(mn);
	enum ip_conntrack_info ctinfo;
	struct mackeep_pair_key key;
	bool found, orig;

	nf_ct_get(skb, &ctinfo);
	orig = CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL;
	mackeep_adopt_key(&key, ct, skb->dev->ifindex);
	found = mackeep_adopt_by_pair(mn, &key, &new, &was);
	if (!found && orig && !mackeep_adopt_foreign(skb, mn->net, v6))
		return mackeep_adopt_own(mn, skb, &key, macs);
	if (!found && (!macs->flags || macs->via == MACKEEP_VIA_NEIGH))
		found = mackeep_adopt_by_neigh(mn, skb, v6, &new);
	if (found && macs->ruled) {
		new.policy = macs->policy;
		new.ruled = true;
	}
	if (found && orig)
		mackeep_adopt_by_router(mn, skb, &key, &new);

	if (macs->flags) {
		mackeep_adopt_follow_move(mn, &key, macs);
		if (!found || !mackeep_adopt_may(ct, macs, &new, &was)) {
			macs->checked = date;
			return true;
		}
	}
	if (found)
		*macs = new;
	return found;
}

/*
 * A flow whose frames came with their h_dest destroyed: its answers are from
 * whoever the packet speaks for, as the pair cache or the neighbour table has
 * it. The record keeps that.
 */
static void mackeep_adopt_complete(struct mackeep_net *mn,
				   const struct sk_buff *skb,
				   struct nf_conn *ct,
				   struct mackeep_record *rec, bool v6,
				   struct mackeep_macs *macs)
{
	struct mackeep_macs old = *macs, new;
	enum ip_conntrack_info ctinfo;
	struct mackeep_pair_key key;

	nf_ct_get(skb, &ctinfo);
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_REPLY ||
	    mackeep_adopt_forwarded(skb))
		return;
	mackeep_pair_key_ct(&key, ct, skb->dev->ifindex);
	if (mackeep_pair_find(mn, &key, &new, NULL))
		ether_addr_copy(macs->dst, new.dst);
	else if (mackeep_adopt_by_neigh(mn, skb, v6, &new))
		ether_addr_copy(macs->dst, new.src);
	else
		return;
	macs->flags |= MACKEEP_INFO_DST;
	mackeep_record_replace(ct, rec, &old, macs);
}

/*
 * The client may have announced another MAC, or its router or server may have
 * moved. Answers must not wait for a frame of the flow to show it: a client
 * that only listens would never get any.
 */
static void mackeep_adopt_follow(struct mackeep_net *mn,
				 const struct sk_buff *skb, struct nf_conn *ct,
				 struct mackeep_record *rec,
				 struct mackeep_macs *macs)
{
	struct mackeep_segment on = mackeep_macs_segment(macs);
	struct mackeep_macs old = *macs;
	struct mackeep_pair_key key;
	bool moved;

	mackeep_pair_key_ct(&key, ct, macs->ifindex ?: skb->dev->ifindex);
	on.ifindex = key.ifindex;
	moved = mackeep_pair_follow(mn, &key, macs);
	if (macs->flags & MACKEEP_INFO_DST &&
	    !mackeep_policy_fixed(&mn->policies, macs->policy))
		moved |= mackeep_move_follow(mn, on, key.family, &key.server,
					     old.checked, macs->dst);
	if (moved)
		MACKEEP_STAT_INC(mn, refreshed);
	mackeep_record_replace(ct, rec, &old, macs);
}

/* A flow got its first MACs, or its destination. */
static void mackeep_adopt_count(struct mackeep_net *mn, u8 via)
{
	switch (via) {
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
	case MACKEEP_VIA_ROUTER:
		MACKEEP_STAT_INC(mn, router);
		break;
	}
}

/* The flow's own frames showed them, and not the box opened it. */
static bool mackeep_adopt_learned(const struct mackeep_macs *macs)
{
	return macs->via == MACKEEP_VIA_LEARNED ||
	       macs->via == MACKEEP_VIA_RESTORED;
}

static bool mackeep_adopt_old(const struct mackeep_net *mn,
			      const struct mackeep_macs *macs)
{
	return ((u32)macs->checked & ~MACKEEP_GENID_FAST) != mackeep_genid(mn);
}

/* The record's MACs are missing, or there may be others now. */
static void mackeep_adopt_again(struct mackeep_net *mn,
				const struct sk_buff *skb, struct nf_conn *ct,
				struct mackeep_record *rec, bool v6,
				struct mackeep_macs *macs)
{
	u8 flags = macs->flags;

	if (mackeep_adopt_learned(macs)) {
		if (mackeep_adopt_old(mn, macs))
			mackeep_adopt_follow(mn, skb, ct, rec, macs);
		if (!(macs->flags & MACKEEP_INFO_DST))
			mackeep_adopt_complete(mn, skb, ct, rec, v6, macs);
		return;
	}
	if (mackeep_adopt_forwarded(skb) ||
	    !mackeep_adopt_opened(mn, skb, ct, macs))
		return;
	mackeep_record_write(ct, rec, macs);
	if (!flags || macs->flags & ~flags)
		mackeep_adopt_count(mn, macs->via);
}

static bool mackeep_adopt_stale(const struct mackeep_net *mn,
				const struct mackeep_macs *macs)
{
	switch (macs->via) {
	case MACKEEP_VIA_NEIGH:
		return !macs->checked;
	case MACKEEP_VIA_PAIR:
	case MACKEEP_VIA_REVERSE:
	case MACKEEP_VIA_CLIENT:
	case MACKEEP_VIA_ROUTER:
		break;
	default:
		if (!(macs->flags & MACKEEP_INFO_DST))
			return true;
	}
	return mackeep_adopt_old(mn, macs);
}

/*
 * A packet whose flow has no record: it could not have one, or conntrack does
 * not track it. The pair cache keeps it, at the price of a lookup. Returns the
 * direction in a flow from client to server.
 */
static int mackeep_adopt_packet(struct mackeep_net *mn,
				const struct sk_buff *skb,
				const struct nf_conn *ct, bool v6,
				struct mackeep_macs *macs)
{
	struct mackeep_macs turned;
	struct mackeep_pair_was was;
	struct mackeep_pair_key key;

	mackeep_pair_key_skb(&key, skb, ct, skb->dev->ifindex, v6);
	if (!mackeep_adopt_by_pair(mn, &key, macs, &was) &&
	    !mackeep_adopt_by_neigh(mn, skb, v6, macs))
		return -ENODATA;
	mackeep_adopt_by_router(mn, skb, &key, macs);
	MACKEEP_STAT_INC(mn, norecord);
	if (macs->via != MACKEEP_VIA_REVERSE)
		return IP_CT_DIR_ORIGINAL;
	turned = *macs;
	ether_addr_copy(macs->src, turned.dst);
	ether_addr_copy(macs->dst, turned.src);
	return IP_CT_DIR_REPLY;
}

/*
 * The MACs of the packet's flow, and the packet's direction in it. -ENOENT: it
 * is not for us; -ENODATA: it is, but nothing is known.
 */
int mackeep_adopt(struct mackeep_net *mn, const struct sk_buff *skb,
		  struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool v6,
		  struct mackeep_macs *macs)
{
	struct mackeep_record *rec = ct ? mackeep_record_find(ct) : NULL;

	macs->policy = 0;
	if (IS_ERR_OR_NULL(rec)) {
		if (!mackeep_adopt_socket(skb) ||
		    !mackeep_adopt_foreign(skb, mn->net, v6))
			return -ENOENT;
		if (ct && !rec)
			rec = mackeep_record_attach(ct);
		if (IS_ERR_OR_NULL(rec))
			return mackeep_adopt_packet(mn, skb, ct, v6, macs);
	}

	mackeep_record_read(ct, rec, macs);
	if (unlikely(mackeep_adopt_stale(mn, macs)))
		mackeep_adopt_again(mn, skb, ct, rec, v6, macs);
	return likely(macs->flags) ? CTINFO2DIR(ctinfo) : -ENODATA;
}

/*
 * Whether the MACs hold for the device that the packet leaves by. The record of
 * a flow whose device was made anew goes on with that.
 */
bool mackeep_adopt_device(struct mackeep_net *mn, const struct sk_buff *skb,
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

/*
 * A packet of the flow could not leave for want of a next hop. The next one looks
 * again: frames may have shown it by then.
 */
void mackeep_adopt_unsure(const struct sk_buff *skb,
			  const struct mackeep_macs *macs)
{
	struct mackeep_macs now = *macs;
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	rec = ct ? mackeep_record_find(ct) : NULL;
	if (IS_ERR_OR_NULL(rec))
		return;
	now.checked = 0;
	mackeep_record_replace(ct, rec, macs, &now);
}

/*
 * A packet leaves for a socket of this box that may be answered. The client's leg may
 * have the server's in its own entry, as far as is known here.
 */
void mackeep_adopt_await(struct mackeep_net *mn, const struct sk_buff *skb,
			 const struct mackeep_macs *macs, bool v6)
{
	u32 dirs = mackeep_adopt_learned(macs) ?
			   MACKEEP_AWAIT_BOTH :
			   MACKEEP_AWAIT_DIR(IP_CT_DIR_REPLY);
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	rec = ct && nf_ct_is_confirmed(ct) ? mackeep_record_find(ct) : NULL;
	if (IS_ERR_OR_NULL(rec))
		mackeep_await_answer(mn, skb, v6);
	else
		mackeep_await(mn, ct, rec, dirs);
}

/*
 * True if the fast path may send the flow's next packets; the record says so.
 * Holds until something changes, see MACKEEP_GENID_FAST. The MACs have to be complete, and
 * neither of them this box's; the rule to have no options; the entry to be
 * confirmed, and nobody to follow its events; the bridge to know both stations.
 */
bool mackeep_adopt_settle(const struct sk_buff *skb,
			  const struct mackeep_macs *macs,
			  const struct mackeep_policy *policy)
{
	const struct net_device *dev = skb->dev;
	struct mackeep_macs fast = *macs;
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct mackeep_net *mn;
	struct nf_conn *ct;

	if (macs->policy || policy->id ||
	    (macs->tag && !READ_ONCE(mackeep_tag_ready)) ||
	    macs->ifindex != dev->ifindex ||
	    macs->flags != (MACKEEP_INFO_SRC | MACKEEP_INFO_DST) ||
	    !netif_is_bridge_master(dev) ||
	    ether_addr_equal(macs->src, dev->dev_addr) ||
	    ether_addr_equal(macs->dst, dev->dev_addr))
		return false;
	ct = nf_ct_get(skb, &ctinfo);
	if (!nf_ct_is_confirmed(ct) || nf_ct_ecache_exist(ct))
		return false;
	mn = mackeep_net(nf_ct_net(ct));
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec) ||
	    !mackeep_ownport_apart(mn, dev, mackeep_tag_vlan(macs->tag),
				   macs->src, macs->dst))
		return false;
	fast.checked |= MACKEEP_GENID_FAST;
	return mackeep_record_replace(ct, rec, macs, &fast);
}
