/* SPDX-License-Identifier: GPL-2.0-only */
/* --last-hop: answers go back where their flow came from. */
#ifndef _MACKEEP_LASTHOP_H
#define _MACKEEP_LASTHOP_H

#include <linux/netfilter.h>

struct mackeep_net;

struct mackeep_lasthop {
	unsigned int rules;		/* under mackeep_net_mutex */
	bool hooked;			/* likewise */
	struct nf_hook_ops steer[4];
	struct nf_hook_ops watch[2];
};

int mackeep_lasthop_get(struct mackeep_net *mn);
void mackeep_lasthop_put(struct mackeep_net *mn);
void mackeep_lasthop_stop(struct mackeep_net *mn);

#endif /* _MACKEEP_LASTHOP_H */
