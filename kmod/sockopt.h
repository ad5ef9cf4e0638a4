/* SPDX-License-Identifier: GPL-2.0-only */
/* getsockopt(MACKEEP_SO_MACS), see include/linux/netfilter/xt_MACKEEP.h. */
#ifndef _MACKEEP_SOCKOPT_H
#define _MACKEEP_SOCKOPT_H

int mackeep_sockopt_init(void);
void mackeep_sockopt_exit(void);

#endif /* _MACKEEP_SOCKOPT_H */
