/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of nft that takes the mark off frames that are exempt. It is there while
 * the bridge is up, with either backend. It has no hook while nobody is exempt.
 */
#ifndef _TOOLS_EXEMPT_NFT_H
#define _TOOLS_EXEMPT_NFT_H

#include <stdbool.h>

#include "exemption.h"

/* The table's name; valid until the next call */
const char *exempt_table(const char *bridge);
bool exempt_table_there(const char *bridge);
/*
 * Makes the table, of family bridge, say now, in one transaction; before is what it
 * says, and NULL: it is made anew.
 */
void exempt_table_set(const char *bridge, const struct exemptions *before,
		      const struct exemptions *now);

#endif /* _TOOLS_EXEMPT_NFT_H */
