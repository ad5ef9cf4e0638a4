/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A conntrack entry with the record that the module keeps in it. ctnetlink
 * hands the record out with each entry, so all that is needed is stock.
 */
#ifndef _TOOLS_FLOW_H
#define _TOOLS_FLOW_H

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <stdbool.h>

#include <linux/netfilter/xt_MACKEEP.h>

#include "args.h"
#include "left.h"

struct flow {
	const struct nf_conntrack *ct;
	enum nf_conntrack_msg_type type;
	struct mackeep_info info;
	const struct left *left;	/* a packet was left alone; NULL: none was */
	bool bare;			/* it has no record */
	bool now;			/* it happened just now: to be told as an event */
};

/* True if the flow is kept; its record is then in flow->info. */
bool flow_kept(struct flow *flow);
/* True if it matches all filters that were given. */
bool flow_match(const struct args *args, const struct flow *flow);
void flow_print(const struct args *args, const struct flow *flow);
/* Calls each(ct, data) for every entry that has a helper, or for all of them. */
void flow_dump(int family, bool whole, void (*each)(struct nf_conntrack *, void *),
	       void *data);

#endif /* _TOOLS_FLOW_H */
