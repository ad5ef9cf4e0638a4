/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tagged frames that a set-up leaves alone though they are for its ports. Rules of
 * nft note their VLANs in the set "vlans"; they change nothing of the frames.
 */
#ifndef _TOOLS_TAGGED_H
#define _TOOLS_TAGGED_H

#include <stdio.h>

#include "args.h"

/* The name of a table for rules that were made by hand; valid until the next call */
const char *tagged_table(const char *bridge);
/* Adds a rule for these ports, if there are any, to text, which begins as NULL. */
void tagged_rule(char **text, const char *bridge, const char *proto,
		 const struct ports *ports);
/* That table, as nft takes it; frees the text. */
char *tagged_rules(char *text, const char *bridge);
/* The set, and a chain "passing" for tagged frames, in a table of up */
void tagged_chain(FILE *file, const struct args *args);

#endif /* _TOOLS_TAGGED_H */
