// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair cache: which MACs frames between two addresses carry, learned from
 * kept flows, for the flows that the proxy opens itself. An FDB one level up.
 *
 * Two entries are learned at a time, one for the pair and one for the client
 * with any server. Entries are in one of two lists. Frames of a flow that has
 * not seen an answer make *fresh* ones, which is all that a flood of forged
 * source addresses can do; a flow that was answered makes its entries
 * *proven*. When the cache is full the oldest fresh entry goes; only when there
 * is none, the proven one that was longest unused, and never one that a live
 * flow named within the last two stamps.
 *
 * A flow of the proxy's own to a server that its client never sent to is noted as
 * a pair as well, a *routed* one: router.c has its destination, which is decided
 * anew for the next flow. The note tells that what comes back is an answer, and
 * from where; a frame of the client's own takes its place.
 *
 * Lookups run under RCU alone and see entries whose MACs never change: an
 * entry with new MACs replaces the old one. The client's router is one word. On 32
 * bits a reader may see halves of two, which no router has. Everything else happens
 * under pairs.lock: once per new flow, and once per 8 s for a flow that lives.
 */
#include <linux/jiffies.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include <linux/mackeep.h>

#include "filter.h"
#include "net.h"
#include "pair.h"
#include "pair-feed.h"
#include "pair-table.h"
#include "policy.h"
#include "tag.h"

/* Addresses of the ORIGINAL direction; every byte of the key is set. */
void mackeep_pair_key_ct(struct mackeep_pair_key *key, const struct nf_conn *ct,
			 u32 ifindex)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;

	key->client = tuple->src.u3;
	key->server = tuple->dst.u3;
	key->ifindex = ifindex;
	key->zone = nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL);
	key->family = nf_ct_l3num(ct);
}

/* Addresses of a packet that may have no entry. */
void mackeep_pair_key_skb(struct mackeep_pair_key *key,
			  const struct sk_buff *skb, const struct nf_conn *ct,
			  u32 ifindex, bool v6)
{
	memset(key, 0, sizeof(*key));
	if (v6) {
		key->client.in6 = ipv6_hdr(skb)->saddr;
		key->server.in6 = ipv6_hdr(skb)->daddr;
		key->family = NFPROTO_IPV6;
	} else {
		key->client.ip = ip_hdr(skb)->saddr;
		key->server.ip = ip_hdr(skb)->daddr;
		key->family = NFPROTO_IPV4;
	}
	key->ifindex = ifindex;
	if (ct)
		key->zone = nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL);
}

/*
 * Under rcu_read_lock(). Adds what an earlier load of the module knew, where its
 * age belongs in the list, and gives up nothing for it. The oldest first is
 * quickest.
 */
int mackeep_pair_restore(struct mackeep_net *mn,
			 const struct mackeep_pair_key *key,
			 const struct mackeep_macs *macs, bool proven,
			 unsigned int msecs)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	u32 age = msecs_to_jiffies(msecs);
	struct mackeep_pair *pair, *other;
	struct list_head *list;
	int err = 0;

	if (age >= mackeep_pair_timeout(mn))
		return -ETIME;

	spin_lock_bh(&pairs->lock);
	if (rhashtable_lookup(&pairs->table, key, mackeep_pair_params))
		err = -EEXIST;
	else if (pairs->count >= mackeep_pair_limit(mn))
		err = -ENOSPC;
	if (err)
		goto out;
	pair = mackeep_pair_insert(mn, key, macs, proven);
	if (!pair) {
		err = -ENOMEM;
		goto out;
	}
	pair->used = (u32)jiffies - age;
	pair->shown = pair->used;
	list = proven ? &pairs->proven : &pairs->fresh;
	list_for_each_entry_reverse(other, list, list)
		if (mackeep_pair_since(other->used) >= age)
			break;
	list_add(&pair->list, &other->list);
out:
	spin_unlock_bh(&pairs->lock);
	return err;
}

/* The client's router in a word, 0: it has shown none; or what may be its router */
#define MACKEEP_PAIR_MAYBE	BIT_ULL(48)

static u64 mackeep_pair_hop_of(const u8 *mac, enum mackeep_router_kind kind)
{
	if (kind == MACKEEP_ROUTER_NOT)
		return 0;
	return ether_addr_to_u64(mac) |
	       (kind == MACKEEP_ROUTER_MAYBE ? MACKEEP_PAIR_MAYBE : 0);
}

/* Whether what is shown now says no more than what is there */
static bool mackeep_pair_hop_known(u64 there, u64 hop)
{
	return !hop || there == hop ||
	       (hop & MACKEEP_PAIR_MAYBE && there &&
		!(there & MACKEEP_PAIR_MAYBE));
}

/*
 * Under rcu_read_lock(). Whether the cache knows all this, and lately. hop: see
 * mackeep_pair_hop_of().
 */
static bool mackeep_pair_current(struct mackeep_pairs *pairs,
				 const struct mackeep_pair_key *key,
				 const struct mackeep_macs *macs, bool proven,
				 u64 hop)
{
	const struct mackeep_pair *pair;

	pair = rhashtable_lookup(&pairs->table, key, mackeep_pair_params);
	return pair && mackeep_pair_same(pair, macs) &&
	       READ_ONCE(pair->tag) == macs->tag &&
	       (READ_ONCE(pair->proven) || !proven) &&
	       !READ_ONCE(pair->routed) &&
	       mackeep_pair_hop_known(READ_ONCE(pair->hop), hop) &&
	       mackeep_pair_since(READ_ONCE(pair->shown)) < HZ;
}

/*
 * Whether a frame that shows other MACs is to be believed. While others show
 * the old ones it takes more than an address that anybody can write into a
 * frame: a flow that has seen an answer. It counts for flows that are still to
 * come; those that are there go by what the pair was, see adopt.c.
 */
static bool mackeep_pair_yields(const struct mackeep_pair *pair,
				const struct mackeep_macs *macs,
				const struct mackeep_pair_proof *proof)
{
	return (proof->proven &&
		mackeep_pair_vlan(pair, mackeep_tag_vlan(macs->tag))) ||
	       pair->routed ||
	       mackeep_pair_since(pair->shown) > MACKEEP_PAIR_BUSY;
}

/* Whether the client has said that it left the one MAC for the other. */
static bool mackeep_pair_announced(struct mackeep_pairs *pairs,
				   const struct mackeep_pair_key *key,
				   const u8 *from, const u8 *to)
{
	const struct mackeep_pair *pair = mackeep_pair_client(pairs, key);

	return pair && ether_addr_equal(pair->was.src, from) &&
	       ether_addr_equal(pair->src, to);
}

/* Under lock. A frame has shown this of a pair that is known. */
static void mackeep_pair_show(struct mackeep_net *mn, struct mackeep_pair *pair,
			      const struct mackeep_macs *macs,
			      const struct mackeep_pair_proof *proof)
{
	struct mackeep_pair_was was = {};
	struct mackeep_macs now = *macs;

	if (proof->fixed) {
		ether_addr_copy(now.src, pair->src);
		ether_addr_copy(now.dst, pair->dst);
		now.tag = pair->tag;
	} else if (!mackeep_pair_same_macs(pair, macs) &&
		   !mackeep_pair_yields(pair, macs, proof)) {
		MACKEEP_STAT_INC(mn, pair_refused);
		return;
	}

	if (mackeep_pair_same_macs(pair, &now))
		was = pair->was;
	else if (mackeep_pair_announced(&mn->pairs, &pair->key, pair->src,
					now.src))
		ether_addr_copy(was.src, pair->src);
	if (proof->old && !proof->fixed) {
		ether_addr_copy(was.src, proof->old->src);
		ether_addr_copy(was.dst, proof->old->dst);
		was.weak = proof->weak;
	} else if (mackeep_pair_same(pair, &now)) {
		if (proof->proven)
			WRITE_ONCE(pair->proven, true);
		WRITE_ONCE(pair->routed, false);
		WRITE_ONCE(pair->tag, now.tag);
		WRITE_ONCE(pair->shown, jiffies);
		mackeep_pair_touch(&mn->pairs, pair);
		return;
	}
	mackeep_pair_change(mn, pair, &now, proof->proven, &was);
}

/*
 * Under lock. The client's frames go to this router. Another one is believed as
 * other MACs are.
 */
static void mackeep_pair_hops(struct mackeep_pair *pair, u64 hop,
			      const struct mackeep_pair_proof *proof)
{
	bool sure = pair->hop && !(pair->hop & MACKEEP_PAIR_MAYBE);

	if (sure && pair->hop != hop &&
	    (hop & MACKEEP_PAIR_MAYBE || proof->fixed ||
	     (!proof->proven &&
	      mackeep_pair_since(pair->hopped) <= MACKEEP_PAIR_BUSY)))
		return;
	WRITE_ONCE(pair->hop, hop);
	pair->hopped = jiffies;
}

/* hop: see mackeep_pair_hop_of() */
static void mackeep_pair_learn_one(struct mackeep_net *mn,
				   const struct mackeep_pair_key *key,
				   const struct mackeep_macs *macs,
				   const struct mackeep_pair_proof *proof,
				   u64 hop)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair *pair, *old;

	if (!proof->old &&
	    mackeep_pair_current(pairs, key, macs, proof->proven, hop))
		return;

	spin_lock_bh(&pairs->lock);
	old = rhashtable_lookup(&pairs->table, key, mackeep_pair_params);
	pair = old ?: mackeep_pair_add(mn, key, macs, proof->proven);
	if (pair && hop)
		mackeep_pair_hops(pair, hop, proof);
	/* This may have each flow look again, which then finds the router. */
	if (old)
		mackeep_pair_show(mn, old, macs, proof);
	spin_unlock_bh(&pairs->lock);
}

/*
 * Under rcu_read_lock(). Nobody is fed for a SYN that nothing has answered: it may
 * be forged.
 */
void mackeep_pair_learn(struct mackeep_net *mn,
			const struct mackeep_pair_key *key,
			const struct mackeep_macs *macs,
			const struct mackeep_pair_proof *proof)
{
	struct mackeep_pair_key any = *key;
	struct mackeep_macs client = *macs;

	if (macs->flags & MACKEEP_INFO_DST)
		mackeep_pair_learn_one(mn, key, macs, proof, 0);

	memset(&any.server, 0, sizeof(any.server));
	eth_zero_addr(client.dst);
	mackeep_pair_learn_one(mn, &any, &client, proof,
			       mackeep_pair_hop_of(macs->dst, proof->router));
	mackeep_pair_feed(mn, key, proof->proven || proof->weak);
	mackeep_pair_unfeed(mn, 8);
}

/* Under rcu_read_lock(). The router that the client's frames went to last */
bool mackeep_pair_hop(const struct mackeep_net *mn,
		      const struct mackeep_pair_key *key, u8 *mac)
{
	const struct mackeep_pair *pair;
	u64 hop;

	pair = mackeep_pair_client((struct mackeep_pairs *)&mn->pairs, key);
	hop = pair ? READ_ONCE(pair->hop) : 0;
	u64_to_ether_addr(hop, mac);
	return hop;
}

/* Under rcu_read_lock(). A flow of the proxy's own goes to this router. */
void mackeep_pair_note(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key,
		       const struct mackeep_macs *macs)
{
	static const struct mackeep_pair_was was;
	struct mackeep_pairs *pairs = &mn->pairs;
	const struct mackeep_pair *client;
	struct mackeep_pair *pair;

	pair = rhashtable_lookup(&pairs->table, key, mackeep_pair_params);
	if (pair && (!READ_ONCE(pair->routed) ||
		     (mackeep_pair_same(pair, macs) &&
		      mackeep_pair_since(READ_ONCE(pair->used)) < HZ)))
		return;

	spin_lock_bh(&pairs->lock);
	pair = rhashtable_lookup(&pairs->table, key, mackeep_pair_params);
	client = mackeep_pair_client(pairs, key);
	if (!pair)
		mackeep_pair_add(mn, key, macs, client && client->proven);
	else if (mackeep_pair_same(pair, macs))
		mackeep_pair_touch(pairs, pair);
	else if (pair->routed)
		mackeep_pair_change(mn, pair, macs, false, &was);
	spin_unlock_bh(&pairs->lock);
	mackeep_pair_unfeed(mn, 8);
}

/*
 * Under rcu_read_lock(). A frame of the server came from this MAC; dst is the
 * one that the client's frames go to.
 */
enum mackeep_pair_answer
mackeep_pair_answered(struct mackeep_net *mn,
		      const struct mackeep_pair_key *key, const u8 *mac,
		      u8 *dst)
{
	struct mackeep_pair *pair;

	pair = rhashtable_lookup(&mn->pairs.table, key, mackeep_pair_params);
	if (!pair)
		return MACKEEP_PAIR_UNKNOWN;
	ether_addr_copy(dst, pair->dst);
	if (!ether_addr_equal(mac, dst))
		return READ_ONCE(pair->answered) ? MACKEEP_PAIR_LEFT :
						   MACKEEP_PAIR_KNOWN;
	if (!READ_ONCE(pair->answered))
		WRITE_ONCE(pair->answered, true);
	return MACKEEP_PAIR_KNOWN;
}

/*
 * Under rcu_read_lock(), for a frame of a bridge where VLANs have no device.
 * Whether what it shows is in use in another VLAN: frames between its addresses,
 * or, if its source is a client, others of that.
 */
bool mackeep_pair_elsewhere(struct mackeep_net *mn, const struct sk_buff *skb,
			    u32 ifindex, u32 vlan, bool client)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct mackeep_pairs *pairs = &mn->pairs;
	const struct mackeep_pair *pair;
	struct mackeep_pair_key key, back;

	mackeep_pair_key_skb(&key, skb, NULL, ifindex, v6);
	pair = rhashtable_lookup(&pairs->table, &key, mackeep_pair_params);
	if (!pair) {
		back = key;
		swap(back.client, back.server);
		pair = rhashtable_lookup(&pairs->table, &back,
					 mackeep_pair_params);
	}
	if (!pair && client)
		pair = mackeep_pair_client(pairs, &key);
	return pair && !mackeep_pair_vlan(pair, vlan) &&
	       mackeep_pair_since(READ_ONCE(pair->shown)) <= MACKEEP_PAIR_BUSY;
}

/*
 * Under rcu_read_lock(). The client says that it has this MAC now. Only its
 * one entry for any server changes and remembers what it was before; all else
 * that has the old MAC finds out there.
 */
void mackeep_pair_move(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key, u32 vlan,
		       const u8 *mac)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	struct mackeep_pair_was was = {};
	struct mackeep_macs macs = {};
	struct mackeep_pair *pair;

	/* Mostly the client is no one we know, or where it always was. */
	pair = mackeep_pair_client(pairs, key);
	if (!pair || ether_addr_equal(pair->src, mac) ||
	    !mackeep_pair_vlan(pair, vlan))
		return;

	spin_lock_bh(&pairs->lock);
	pair = mackeep_pair_client(pairs, key);
	if (pair && !ether_addr_equal(pair->src, mac) &&
	    mackeep_pair_vlan(pair, vlan) &&
	    !mackeep_policy_fixed(&mn->policies, pair->policy)) {
		ether_addr_copy(macs.src, mac);
		macs.tag = pair->tag;
		macs.policy = pair->policy;
		ether_addr_copy(was.src, pair->src);
		WRITE_ONCE(pairs->moved, true);
		mackeep_pair_change(mn, pair, &macs, false, &was);
	}
	spin_unlock_bh(&pairs->lock);
	mackeep_pair_feed(mn, key, false);
}

/* Under rcu_read_lock(). Whether src was given up by the client for another. */
bool mackeep_pair_follow(struct mackeep_net *mn,
			 const struct mackeep_pair_key *key,
			 struct mackeep_macs *macs)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	const struct mackeep_pair *pair;

	macs->checked = mackeep_genid_date(mn);
	if (!READ_ONCE(pairs->moved))
		return false;
	pair = mackeep_pair_client(pairs, key);
	if (!pair || !ether_addr_equal(pair->was.src, macs->src) ||
	    ether_addr_equal(pair->src, macs->src) ||
	    !mackeep_pair_vlan(pair, mackeep_tag_vlan(macs->tag)) ||
	    mackeep_policy_fixed(&mn->policies, macs->policy))
		return false;
	ether_addr_copy(macs->src, pair->src);
	return true;
}

/*
 * Under rcu_read_lock(). A hit counts as use, but it does not make an entry
 * proven: the proxy looks for whatever was sent to it, forged or not. was may be
 * NULL.
 */
bool mackeep_pair_find(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key,
		       struct mackeep_macs *macs, struct mackeep_pair_was *was)
{
	struct mackeep_pairs *pairs = &mn->pairs;
	u64 date = mackeep_genid_date(mn);
	struct mackeep_pair *pair;

	pair = rhashtable_lookup(&pairs->table, key, mackeep_pair_params);
	if (!pair || mackeep_pair_since(READ_ONCE(pair->used)) >
			     mackeep_pair_timeout(mn))
		return false;

	ether_addr_copy(macs->src, pair->src);
	ether_addr_copy(macs->dst, pair->dst);
	macs->ifindex = pair->key.ifindex;
	macs->tag = READ_ONCE(pair->tag);
	macs->via = READ_ONCE(pair->routed) ? MACKEEP_VIA_ROUTER :
					      MACKEEP_VIA_PAIR;
	macs->policy = READ_ONCE(pair->policy);
	if (was)
		*was = pair->was;
	if (mackeep_pair_follow(mn, key, macs) && was)
		ether_addr_copy(was->src, pair->src);
	macs->checked = date;

	if (mackeep_pair_since(READ_ONCE(pair->used)) > HZ) {
		spin_lock_bh(&pairs->lock);
		/* Gone or replaced meanwhile: then it is in no list. */
		if (pair == rhashtable_lookup(&pairs->table, key,
					      mackeep_pair_params))
			mackeep_pair_touch(pairs, pair);
		spin_unlock_bh(&pairs->lock);
	}
	return true;
}
