/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy rules of ip(8): which table takes packets with a mark. */
#ifndef _TOOLS_RULE_H
#define _TOOLS_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* "ip", or "ip -6" */
const char *rule_ip(int family);
/*
 * The table that a rule for a mark has, or "", valid until the next call; mark 0
 * stands for any. *of becomes the mark of the rule.
 */
const char *rule_table(int family, uint32_t mark, uint32_t *of);
/*
 * The mark that a rule in front of that one is about, which takes all packets but
 * those; 0: there is no such rule. wg-quick(8) makes one.
 */
uint32_t rule_before(int family, uint32_t mark);
/* True if the table has a route that delivers everything to this machine. */
bool rule_local(int family, const char *table);

#endif /* _TOOLS_RULE_H */
