/* SPDX-License-Identifier: GPL-2.0-only */
/* Which MACs are routers', and where a packet goes that nobody has shown the way. */
#ifndef _MACKEEP_ROUTER_H
#define _MACKEEP_ROUTER_H

#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "filter.h"
#include "tag.h"

struct mackeep_net;
struct mackeep_pair_key;

struct mackeep_router_list {
	struct list_head list;		/* longest unused first */
	unsigned int count;
};

struct mackeep_routers {
	spinlock_t lock;		/* writers */
	struct mackeep_router_list fresh;	/* by frames that anybody may forge */
	struct mackeep_router_list proven;	/* flows with an answer use them */
	struct hlist_head buckets[64];	/* read under RCU */
};

/* What a MAC is that frames to a server go to */
enum mackeep_router_kind {
	MACKEEP_ROUTER_NOT,		/* the server's own */
	MACKEEP_ROUTER_MAYBE,		/* either, for all that is known */
	MACKEEP_ROUTER_IS,
};

enum mackeep_router_kind
mackeep_router_seen(struct mackeep_net *mn, const struct mackeep_pair_key *key,
		    u32 vlan, const u8 *mac, bool proven);
void mackeep_router_says(struct mackeep_net *mn, struct mackeep_segment on,
			 const u8 *mac, unsigned int lifetime);
bool mackeep_router_hop(struct mackeep_net *mn,
			const struct mackeep_pair_key *key, u32 vlan, u8 *mac);
bool mackeep_router_own(struct mackeep_net *mn,
			const struct mackeep_pair_key *key, u8 *mac);
void mackeep_router_flush(struct mackeep_net *mn,
			  const struct mackeep_filter *filter);
void mackeep_router_stop(struct mackeep_net *mn);
void mackeep_router_net_init(struct mackeep_net *mn);
void mackeep_router_init(void);

#endif /* _MACKEEP_ROUTER_H */
