/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters, and what there is now, for Prometheus. */
#ifndef _TOOLS_METRICS_H
#define _TOOLS_METRICS_H

struct args;
struct counters;

void metrics_print(const struct args *args, const struct counters *counters);

#endif /* _TOOLS_METRICS_H */
