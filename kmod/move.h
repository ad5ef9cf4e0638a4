/* SPDX-License-Identifier: GPL-2.0-only */
/* Routers and servers that have another MAC now. */
#ifndef _MACKEEP_MOVE_H
#define _MACKEEP_MOVE_H

#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "tag.h"

struct mackeep_net;
struct mackeep_pair_key;

#define MACKEEP_MOVE_BUCKETS	256
#define MACKEEP_MOVE_SUSPECTS	16

/* Answers that come from another MAC: it may be a move. */
struct mackeep_suspect {
	struct mackeep_segment on;	/* ifindex 0: free */
	u8 from[ETH_ALEN];
	u8 to[ETH_ALEN];
	unsigned long since;		/* jiffies; the old one is silent */
	unsigned long until;		/* when it is given up */
};

struct mackeep_move_list {
	struct list_head list;		/* by when, oldest first */
	unsigned int count;
};

struct mackeep_moves {
	spinlock_t lock;		/* all of it but any */
	struct mackeep_move_list bindings;
	struct mackeep_move_list moves;
	bool any;			/* something has moved; read without */
	struct hlist_head buckets[MACKEEP_MOVE_BUCKETS];
	struct mackeep_suspect suspects[MACKEEP_MOVE_SUSPECTS];
	struct delayed_work work;
};

void mackeep_move_announce(struct mackeep_net *mn,
			   const struct mackeep_pair_key *who, u32 vlan,
			   const u8 *mac);
bool mackeep_move_follow(struct mackeep_net *mn, struct mackeep_segment on,
			 u16 family, const union nf_inet_addr *addr, u32 since,
			 u8 *mac);
bool mackeep_move_late(struct mackeep_net *mn, struct mackeep_segment on,
		       u16 family, const union nf_inet_addr *addr, u8 *mac);
bool mackeep_move_bound(struct mackeep_net *mn, struct mackeep_segment on,
			u16 family, const union nf_inet_addr *addr, u8 *mac);
bool mackeep_move_apart(struct mackeep_net *mn, struct mackeep_segment on,
			u16 family, const union nf_inet_addr *addr,
			const u8 *mac);
void mackeep_move_back(struct mackeep_net *mn, struct mackeep_segment on,
		       const u8 *mac);
void mackeep_move_suspect(struct mackeep_net *mn, struct mackeep_segment on,
			  const u8 *from, const u8 *to);
void mackeep_move_stop(struct mackeep_net *mn);
void mackeep_move_net_init(struct mackeep_net *mn);
void mackeep_move_init(void);

#endif /* _MACKEEP_MOVE_H */
