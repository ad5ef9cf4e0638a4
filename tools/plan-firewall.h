/* SPDX-License-Identifier: GPL-2.0-only */
/* What firewalls of this machine would drop of a set-up, as steps or as notes. */
#ifndef _TOOLS_PLAN_FIREWALL_H
#define _TOOLS_PLAN_FIREWALL_H

#include <jansson.h>

#include "args.h"

/*
 * Appends the rules that let the packets for the proxies pass; without --firewall it
 * only says them.
 */
void plan_firewall(json_t *plan, const struct args *args);

#endif /* _TOOLS_PLAN_FIREWALL_H */
