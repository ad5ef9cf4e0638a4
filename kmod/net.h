/* SPDX-License-Identifier: GPL-2.0-only */
/* A network namespace: what it keeps, and when it has hooks. */
#ifndef _MACKEEP_NET_H
#define _MACKEEP_NET_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <net/netns/generic.h>

#include "compat.h"
#include "default.h"
#include "device.h"
#include "feed.h"
#include "guard.h"
#include "lasthop.h"
#include "left.h"
#include "move.h"
#include "onlink.h"
#include "ownport.h"
#include "pair.h"
#include "policy.h"
#include "router.h"
#include "service.h"
#include "stat.h"
#include "station.h"
#include "steer.h"
#include "stp.h"

#define MACKEEP_HOOKS		8

/*
 * Answers that are remembered for a moment. Each slot holds a hash of the
 * question, the moment and the answer in one u64: a 64-bit CPU reads and writes
 * that in one piece. On 32 bits a reader may see halves of two; then the hash
 * does not match, but for one time in 2^32.
 */
#define MACKEEP_SLOTS_BITS	10
#define MACKEEP_SOURCES_BITS	12
#define MACKEEP_WAYS_BITS	13		/* VLANs of a station lie side by side */

struct mackeep_slots {
	u64 nosock[1 << MACKEEP_SLOTS_BITS];	/* sock.c; first for each frame */
	u64 known[1 << MACKEEP_SLOTS_BITS];	/* ownport.c */
	u64 ways[1 << MACKEEP_WAYS_BITS];	/* passup.c: to a station */
	u64 sources[1 << MACKEEP_SOURCES_BITS];	/* passup.c: from one */
	u64 frags[256];				/* frag.c */
	/* How many frames were looked at this moment, see sock.c */
	unsigned long moment, spent;
	unsigned int looks;
	unsigned int lifted_bits;
	u64 lifted[];				/* learn.c; more where flows are more */
};

struct mackeep_net {
	/* Every packet reads these; they hardly ever change. */
	struct net *net;
	struct mackeep_stat __percpu *stat;
	atomic_t genid;			/* odd; see MACKEEP_GENID_FAST */
	atomic_t told;
	atomic_t turns[256];		/* even */

	struct mackeep_policies policies;
	struct mackeep_services services;
	struct mackeep_pairs pairs;
	struct mackeep_stations stations;
	struct mackeep_moves moves;
	struct mackeep_routers routers;
	struct mackeep_devices devices;
	struct mackeep_stp stp;
	struct mackeep_onlink onlink;
	struct mackeep_lasthop lasthop;
	struct mackeep_steer steer;
	struct mackeep_feed feed;
	struct mackeep_ownport ownport;
	struct mackeep_guards guards;
	struct mackeep_slots *slots;	/* while started */
	struct mackeep_asked __rcu *asked; /* likewise, or NULL */
	struct mackeep_awaited __rcu *awaited; /* likewise, or NULL */
	struct mackeep_left __rcu *left; /* likewise, or NULL */

	/* sysctls */
	u32 lift_mark;
	u32 lift_mask;
	unsigned int pair_max;		/* 0: see mackeep_pair_limit() */
	unsigned int pair_timeout;	/* seconds */
	unsigned int neigh;		/* neighbour fallback: 0 off, 1 on */
	bool lift_vlan;			/* see tag.c; under mackeep_net_mutex */
	struct ctl_table_header *sysctl;

	unsigned int users;		/* rules; under mackeep_net_mutex */
	unsigned int strict;		/* of which strict; read without */
	bool started;			/* the pair cache is there; likewise */
	bool hooked;			/* the hooks are; likewise */
	struct nf_hook_ops hooks[MACKEEP_HOOKS];
	struct mackeep_default dflt;	/* under mackeep_net_mutex */
};

extern unsigned int mackeep_net_id;

/* Serialises users coming and going, in all namespaces; hooks never take it. */
extern struct mutex mackeep_net_mutex;

static inline struct mackeep_net *mackeep_net(const struct net *net)
{
	return net_generic(net, mackeep_net_id);
}

/* All of these may sleep and need mackeep_net_mutex. */
int mackeep_net_get(struct mackeep_net *mn);
void mackeep_net_put(struct mackeep_net *mn);
int mackeep_net_hook(struct mackeep_net *mn, struct nf_hook_ops *ops,
		     const struct nf_hook_ops *from, unsigned int n);
void mackeep_net_close(struct mackeep_net *mn);
void mackeep_net_stop(struct mackeep_net *mn);

/*
 * What a record's MACs depend on is numbered: the genid goes up when something has
 * changed that concerns all flows, as rules do, and the turn of a station when that
 * concerns those that have its MAC as source or destination: a pair, a move, where the
 * bridge has it. Turns are by the last byte of the MAC, so others may have it as well.
 *
 * A record keeps the sum of the genid and both turns that its MACs were found valid at,
 * in "checked"; 0 is never. Its lowest bit is free there, and says that the flow's packets
 * may take the fast path.
 *
 * Whose turn it will be is not known before the MACs are. So who looks takes a date first,
 * and who writes the record reads the turns and sees whether one has been told of since.
 * If so, the record is not valid. That is enough, as who tells makes his change, then
 * counts "told", and then the turn.
 */
#define MACKEEP_GENID_FAST	1

/* Something of that has changed: each flow is looked at again. */
static inline void mackeep_genid_bump(struct mackeep_net *mn)
{
	smp_mb__before_atomic(); /* the change before its number */
	atomic_add(2, &mn->genid);
}

/* What is read after this is as new as the number says, or newer. */
static inline u32 mackeep_genid(const struct mackeep_net *mn)
{
	u32 genid = atomic_read(&mn->genid);

	smp_rmb(); /* pairs with mackeep_genid_bump() */
	return genid & ~MACKEEP_GENID_FAST;
}

static __always_inline u32 mackeep_genid_turn(const struct mackeep_net *mn,
					      const u8 *mac)
{
	return atomic_read(&mn->turns[mac[ETH_ALEN - 1]]);
}

/* Of both stations of a frame or record. Zeros, for one that is not known, tell nothing. */
static __always_inline u32 mackeep_genid_turns(const struct mackeep_net *mn,
					       const u8 *src, const u8 *dst)
{
	return mackeep_genid_turn(mn, src) + mackeep_genid_turn(mn, dst);
}

/* Flows of that station look again, those of some others as well. */
static inline void mackeep_genid_bump_at(struct mackeep_net *mn, const u8 *mac)
{
	smp_mb__before_atomic(); /* the change before its number */
	atomic_inc(&mn->told);
	smp_mb__after_atomic(); /* pairs with mackeep_genid_sum() */
	atomic_add(2, &mn->turns[mac[ETH_ALEN - 1]]);
}

/* The genid, and how many turns have been told of; as mackeep_genid(). */
static inline u64 mackeep_genid_date(const struct mackeep_net *mn)
{
	u64 told = (u32)atomic_read(&mn->told);

	smp_rmb(); /* pairs with mackeep_genid_bump_at() */
	return told << 32 | mackeep_genid(mn);
}

/* What a record keeps of a date; 0 if something has been told of since. */
static inline u32 mackeep_genid_sum(const struct mackeep_net *mn, u64 date,
				    const u8 *src, const u8 *dst)
{
	u32 sum = (u32)date + mackeep_genid_turns(mn, src, dst);

	smp_rmb(); /* turns before told; pairs with mackeep_genid_bump_at() */
	return date && (u32)atomic_read(&mn->told) == date >> 32 ? sum : 0;
}

/*
 * The date of a record with that sum; now is from before it was read. It is older than it
 * was if a station has had its turn since: nothing is missed.
 */
static inline u64 mackeep_genid_dated(const struct mackeep_net *mn, u32 sum,
				      u64 now, const u8 *src, const u8 *dst)
{
	u32 genid = sum - mackeep_genid_turns(mn, src, dst);

	return sum ? now >> 32 << 32 | genid : 0;
}

#define MACKEEP_STAT_INC(mn, name) \
	this_cpu_inc((mn)->stat->count[MACKEEP_STAT_##name])

#endif /* _MACKEEP_NET_H */
