// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a packet goes that nobody has shown the way: of a proxy that goes to another
 * server than its client did, or of the box itself. A station of the segment takes
 * its own MAC; all else goes to a router, the one that the client uses.
 *
 * A MAC is taken for a router's if frames to it are for several servers that are no
 * stations of the segment, as far as ARP and neighbour discovery have told; or if it
 * says so in router advertisements. Where nothing of that is known of any MAC of
 * a device, one server is enough when the MAC is known to have another address. Who
 * turns out to be a station after all is no evidence any more.
 *
 * The client's router is kept with its pairs, see pair.c; another address is enough
 * for that. While it only may be one, its client is not sent to another's. For a
 * client that has shown none there is one only if the segment has just one.
 *
 * Readers run under RCU. Writers take the lock: when a flow begins and every 8 s that
 * it lives, but for a router that is known not more than once a second. Both lists
 * have a limit, so that a flood of forged frames pushes out no router that is used.
 */
#include <linux/bitops.h>
#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "move.h"
#include "net.h"
#include "pair.h"
#include "router.h"

#define MACKEEP_ROUTER_FRESH	64
#define MACKEEP_ROUTER_PROVEN	256
#define MACKEEP_ROUTER_BUSY	(16 * HZ)	/* two stamps of flows, see learn.c */

struct mackeep_router_key {
	struct mackeep_segment on;
	u16 family;			/* NFPROTO_* */
	u8 mac[ETH_ALEN];
};

struct mackeep_router {
	struct hlist_node node;
	struct list_head list;
	struct mackeep_router_key key;
	bool proven;			/* all of these under lock, read without */
	bool apart;			/* it has another address than the server */
	bool said;			/* it advertises itself until then: */
	bool left;			/* nobody uses it, but another one */
	u32 until;			/* jiffies */
	u32 used;			/* jiffies of the last frame to it */
	u64 servers;			/* two bits of each, by hash */
	struct rcu_head rcu;
};

static u32 mackeep_router_seed __read_mostly;

static struct hlist_head *
mackeep_router_bucket(struct mackeep_routers *routers,
		      const struct mackeep_router_key *key)
{
	u32 hash = jhash(key, sizeof(*key), mackeep_router_seed);

	return &routers->buckets[hash % ARRAY_SIZE(routers->buckets)];
}

static void mackeep_router_key(struct mackeep_router_key *key,
			       struct mackeep_segment on, u16 family,
			       const u8 *mac)
{
	key->on = on;
	key->family = family;
	ether_addr_copy(key->mac, mac);
}

/* Under lock or rcu_read_lock() */
static struct mackeep_router *
mackeep_router_find(struct mackeep_routers *routers,
		    const struct mackeep_router_key *key)
{
	struct mackeep_router *router;

	hlist_for_each_entry_rcu(router, mackeep_router_bucket(routers, key),
				 node, lockdep_is_held(&routers->lock))
		if (!memcmp(&router->key, key, sizeof(*key)))
			return router;
	return NULL;
}

static u32 mackeep_router_since(const struct mackeep_router *router)
{
	return (u32)jiffies - READ_ONCE(router->used);
}

static bool mackeep_router_sure(const struct mackeep_router *router)
{
	return hweight64(READ_ONCE(router->servers)) > 2 ||
	       (READ_ONCE(router->said) &&
		(s32)(READ_ONCE(router->until) - (u32)jiffies) > 0);
}

/* The routers of a segment */
struct mackeep_router_all {
	const struct mackeep_router *last;	/* used last */
	unsigned int count;		/* how many nobody has left */
};

/*
 * Under lock or rcu_read_lock(). Of those that surely are routers, or of those that
 * have another address than their server.
 */
static void mackeep_router_each(struct mackeep_routers *routers,
				struct mackeep_segment on, u16 family,
				bool sure,
				struct mackeep_router_all *all)
{
	const struct mackeep_router *router;
	unsigned int i;

	memset(all, 0, sizeof(*all));
	for (i = 0; i < ARRAY_SIZE(routers->buckets); i++)
		hlist_for_each_entry_rcu(router, &routers->buckets[i], node,
					 lockdep_is_held(&routers->lock)) {
			if (router->key.on.ifindex != on.ifindex ||
			    router->key.on.vlan != on.vlan ||
			    router->key.family != family ||
			    !(sure ? mackeep_router_sure(router) :
				     READ_ONCE(router->apart)))
				continue;
			all->count += !READ_ONCE(router->left);
			if (!all->last || mackeep_router_since(router) <
					  mackeep_router_since(all->last))
				all->last = router;
		}
}

static void mackeep_router_all(struct mackeep_routers *routers,
			       struct mackeep_segment on, u16 family,
			       struct mackeep_router_all *all)
{
	mackeep_router_each(routers, on, family, true, all);
	if (!all->last)
		mackeep_router_each(routers, on, family, false, all);
}

/* Likewise. Whether that MAC is a router's */
static bool mackeep_router_is(struct mackeep_routers *routers,
			      const struct mackeep_router *router)
{
	struct mackeep_router_all sure;

	if (mackeep_router_sure(router))
		return true;
	if (!READ_ONCE(router->apart))
		return false;
	mackeep_router_each(routers, router->key.on, router->key.family, true,
			    &sure);
	return !sure.last;
}

/* Under lock. */
static void mackeep_router_del(struct mackeep_routers *routers,
			       struct mackeep_router *router)
{
	hlist_del_rcu(&router->node);
	list_del(&router->list);
	if (router->proven)
		routers->proven.count--;
	else
		routers->fresh.count--;
	kfree_rcu(router, rcu);
}

/* Under lock. There is room for one more in the list of a kind. */
static struct mackeep_router_list *
mackeep_router_room(struct mackeep_routers *routers, bool proven)
{
	struct mackeep_router_list *kind = proven ? &routers->proven :
						    &routers->fresh;

	if (kind->count >= (proven ? MACKEEP_ROUTER_PROVEN :
				     MACKEEP_ROUTER_FRESH))
		mackeep_router_del(routers,
				   list_first_entry(&kind->list,
						    struct mackeep_router,
						    list));
	kind->count++;
	return kind;
}

/* Under lock. */
static struct mackeep_router *
mackeep_router_add(struct mackeep_net *mn,
		   const struct mackeep_router_key *key)
{
	struct mackeep_routers *routers = &mn->routers;
	struct mackeep_router *router;

	router = kzalloc(sizeof(*router), GFP_ATOMIC | __GFP_NOWARN);
	if (!router) {
		MACKEEP_STAT_INC(mn, nomem);
		return NULL;
	}
	router->key = *key;
	router->used = (u32)jiffies - HZ;
	list_add_tail(&router->list,
		      &mackeep_router_room(routers, false)->list);
	hlist_add_head_rcu(&router->node, mackeep_router_bucket(routers, key));
	return router;
}

/* Under lock. Others of the segment that nobody has used for a while are left. */
static bool mackeep_router_leave(struct mackeep_routers *routers,
				 const struct mackeep_router *used)
{
	struct mackeep_router *router;
	bool left = false;

	list_for_each_entry(router, &routers->proven.list, list) {
		if (router->left ||
		    router->key.on.ifindex != used->key.on.ifindex ||
		    router->key.on.vlan != used->key.on.vlan ||
		    router->key.family != used->key.family ||
		    mackeep_router_since(router) <= MACKEEP_ROUTER_BUSY)
			continue;
		WRITE_ONCE(router->left, true);
		left = true;
	}
	return left;
}

/* Under lock. True if flows should look once more which router is used. */
static bool mackeep_router_use(struct mackeep_routers *routers,
			       struct mackeep_router *router, bool proven)
{
	WRITE_ONCE(router->used, jiffies);
	if (proven && !router->proven) {
		routers->fresh.count--;
		list_del(&router->list);
		list_add_tail(&router->list,
			      &mackeep_router_room(routers, true)->list);
		WRITE_ONCE(router->proven, true);
	} else {
		list_move_tail(&router->list, router->proven ?
			       &routers->proven.list : &routers->fresh.list);
	}
	if (!router->proven || !mackeep_router_sure(router))
		return false;
	WRITE_ONCE(router->left, false);
	return mackeep_router_leave(routers, router);
}

/* Two of 64: with one, two servers in 64 pairs would be taken for the same. */
static u64 mackeep_router_bits(const struct mackeep_pair_key *key)
{
	u32 hash = jhash(&key->server, sizeof(key->server),
			 mackeep_router_seed);

	return rol64(1 | 2ULL << (hash >> 8) % 63, hash % 64);
}

/* No router leads there. */
static bool mackeep_router_near(const struct mackeep_pair_key *key)
{
	return key->family == NFPROTO_IPV6 ?
	       ipv6_addr_type(&key->server.in6) & IPV6_ADDR_LINKLOCAL :
	       ipv4_is_linklocal_169(key->server.ip);
}

/*
 * Under rcu_read_lock(). A frame to key->server went to this MAC, in this VLAN;
 * proven: of a flow that has seen an answer.
 */
enum mackeep_router_kind
mackeep_router_seen(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		    u32 vlan, const u8 *mac, bool proven)
{
	const struct mackeep_segment on = {
		.ifindex = key->ifindex,
		.vlan = vlan,
	};
	struct mackeep_routers *routers = &mn->routers;
	struct mackeep_router_key which;
	enum mackeep_router_kind kind = MACKEEP_ROUTER_NOT;
	bool station, apart = false, again = false;
	struct mackeep_router *router;
	u8 own[ETH_ALEN];
	u64 bits;

	mackeep_router_key(&which, on, key->family, mac);
	router = mackeep_router_find(routers, &which);
	if (router && mackeep_router_since(router) < HZ &&
	    (READ_ONCE(router->proven) || !proven) &&
	    mackeep_router_sure(router))
		return MACKEEP_ROUTER_IS;

	station = mackeep_router_near(key) ||
		  mackeep_move_bound(mn, on, key->family, &key->server, own);
	if (station && !router)
		return MACKEEP_ROUTER_NOT;
	if (!station && (!router || mackeep_router_since(router) >= HZ))
		apart = mackeep_move_apart(mn, on, key->family, &key->server,
					   mac);
	bits = mackeep_router_bits(key);

	spin_lock_bh(&routers->lock);
	router = mackeep_router_find(routers, &which);
	if (!router && !station)
		router = mackeep_router_add(mn, &which);
	if (router) {
		WRITE_ONCE(router->servers, station ? router->servers & ~bits :
						      router->servers | bits);
		if (apart)
			WRITE_ONCE(router->apart, true);
		if (mackeep_router_is(routers, router))
			kind = MACKEEP_ROUTER_IS;
		else if (!station)
			kind = MACKEEP_ROUTER_MAYBE;
		again = mackeep_router_use(routers, router, proven);
	}
	spin_unlock_bh(&routers->lock);
	if (again)
		mackeep_genid_bump(mn);
	return kind;
}

/* A router advertisement; lifetime in seconds, 0: it is none any more. */
void mackeep_router_says(struct mackeep_net *mn, struct mackeep_segment on,
			 const u8 *mac, unsigned int lifetime)
{
	struct mackeep_routers *routers = &mn->routers;
	struct mackeep_router_key key;
	struct mackeep_router *router;

	mackeep_router_key(&key, on, NFPROTO_IPV6, mac);
	spin_lock_bh(&routers->lock);
	router = mackeep_router_find(routers, &key);
	if (!router && lifetime)
		router = mackeep_router_add(mn, &key);
	if (router) {
		WRITE_ONCE(router->until, (u32)jiffies + lifetime * HZ);
		WRITE_ONCE(router->said, lifetime);
		if (!lifetime)
			WRITE_ONCE(router->servers, 0);
	}
	spin_unlock_bh(&routers->lock);
}

/* Under rcu_read_lock(). Whether the server is a station of the segment; its MAC */
static bool mackeep_router_station(struct mackeep_net *mn,
				   const struct mackeep_pair_key *key,
				   struct mackeep_segment on, u8 *mac)
{
	struct mackeep_routers *routers = &mn->routers;
	const struct mackeep_router *router;
	struct mackeep_pair_key server = *key;
	struct mackeep_router_key which;
	struct mackeep_macs macs;

	if (mackeep_move_bound(mn, on, key->family, &key->server, mac))
		return true;
	/* It may have opened flows itself. Those of others came by a router. */
	server.client = key->server;
	memset(&server.server, 0, sizeof(server.server));
	if (!mackeep_pair_find(mn, &server, &macs, NULL) ||
	    mackeep_tag_vlan(macs.tag) != on.vlan)
		return false;
	mackeep_router_key(&which, on, key->family, macs.src);
	router = mackeep_router_find(routers, &which);
	if (router && mackeep_router_is(routers, router))
		return false;
	ether_addr_copy(mac, macs.src);
	return true;
}

/* Under rcu_read_lock(). The next hop of what is sent in the client's name and VLAN */
bool mackeep_router_hop(struct mackeep_net *mn,
			const struct mackeep_pair_key *key, u32 vlan, u8 *mac)
{
	const struct mackeep_segment on = {
		.ifindex = key->ifindex,
		.vlan = vlan,
	};
	struct mackeep_routers *routers = &mn->routers;
	const struct mackeep_router *router;
	struct mackeep_router_all all;
	struct mackeep_router_key which;

	if (mackeep_router_station(mn, key, on, mac))
		return true;
	which.on = on;
	which.family = key->family;
	if (mackeep_pair_hop(mn, key, which.mac)) {
		router = mackeep_router_find(routers, &which);
		if (router && (mackeep_router_sure(router) ||
			       READ_ONCE(router->servers))) {
			ether_addr_copy(mac, which.mac);
			return mackeep_router_sure(router) ||
			       READ_ONCE(router->apart);
		}
	}
	mackeep_router_all(routers, on, key->family, &all);
	if (!all.last || all.count > 1)
		return false;
	ether_addr_copy(mac, all.last->key.mac);
	return true;
}

/*
 * Under rcu_read_lock(). The next hop of what the box sends in its own name: that of
 * the clients. mac: the one that the flow has, or zero; it stays while it is used.
 */
bool mackeep_router_own(struct mackeep_net *mn,
			const struct mackeep_pair_key *key, u8 *mac)
{
	const struct mackeep_segment on = { .ifindex = key->ifindex };
	struct mackeep_routers *routers = &mn->routers;
	const struct mackeep_router *router;
	struct mackeep_router_all all;
	struct mackeep_router_key which;

	if (mackeep_router_station(mn, key, on, mac))
		return true;
	mackeep_router_key(&which, on, key->family, mac);
	router = mackeep_router_find(routers, &which);
	if (router && mackeep_router_is(routers, router) &&
	    !READ_ONCE(router->left))
		return true;
	mackeep_router_all(routers, on, key->family, &all);
	if (!all.last)
		return false;
	ether_addr_copy(mac, all.last->key.mac);
	return true;
}

/* Those that the filter is about, if it is about no address */
void mackeep_router_flush(struct mackeep_net *mn,
			  const struct mackeep_filter *filter)
{
	struct mackeep_routers *routers = &mn->routers;
	static const union nf_inet_addr none;
	struct mackeep_router *router;
	struct hlist_node *next;
	unsigned int i;

	if (filter->by_addr)
		return;
	spin_lock_bh(&routers->lock);
	for (i = 0; i < ARRAY_SIZE(routers->buckets); i++)
		hlist_for_each_entry_safe(router, next, &routers->buckets[i],
					  node)
			if (mackeep_filter_match(filter, router->key.family,
						 &none, &none,
						 router->key.on.ifindex,
						 router->key.mac,
						 router->key.mac))
				mackeep_router_del(routers, router);
	spin_unlock_bh(&routers->lock);
}

/* Nobody looks any more. */
void mackeep_router_stop(struct mackeep_net *mn)
{
	static const struct mackeep_filter all;

	mackeep_router_flush(mn, &all);
}

void mackeep_router_net_init(struct mackeep_net *mn)
{
	struct mackeep_routers *routers = &mn->routers;

	spin_lock_init(&routers->lock);
	INIT_LIST_HEAD(&routers->fresh.list);
	INIT_LIST_HEAD(&routers->proven.list);
}

void mackeep_router_init(void)
{
	mackeep_router_seed = get_random_u32();
}
