/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows that have the helper and no rule; see default.c. */
#ifndef _MACKEEP_DEFAULT_H
#define _MACKEEP_DEFAULT_H

#include <linux/netfilter.h>
#include <linux/netfilter/xt_MACKEEP.h>

struct mackeep_net;

#define MACKEEP_DEFAULT_HOOKS	2

/* Under mackeep_net_mutex */
struct mackeep_default {
	struct xt_mackeep_tginfo options;
	bool wanted;			/* sysctl mackeep_hooks; read without */
	struct nf_hook_ops hooks[MACKEEP_DEFAULT_HOOKS];
};

/* All may sleep and need mackeep_net_mutex. Both fail as mackeep_rule_get() does. */
int mackeep_default_hook(struct mackeep_net *mn, bool want);
int mackeep_default_set(struct mackeep_net *mn,
			const struct xt_mackeep_tginfo *info);
void mackeep_default_close(struct mackeep_net *mn);

#endif /* _MACKEEP_DEFAULT_H */
