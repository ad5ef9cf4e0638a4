/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MACKEEP_STAT_H
#define _MACKEEP_STAT_H

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

#endif /* _MACKEEP_STAT_H */
