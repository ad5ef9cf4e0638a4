/* SPDX-License-Identifier: GPL-2.0-only */
/* What a rule holds as long as it is there. */
#ifndef _MACKEEP_RULE_H
#define _MACKEEP_RULE_H

#include <linux/netfilter/xt_MACKEEP.h>

struct mackeep_net;
struct mackeep_policy;

/* What is wrong with the options, or NULL */
const char *mackeep_rule_check(const struct xt_mackeep_tginfo *info);

/* Both may sleep and need mackeep_net_mutex. -ENOSPC: too many other options */
struct mackeep_policy *mackeep_rule_get(struct mackeep_net *mn,
					const struct xt_mackeep_tginfo *info);
void mackeep_rule_put(struct mackeep_policy *policy);

#endif /* _MACKEEP_RULE_H */
