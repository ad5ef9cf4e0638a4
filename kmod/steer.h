/* SPDX-License-Identifier: GPL-2.0-only */
/* What this box sends in the name of others leaves by their device. */
#ifndef _MACKEEP_STEER_H
#define _MACKEEP_STEER_H

#include <linux/netfilter.h>

struct dst_entry;
struct mackeep_net;

struct mackeep_steer {
	bool on;			/* sysctl; under mackeep_net_mutex */
	struct nf_hook_ops hooks[3];
	struct dst_entry *local;	/* route to this box; while there are hooks */
};

int mackeep_steer_set(struct mackeep_net *mn, bool on);

#endif /* _MACKEEP_STEER_H */
