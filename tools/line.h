/* SPDX-License-Identifier: GPL-2.0-only */
/* The line of a flow, as conntrack -L has it, and what is appended to it. */
#ifndef _TOOLS_LINE_H
#define _TOOLS_LINE_H

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <linux/netfilter/xt_MACKEEP.h>

/* Returns the length, or 0 when the entry has something that only the library prints. */
unsigned int line_conntrack(char *line, const struct nf_conntrack *ct);
/* Appends " smac=.." and so on, and returns the end. */
char *line_record(char *at, const struct mackeep_info *info);

#endif /* _TOOLS_LINE_H */
