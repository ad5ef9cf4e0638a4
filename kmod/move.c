// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routers, and servers of the segment, that have another MAC now. A client that
 * sends shows it with its frames; a client that waits for the rest of a download
 * shows nothing, and its flows would go on sending to a MAC that nobody has.
 *
 * There are two kinds of evidence. Hosts say which MAC an address has, with ARP
 * and neighbour discovery: what they said last is remembered as a *binding*, and
 * another MAC for the same address is a move. Or nobody says anything, but the
 * answers of the server, which had come from the very MAC that the client sends
 * to, come from another: that is a move when the old one has been silent since
 * for half a second, as the bridge sees it. A router that answers from its own
 * MAC and takes frames at a virtual one has not moved.
 *
 * Whose address is known to be on the segment moves only as that address does.
 * All other flows go through a router, of which no more is known than the MAC:
 * they move with it, unless it still has another address, as a router has that
 * gave up a virtual one.
 *
 * All of it is behind one lock that is taken in any context, for what ARP and
 * ND bring and when a flow looks again, as its stations had a turn; as long as nothing has
 * ever moved, flows look at one word.
 */
#include <linux/jiffies.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "bridge.h"
#include "move.h"
#include "net.h"
#include "pair.h"

#define MACKEEP_MOVE_BINDINGS	4096
#define MACKEEP_MOVE_MOVES	256
#define MACKEEP_MOVE_KEPT	(86400UL * HZ)
#define MACKEEP_MOVE_BOUND	(300UL * HZ)	/* a binding is good for */
#define MACKEEP_MOVE_SILENT	(HZ / 2)
#define MACKEEP_MOVE_SLACK	(HZ / 25)	/* the bridge counts in 10 ms */
#define MACKEEP_MOVE_UNTIL	(8 * HZ)	/* then frames show it anew */
#define MACKEEP_MOVE_HOPS	4

static u32 mackeep_move_seed __read_mostly;

/* A binding has an address; a move has the MAC that was left in its place. */
struct mackeep_move_key {
	union nf_inet_addr addr;
	struct mackeep_segment on;
	u32 family;			/* NFPROTO_*; 0: a move */
};

struct mackeep_move {
	struct hlist_node node;
	struct list_head list;		/* by when, oldest first */
	struct mackeep_move_key key;
	u8 mac[ETH_ALEN];		/* the address's, or who took over */
	u8 was[ETH_ALEN];		/* of a binding, before; or zero */
	bool shown;			/* by frames, not announced */
	u32 genid;			/* when that changed, as of records */
	unsigned long when;		/* jiffies, when it was said last */
};

static struct hlist_head *mackeep_move_bucket(struct mackeep_moves *moves,
					      const struct mackeep_move_key *key)
{
	u32 hash = jhash2((const u32 *)key, sizeof(*key) / sizeof(u32),
			  mackeep_move_seed);

	return &moves->buckets[hash % MACKEEP_MOVE_BUCKETS];
}

/* Each has a limit of its own: whoever floods with ARP pushes out no move. */
static struct mackeep_move_list *
mackeep_move_kind(struct mackeep_moves *moves,
		  const struct mackeep_move_key *key)
{
	return key->family ? &moves->bindings : &moves->moves;
}

static void mackeep_move_key_mac(struct mackeep_move_key *key,
				 struct mackeep_segment on, const u8 *mac)
{
	memset(key, 0, sizeof(*key));
	ether_addr_copy((u8 *)&key->addr, mac);
	key->on = on;
}

static struct mackeep_move *
mackeep_move_lookup(struct mackeep_moves *moves,
		    const struct mackeep_move_key *key)
{
	struct mackeep_move *move;

	lockdep_assert_held(&moves->lock);

	hlist_for_each_entry(move, mackeep_move_bucket(moves, key), node)
		if (!memcmp(&move->key, key, sizeof(*key)))
			return move;
	return NULL;
}

static void mackeep_move_del(struct mackeep_moves *moves,
			     struct mackeep_move *move)
{
	lockdep_assert_held(&moves->lock);

	hlist_del(&move->node);
	list_del(&move->list);
	mackeep_move_kind(moves, &move->key)->count--;
	kfree(move);
}

static struct mackeep_move *
mackeep_move_add(struct mackeep_net *mn, const struct mackeep_move_key *key)
{
	unsigned int max = key->family ? MACKEEP_MOVE_BINDINGS :
					 MACKEEP_MOVE_MOVES;
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move_list *kind = mackeep_move_kind(moves, key);
	struct mackeep_move *move;

	/* What nobody has said for a day is forgotten. */
	while ((move = list_first_entry_or_null(&kind->list,
						struct mackeep_move, list)) &&
	       (kind->count >= max ||
		time_after(jiffies, move->when + MACKEEP_MOVE_KEPT)))
		mackeep_move_del(moves, move);
	move = kzalloc(sizeof(*move), GFP_ATOMIC | __GFP_NOWARN);
	if (!move) {
		MACKEEP_STAT_INC(mn, nomem);
		return NULL;
	}
	move->key = *key;
	hlist_add_head(&move->node, mackeep_move_bucket(moves, key));
	list_add_tail(&move->list, &kind->list);
	kind->count++;
	return move;
}

/* Under lock. As mackeep_move_apart() */
static bool mackeep_move_has_other(struct mackeep_moves *moves,
				   const struct mackeep_move_key *key,
				   const u8 *mac)
{
	const struct mackeep_move *move;

	list_for_each_entry(move, &moves->bindings.list, list)
		if (move->key.family == key->family &&
		    move->key.on.ifindex == key->on.ifindex &&
		    move->key.on.vlan == key->on.vlan &&
		    ether_addr_equal(move->mac, mac) &&
		    memcmp(&move->key, key, sizeof(*key)) &&
		    time_before(jiffies, move->when + MACKEEP_MOVE_BOUND))
			return true;
	return false;
}

/*
 * Under lock, for which flows wait that see the new turn. Returns what they are older
 * than: see mackeep_move_newer().
 */
static u32 mackeep_move_tell(struct mackeep_net *mn, const u8 *from,
			     const u8 *to)
{
	WRITE_ONCE(mn->moves.any, true);
	mackeep_genid_bump_at(mn, from);
	mackeep_genid_bump_at(mn, to);
	return mackeep_genid(mn);
}

/* Under lock. What had the one MAC has the other from now on. */
static void mackeep_move_make(struct mackeep_net *mn, struct mackeep_segment on,
			      const u8 *from, const u8 *to, bool shown)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move_key key;
	struct mackeep_move *move;

	/* Who is moved to has not left. */
	mackeep_move_key_mac(&key, on, to);
	move = mackeep_move_lookup(moves, &key);
	if (move)
		mackeep_move_del(moves, move);

	mackeep_move_key_mac(&key, on, from);
	move = mackeep_move_lookup(moves, &key) ?: mackeep_move_add(mn, &key);
	if (!move)
		return;
	ether_addr_copy(move->mac, to);
	move->shown = shown;
	move->when = jiffies;
	list_move_tail(&move->list, &moves->moves.list);
	move->genid = mackeep_move_tell(mn, from, to);
	MACKEEP_STAT_INC(mn, moved);
}

/* Under lock. A MAC that was left, as frames seemed to show, is heard of again. */
static void mackeep_move_undo(struct mackeep_net *mn, struct mackeep_segment on,
			      const u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move_key key;
	struct mackeep_move *move;

	mackeep_move_key_mac(&key, on, mac);
	move = mackeep_move_lookup(moves, &key);
	if (move && move->shown) {
		mackeep_move_tell(mn, mac, move->mac);
		mackeep_move_del(moves, move);
	}
}

/* Somebody says that he has this MAC. */
void mackeep_move_announce(struct mackeep_net *mn,
			   const struct mackeep_pair_key *who, u32 vlan,
			   const u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move_key key = {
		.addr = who->client,
		.on = { .ifindex = who->ifindex, .vlan = vlan },
		.family = who->family,
	};
	struct mackeep_move *binding;

	spin_lock_bh(&moves->lock);
	mackeep_move_undo(mn, key.on, mac);
	binding = mackeep_move_lookup(moves, &key);
	if (!binding) {
		binding = mackeep_move_add(mn, &key);
		if (!binding)
			goto out;
	} else if (!ether_addr_equal(binding->mac, mac)) {
		ether_addr_copy(binding->was, binding->mac);
		if (!mackeep_move_has_other(moves, &key, binding->was))
			mackeep_move_make(mn, key.on, binding->was, mac, false);
		binding->genid = mackeep_move_tell(mn, binding->was, mac);
	}
	ether_addr_copy(binding->mac, mac);
	binding->when = jiffies;
	list_move_tail(&binding->list, &moves->bindings.list);
out:
	spin_unlock_bh(&moves->lock);
}

static bool mackeep_move_newer(const struct mackeep_move *move, u32 since)
{
	return !since || (s32)(move->genid - since) > 0;
}

/*
 * Under rcu_read_lock(). Whether the bridge has heard nothing of it since; just
 * after that it cannot tell.
 */
static bool mackeep_move_silent(struct mackeep_net *mn,
				struct mackeep_segment on, const u8 *mac,
				unsigned long since)
{
	unsigned long age = jiffies - since;
	const struct net_device *dev, *br;
	u16 vid;

	age -= min_t(unsigned long, age, MACKEEP_MOVE_SLACK);
	dev = dev_get_by_index_rcu(mn->net, on.ifindex);
	br = dev ? mackeep_bridge_of(dev, on.vlan, &vid) : NULL;
	return br && mackeep_bridge_silent(br, mac, vid, age);
}

/*
 * Under rcu_read_lock(). Whether the MAC that leads to an address is another
 * now. since: not by what is no newer than that; 0: by all that is known. left:
 * a frame was sent to the MAC just now, which whoever has it may still want.
 */
static bool mackeep_move_find(struct mackeep_net *mn, struct mackeep_segment on,
			      u16 family, const union nf_inet_addr *addr,
			      u32 since, bool left, u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move_key key = {
		.addr = *addr,
		.on = on,
		.family = family,
	};
	const struct mackeep_move *binding, *move;
	bool found = false;
	int hops;

	since &= ~MACKEEP_GENID_FAST;
	spin_lock_bh(&moves->lock);
	binding = mackeep_move_lookup(moves, &key);
	if (binding && ether_addr_equal(binding->was, mac) &&
	    mackeep_move_newer(binding, since)) {
		ether_addr_copy(mac, binding->mac);
		found = true;
	}
	for (hops = 0; hops < MACKEEP_MOVE_HOPS; hops++) {
		mackeep_move_key_mac(&key, on, mac);
		move = mackeep_move_lookup(moves, &key);
		if (!move || !mackeep_move_newer(move, since) ||
		    (binding && !move->shown) ||
		    (left && !mackeep_move_silent(mn, on, mac, move->when)))
			break;
		ether_addr_copy(mac, move->mac);
		found = true;
	}
	spin_unlock_bh(&moves->lock);
	return found;
}

/* For a flow that has the MAC since then, or for all that is known. */
bool mackeep_move_follow(struct mackeep_net *mn, struct mackeep_segment on,
			 u16 family, const union nf_inet_addr *addr, u32 since,
			 u8 *mac)
{
	if (likely(!READ_ONCE(mn->moves.any)))
		return false;
	return mackeep_move_find(mn, on, family, addr, since, false, mac);
}

/* For a frame that a client has sent, not knowing of the move maybe. */
bool mackeep_move_late(struct mackeep_net *mn, struct mackeep_segment on,
		       u16 family, const union nf_inet_addr *addr, u8 *mac)
{
	if (likely(!READ_ONCE(mn->moves.any)))
		return false;
	return mackeep_move_find(mn, on, family, addr, 0, true, mac);
}

/* The MAC of an address of the segment, as was said last; false for any other. */
bool mackeep_move_bound(struct mackeep_net *mn, struct mackeep_segment on,
			u16 family, const union nf_inet_addr *addr, u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;
	const struct mackeep_move_key key = {
		.addr = *addr,
		.on = on,
		.family = family,
	};
	const struct mackeep_move *binding;

	spin_lock_bh(&moves->lock);
	binding = mackeep_move_lookup(moves, &key);
	if (binding)
		ether_addr_copy(mac, binding->mac);
	spin_unlock_bh(&moves->lock);
	return binding;
}

/* Whether a MAC is known to have an address other than this one */
bool mackeep_move_apart(struct mackeep_net *mn, struct mackeep_segment on,
			u16 family, const union nf_inet_addr *addr,
			const u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;
	const struct mackeep_move_key key = {
		.addr = *addr,
		.on = on,
		.family = family,
	};
	bool apart;

	spin_lock_bh(&moves->lock);
	apart = mackeep_move_has_other(moves, &key, mac);
	spin_unlock_bh(&moves->lock);
	return apart;
}

/* Under rcu_read_lock(). A frame came from that MAC. */
void mackeep_move_back(struct mackeep_net *mn, struct mackeep_segment on,
		       const u8 *mac)
{
	struct mackeep_moves *moves = &mn->moves;

	if (likely(!READ_ONCE(moves->any)))
		return;
	spin_lock_bh(&moves->lock);
	mackeep_move_undo(mn, on, mac);
	spin_unlock_bh(&moves->lock);
}

/*
 * Under rcu_read_lock(). Answers that came from one MAC come from another. Where
 * more of that is under way than there is room for, later frames will tell.
 */
void mackeep_move_suspect(struct mackeep_net *mn, struct mackeep_segment on,
			  const u8 *from, const u8 *to)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_suspect *suspect, *free = NULL;
	int i;

	spin_lock_bh(&moves->lock);
	for (i = 0; i < ARRAY_SIZE(moves->suspects); i++) {
		suspect = &moves->suspects[i];
		if (!suspect->on.ifindex) {
			free = suspect;
		} else if (suspect->on.ifindex == on.ifindex &&
			   suspect->on.vlan == on.vlan &&
			   ether_addr_equal(suspect->from, from)) {
			ether_addr_copy(suspect->to, to);
			goto out;
		}
	}
	if (!free)
		goto out;
	free->on = on;
	free->since = jiffies;
	free->until = jiffies + MACKEEP_MOVE_UNTIL;
	ether_addr_copy(free->from, from);
	ether_addr_copy(free->to, to);
	queue_delayed_work(system_wq, &moves->work, MACKEEP_MOVE_SILENT);
out:
	spin_unlock_bh(&moves->lock);
}

/*
 * Half a second later: did the old one say anything in between? If so, it has
 * another half second to be silent in.
 */
static void mackeep_move_work(struct work_struct *work)
{
	struct mackeep_net *mn = container_of(to_delayed_work(work),
					      struct mackeep_net, moves.work);
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_suspect *suspect;
	bool more = false;
	int i;

	rcu_read_lock();
	spin_lock_bh(&moves->lock);
	for (i = 0; i < ARRAY_SIZE(moves->suspects); i++) {
		suspect = &moves->suspects[i];
		if (!suspect->on.ifindex)
			continue;
		if (time_before(jiffies, suspect->since + MACKEEP_MOVE_SILENT)) {
			more = true;
		} else if (mackeep_move_silent(mn, suspect->on, suspect->from,
					       suspect->since)) {
			mackeep_move_make(mn, suspect->on, suspect->from,
					  suspect->to, true);
			suspect->on.ifindex = 0;
		} else if (time_after(jiffies, suspect->until)) {
			suspect->on.ifindex = 0;
		} else {
			suspect->since = jiffies;
			more = true;
		}
	}
	if (more)
		queue_delayed_work(system_wq, &moves->work, HZ / 10);
	spin_unlock_bh(&moves->lock);
	rcu_read_unlock();
}

/* May sleep; nobody looks any more. */
void mackeep_move_stop(struct mackeep_net *mn)
{
	struct mackeep_moves *moves = &mn->moves;
	struct mackeep_move *move, *next;

	cancel_delayed_work_sync(&moves->work);
	spin_lock_bh(&moves->lock);
	list_for_each_entry_safe(move, next, &moves->bindings.list, list)
		mackeep_move_del(moves, move);
	list_for_each_entry_safe(move, next, &moves->moves.list, list)
		mackeep_move_del(moves, move);
	memset(moves->suspects, 0, sizeof(moves->suspects));
	moves->any = false;
	spin_unlock_bh(&moves->lock);
}

void mackeep_move_net_init(struct mackeep_net *mn)
{
	struct mackeep_moves *moves = &mn->moves;

	spin_lock_init(&moves->lock);
	INIT_LIST_HEAD(&moves->bindings.list);
	INIT_LIST_HEAD(&moves->moves.list);
	INIT_DELAYED_WORK(&moves->work, mackeep_move_work);
}

void mackeep_move_init(void)
{
	mackeep_move_seed = get_random_u32();
}
