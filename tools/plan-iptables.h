/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules of a plan, for iptables, ip6tables and ebtables */
#ifndef _TOOLS_PLAN_IPTABLES_H
#define _TOOLS_PLAN_IPTABLES_H

#include <jansson.h>

#include "args.h"

/* What hands packets to the proxies; v6: of IPv6 */
void plan_iptables_proxy(json_t *plan, const struct args *args, bool v6);
/* What lifts frames off the bridge */
void plan_ebtables_lift(json_t *plan, const struct args *args);

#endif /* _TOOLS_PLAN_IPTABLES_H */
