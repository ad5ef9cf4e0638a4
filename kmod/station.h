/* SPDX-License-Identifier: GPL-2.0-only */
/* By which port of a bridge the frames of a station come in. */
#ifndef _MACKEEP_STATION_H
#define _MACKEEP_STATION_H

#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>

struct mackeep_net;

struct mackeep_stations {
	struct rhashtable table;
	spinlock_t lock;		/* writers: list, count */
	struct list_head list;		/* longest silent first */
	unsigned int count;
	bool contrary;			/* to what some FDB says; read without */
};

struct mackeep_station_key {
	u32 ifindex;			/* of the bridge */
	u16 vid;			/* in its FDB */
	u8 mac[ETH_ALEN];
};

struct mackeep_station {
	struct rhash_head node;
	struct mackeep_station_key key;
	u32 port;			/* ifindex; one word, under lock */
	struct list_head list;
	struct rcu_head rcu;
};

void mackeep_station_seen(struct mackeep_net *mn, const struct net_device *br,
			  const u8 *mac, u16 vid, const struct net_device *port);
const struct net_device *
mackeep_station_port(struct mackeep_net *mn, const struct net_device *br,
		     const u8 *mac, u16 vid, const struct net_device *known);
void mackeep_station_stop(struct mackeep_net *mn);
int mackeep_station_net_init(struct mackeep_net *mn);
void mackeep_station_net_exit(struct mackeep_net *mn);

#endif /* _MACKEEP_STATION_H */
