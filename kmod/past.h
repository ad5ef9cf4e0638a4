/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of flows that are remembered as hashes with the second they were last
 * seen in, one word each. A flow that is in it is never pushed out by another, so
 * that a flood only costs what comes later. Two at a time may take the same word;
 * one loses. Needs no lock.
 */
#ifndef _MACKEEP_PAST_H
#define _MACKEEP_PAST_H

#include <linux/compiler.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

#define MACKEEP_PAST_WAYS	8		/* words of a bucket: a line */
#define MACKEEP_PAST_BUCKETS	4096
#define MACKEEP_PAST_WORDS	(MACKEEP_PAST_WAYS * MACKEEP_PAST_BUCKETS)
#define MACKEEP_PAST_LIVES	180		/* seconds; as conntrack's streams */

static inline u64 mackeep_past_now(void)
{
	return (u32)ktime_get_seconds() & 0xffff;
}

static inline bool mackeep_past_lives(u64 word)
{
	return word && ((mackeep_past_now() - word) & 0xffff) <
			       MACKEEP_PAST_LIVES;
}

static inline u64 *mackeep_past_bucket(u64 *table, u64 hash)
{
	return table + MACKEEP_PAST_WAYS *
	       (hash >> 16 & (MACKEEP_PAST_BUCKETS - 1));
}

/* Whether the flow is in it; if so, it goes on to be. */
static inline bool mackeep_past_has(u64 *table, u64 hash)
{
	u64 *word = mackeep_past_bucket(table, hash);
	u64 *end = word + MACKEEP_PAST_WAYS, old;

	for (; word < end; word++) {
		old = READ_ONCE(*word);
		if (old >> 16 != hash >> 16 || !mackeep_past_lives(old))
			continue;
		hash = (hash & ~0xffffULL) | mackeep_past_now();
		if (old != hash)
			WRITE_ONCE(*word, hash);
		return true;
	}
	return false;
}

/* False: there is no room. */
static inline bool mackeep_past_add(u64 *table, u64 hash)
{
	u64 *word = mackeep_past_bucket(table, hash);
	u64 *end = word + MACKEEP_PAST_WAYS;

	for (; word < end; word++) {
		if (mackeep_past_lives(READ_ONCE(*word)))
			continue;
		WRITE_ONCE(*word, (hash & ~0xffffULL) | mackeep_past_now());
		return true;
	}
	return false;
}

static inline void mackeep_past_del(u64 *table, u64 hash)
{
	u64 *word = mackeep_past_bucket(table, hash);
	u64 *end = word + MACKEEP_PAST_WAYS;

	for (; word < end; word++)
		if (READ_ONCE(*word) >> 16 == hash >> 16)
			WRITE_ONCE(*word, 0);
}

#endif /* _MACKEEP_PAST_H */
