/* SPDX-License-Identifier: GPL-2.0-only */
/* Clients in the neighbour table: the sysctl mackeep_feed_neigh */
#ifndef _MACKEEP_FEED_H
#define _MACKEEP_FEED_H

#include <linux/netfilter.h>
#include <linux/types.h>

struct mackeep_net;

#define MACKEEP_FEED_HOOKS	2

struct mackeep_feed {
	bool on;			/* under mackeep_net_mutex, read without */
	struct nf_hook_ops hooks[MACKEEP_FEED_HOOKS];
};

int mackeep_feed_set(struct mackeep_net *mn, bool on);

#endif /* _MACKEEP_FEED_H */
