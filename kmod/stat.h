/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of a namespace, and /proc/net/stat/mackeep. */
#ifndef _MACKEEP_STAT_H
#define _MACKEEP_STAT_H

struct mackeep_net;

enum {
#define MACKEEP_STAT(name) MACKEEP_STAT_##name,
#include "stat-names.h"
#undef MACKEEP_STAT
	MACKEEP_STAT_MAX
};

/* Per CPU and namespace; a counter is only ever added to. */
struct mackeep_stat {
	unsigned long count[MACKEEP_STAT_MAX];
};

const char *mackeep_stat_name(unsigned int at);
int mackeep_stat_net_init(struct mackeep_net *mn);
void mackeep_stat_net_exit(struct mackeep_net *mn);

#endif /* _MACKEEP_STAT_H */
