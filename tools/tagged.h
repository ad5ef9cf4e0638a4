/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tagged frames that a set-up leaves alone though they are for its ports. A table of
 * nft notes their VLANs; it changes nothing of the frames.
 */
#ifndef _TOOLS_TAGGED_H
#define _TOOLS_TAGGED_H

#include <jansson.h>

#include "args.h"

/* The name of a bridge's table; valid until the next call */
const char *tagged_table(const char *bridge);
/* Adds a rule for these ports, if there are any, to text, which begins as NULL. */
void tagged_rule(char **text, const char *bridge, const char *proto,
		 const struct ports *ports);
/* The whole table, as nft takes it; frees the text. */
char *tagged_rules(char *text, const char *bridge);
/* Appends the step that makes the table, for the backend nft. */
void plan_tagged(json_t *plan, const struct args *args);

#endif /* _TOOLS_TAGGED_H */
