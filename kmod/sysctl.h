/* SPDX-License-Identifier: GPL-2.0-only */
/* net.netfilter.mackeep_*, and the module's parameters */
#ifndef _MACKEEP_SYSCTL_H
#define _MACKEEP_SYSCTL_H

struct mackeep_net;

int mackeep_sysctl_init(void);
int mackeep_sysctl_net_init(struct mackeep_net *mn);
void mackeep_sysctl_net_exit(struct mackeep_net *mn);

#endif /* _MACKEEP_SYSCTL_H */
