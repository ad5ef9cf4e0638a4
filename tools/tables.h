/* SPDX-License-Identifier: GPL-2.0-only */
/* iptables-legacy and ebtables-legacy, which tell nobody of a change */
#ifndef _TOOLS_TABLES_H
#define _TOOLS_TABLES_H

#include <stdint.h>

/*
 * Another number when rules were added to a table of "mackeep up", or taken out of
 * one. Tables that are not loaded count as empty, and are not loaded for it.
 */
uint64_t tables_sum(void);

#endif /* _TOOLS_TABLES_H */
