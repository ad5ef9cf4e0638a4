/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules in the JSON of "nft -j list ruleset". */
#ifndef _TOOLS_NFT_H
#define _TOOLS_NFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An object of the ruleset as a rule; NULL: it is something else. */
json_t *nft_rule(json_t *object);
/* The chain that a rule is in */
const json_t *nft_chain(json_t *ruleset, json_t *rule);
bool nft_is_hook(const json_t *chain, const char *name);

/* The first expression of this name, or NULL */
json_t *nft_expression(json_t *rule, const char *name);
/* What the rule sets the packet's mark to; false when it sets none */
bool nft_mark(json_t *rule, uint32_t *mark);
bool nft_drops(json_t *rule);
/* True if packets that it takes end their way through the chain: accept, drop, return */
bool nft_ends(json_t *rule);
/* True if rule takes all packets that other takes, for sure. */
bool nft_covers(json_t *rule, json_t *other);

/* The command that deletes a rule */
char *nft_delete(json_t *rule);

#endif /* _TOOLS_NFT_H */
