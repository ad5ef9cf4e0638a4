/* SPDX-License-Identifier: GPL-2.0-only */
/* mackeep monitor --services: services as they open and close */
#ifndef _TOOLS_SERVICES_MONITOR_H
#define _TOOLS_SERVICES_MONITOR_H

struct args;

int services_monitor(const struct args *args);

#endif /* _TOOLS_SERVICES_MONITOR_H */
