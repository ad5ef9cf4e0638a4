/* SPDX-License-Identifier: GPL-2.0-only */
/* Which clients of the pair cache are in the neighbour table. */
#ifndef _MACKEEP_PAIR_FEED_H
#define _MACKEEP_PAIR_FEED_H

#include <linux/types.h>

struct mackeep_net;
struct mackeep_pair_key;

void mackeep_pair_unfeed(struct mackeep_net *mn, unsigned int most);
void mackeep_pair_unfeed_all(struct mackeep_net *mn);
void mackeep_pair_feed(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key, bool first);

#endif /* _MACKEEP_PAIR_FEED_H */
