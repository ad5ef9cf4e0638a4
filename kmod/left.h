/* SPDX-License-Identifier: GPL-2.0-only */
/* Which flows had a packet that was left alone, why, and when. */
#ifndef _MACKEEP_LEFT_H
#define _MACKEEP_LEFT_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

#include "stat.h"

struct mackeep_net;

#define MACKEEP_LEFT_WAYS	8		/* notes of a bucket: a line */
#define MACKEEP_LEFT_BUCKETS	512
#define MACKEEP_LEFT_NOTES	(MACKEEP_LEFT_WAYS * MACKEEP_LEFT_BUCKETS)

/* A note: conntrack's id of the flow, the reason, and the second */
#define MACKEEP_LEFT_ID		32
#define MACKEEP_LEFT_WHY	24
#define MACKEEP_LEFT_TIME	((1U << MACKEEP_LEFT_WHY) - 1)
#define MACKEEP_LEFT_STRICT	0x80	/* in the reason: it was dropped */

struct mackeep_left {
	struct rcu_head rcu;
	u64 notes[MACKEEP_LEFT_NOTES];
	u64 lately[256];		/* what was noted in this second */
	u32 second;
	atomic_t told;			/* events in this second */
	atomic_t untold;		/* since the last one */
};

static inline u32 mackeep_left_now(void)
{
	return (u32)ktime_get_seconds();
}

void mackeep_left_note(struct mackeep_net *mn, const struct sk_buff *skb,
		       u8 why);
/* Both need mackeep_net_mutex. */
void mackeep_left_start(struct mackeep_net *mn);
void mackeep_left_stop(struct mackeep_net *mn);
void mackeep_left_init(void);

/* The packet is left to the stack, or dropped instead. */
#define MACKEEP_LEFT(mn, skb, name) \
	mackeep_left_note(mn, skb, MACKEEP_STAT_##name)

#endif /* _MACKEEP_LEFT_H */
