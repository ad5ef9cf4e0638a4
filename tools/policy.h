/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of flows: of a MACKEEP rule, or the default policy of a namespace. */
#ifndef _TOOLS_POLICY_H
#define _TOOLS_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "values.h"

struct policy {
	bool given;			/* an option is */
	uint8_t keep;			/* MACKEEP_KEEP_* */
	uint8_t refresh;		/* MACKEEP_REFRESH_* */
	uint8_t next_hop;		/* MACKEEP_NEXT_HOP_* */
	bool last_hop;
	bool strict;
	struct mark orig, reply;	/* mask 0: not asked for */
};

/* --keep, --refresh and --next-hop */
uint8_t policy_keep(const char *text);
uint8_t policy_refresh(const char *text);
uint8_t policy_next_hop(const char *text);
/* Dies if one option does not go with another. */
void policy_check(const struct policy *policy);
bool policy_same(const struct policy *one, const struct policy *other);

/* As "mackeep policy" shows it; valid until the next but one call */
const char *policy_line(const struct policy *policy);
/* As the options of a rule and of this program, an array of words */
json_t *policy_options(const struct policy *policy);
/* The words of the command that sets it */
json_t *policy_command(const struct policy *policy);
/* As keys of an object, which may have others. What is as at first is left out. */
json_t *policy_json(const struct policy *policy);
struct policy policy_of_json(const json_t *object);

/* That of the namespace; as at first without the module, or with one that has none */
struct policy policy_read(void);
void policy_write(const struct policy *policy);

#endif /* _TOOLS_POLICY_H */
