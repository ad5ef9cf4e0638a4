/* SPDX-License-Identifier: GPL-2.0-only */
/* A client in the neighbour table. */
#ifndef _MACKEEP_CLIENT_H
#define _MACKEEP_CLIENT_H

#include <linux/types.h>

struct mackeep_net;
struct mackeep_pair_key;

bool mackeep_client_enter(struct mackeep_net *mn,
			  const struct mackeep_pair_key *key, const u8 *mac,
			  bool fed);
void mackeep_client_leave(struct mackeep_net *mn,
			  const struct mackeep_pair_key *key);

#endif /* _MACKEEP_CLIENT_H */
