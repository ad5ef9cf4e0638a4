/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's counters in this network namespace, all processors together. */
#ifndef _TOOLS_COUNTERS_H
#define _TOOLS_COUNTERS_H

#include <stdint.h>

#define COUNTERS_MAX	128

struct counters {
	unsigned int n;
	char name[COUNTERS_MAX][32];
	uint64_t value[COUNTERS_MAX];
};

/* -1: the module is not loaded */
int counters_read(struct counters *counters);
/* The index of a counter, or -1 */
int counters_find(const struct counters *counters, const char *name);
/* The counters as they were at the first call; none without the module */
const struct counters *counters_now(void);
/* One of these; 0 when there is none of that name */
uint64_t counter_value(const char *name);

#endif /* _TOOLS_COUNTERS_H */
