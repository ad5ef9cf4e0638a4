/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done with all records of a network namespace */
#ifndef _MACKEEP_RECORD_WALK_H
#define _MACKEEP_RECORD_WALK_H

#include <linux/types.h>

struct mackeep_filter;
struct net;

unsigned int mackeep_record_flush(struct net *net,
				  const struct mackeep_filter *filter);
void mackeep_record_forget(struct net *net, u8 policy);
void mackeep_record_await(struct net *net, bool on);

#endif /* _MACKEEP_RECORD_WALK_H */
