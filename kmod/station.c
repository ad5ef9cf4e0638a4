// SPDX-License-Identifier: GPL-2.0-only
/*
 * By which port of a bridge a station's frames come in, as lifted frames show
 * it. The bridge's FDB knows that as well, as a rule; but it learns nothing from
 * a port with "learning off", nor anything at all in a bridge that is a hub
 * (ageing_time 0), and a frame in a station's name must not leave by its own
 * port all the same.
 *
 * A frame that shows what is known already only reads here. The table has a
 * limit: the station that was longest silent makes room, and one that is
 * forgotten is left to the FDB.
 *
 * Readers run under RCU; writers, which are in hooks, in any context, take the
 * lock. An entry's port is one word, and changes in place.
 */
#include <linux/if_bridge.h>
#include <linux/jhash.h>
#include <linux/slab.h>

#include "bridge.h"
#include "net.h"
#include "station.h"

#define MACKEEP_STATION_MAX	16384

static const struct rhashtable_params mackeep_station_params = {
	.head_offset		= offsetof(struct mackeep_station, node),
	.key_offset		= offsetof(struct mackeep_station, key),
	.key_len		= sizeof(struct mackeep_station_key),
	.automatic_shrinking	= true,
};

static void mackeep_station_key(struct mackeep_station_key *key,
				const struct net_device *br, const u8 *mac,
				u16 vid)
{
	key->ifindex = br->ifindex;
	key->vid = vid;
	ether_addr_copy(key->mac, mac);
}

/* Under lock. */
static void mackeep_station_del(struct mackeep_stations *stations,
				struct mackeep_station *station)
{
	rhashtable_remove_fast(&stations->table, &station->node,
			       mackeep_station_params);
	list_del(&station->list);
	stations->count--;
	kfree_rcu(station, rcu);
}

static void mackeep_station_add(struct mackeep_net *mn,
				const struct mackeep_station_key *key,
				u32 port)
{
	struct mackeep_stations *stations = &mn->stations;
	struct mackeep_station *station;

	if (stations->count >= MACKEEP_STATION_MAX)
		mackeep_station_del(stations,
				    list_first_entry(&stations->list,
						     struct mackeep_station,
						     list));
	station = kmalloc(sizeof(*station), GFP_ATOMIC | __GFP_NOWARN);
	if (!station) {
		MACKEEP_STAT_INC(mn, nomem);
		return;
	}
	station->key = *key;
	station->port = port;
	if (rhashtable_insert_fast(&stations->table, &station->node,
				   mackeep_station_params)) {
		MACKEEP_STAT_INC(mn, nomem);
		kfree(station);
		return;
	}
	list_add_tail(&station->list, &stations->list);
	stations->count++;
}

/*
 * Under rcu_read_lock(). A frame of the station came in by the port. That matters
 * only where the bridge, which has seen the frame, does not say the same.
 */
void mackeep_station_seen(struct mackeep_net *mn, const struct net_device *br,
			  const u8 *mac, u16 vid, const struct net_device *port)
{
	struct mackeep_stations *stations = &mn->stations;
	struct mackeep_station *station;
	struct mackeep_station_key key;
	bool moved;

	mackeep_station_key(&key, br, mac, vid);
	spin_lock_bh(&stations->lock);
	station = rhashtable_lookup_fast(&stations->table, &key,
					 mackeep_station_params);
	moved = !station || station->port != port->ifindex;
	if (station) {
		WRITE_ONCE(station->port, port->ifindex);
		list_move_tail(&station->list, &stations->list);
	} else {
		mackeep_station_add(mn, &key, port->ifindex);
	}
	spin_unlock_bh(&stations->lock);

	if (moved && mackeep_bridge_port(br, mac, vid) != port) {
		WRITE_ONCE(stations->contrary, true);
		mackeep_genid_bump_at(mn, mac);
	}
}

/* The port that its frames showed, if that is one of the bridge's still */
static const struct net_device *
mackeep_station_shown(struct mackeep_net *mn, const struct net_device *br,
		      const u8 *mac, u16 vid)
{
	const struct mackeep_station *station;
	struct mackeep_station_key key;
	struct net_device *port;

	mackeep_station_key(&key, br, mac, vid);
	station = rhashtable_lookup(&mn->stations.table, &key,
				    mackeep_station_params);
	if (!station)
		return NULL;
	port = dev_get_by_index_rcu(mn->net, READ_ONCE(station->port));
	if (!port || netdev_master_upper_dev_get_rcu(port) != br)
		return NULL;
	return port;
}

/*
 * Under rcu_read_lock(). The port where a station is: where the bridge knows it,
 * or else where its frames were seen. Of stations on a port that it does not
 * learn from, what the bridge knows is old.
 */
const struct net_device *
mackeep_station_port(struct mackeep_net *mn, const struct net_device *br,
		     const u8 *mac, u16 vid, const struct net_device *known)
{
	const struct net_device *shown;

	if (likely(known && !READ_ONCE(mn->stations.contrary)))
		return known;
	shown = mackeep_station_shown(mn, br, mac, vid);
	if (shown && (!known || !br_port_flag_is_set(shown, BR_LEARNING)))
		return shown;
	return known;
}

/* Nobody looks any more. */
void mackeep_station_stop(struct mackeep_net *mn)
{
	struct mackeep_stations *stations = &mn->stations;
	struct mackeep_station *station, *next;

	spin_lock_bh(&stations->lock);
	list_for_each_entry_safe(station, next, &stations->list, list)
		mackeep_station_del(stations, station);
	stations->contrary = false;
	spin_unlock_bh(&stations->lock);
}

int mackeep_station_net_init(struct mackeep_net *mn)
{
	struct mackeep_stations *stations = &mn->stations;

	spin_lock_init(&stations->lock);
	INIT_LIST_HEAD(&stations->list);
	return rhashtable_init(&stations->table, &mackeep_station_params);
}

void mackeep_station_net_exit(struct mackeep_net *mn)
{
	rhashtable_destroy(&mn->stations.table);
}
