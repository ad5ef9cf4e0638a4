// SPDX-License-Identifier: GPL-2.0-only
/* Bridges that are up with --rehearse */
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "state.h"
#include "text.h"

struct seen {
	const char *bridge;		/* NULL: all that are up */
	bool real;			/* one of them is up in earnest */
	bool rehearsing;
};

static void look(const char *bridge, json_t *state, void *data)
{
	const json_t *config = json_object_get(state, "config");
	struct seen *seen = data;

	if (seen->bridge && strcmp(seen->bridge, bridge))
		return;
	if (!json_is_true(json_object_get(config, "rehearse"))) {
		seen->real = true;
		return;
	}
	seen->rehearsing = true;
	found(DOUBTFUL, "rehearsal",
	      format("bridge %s: it rehearses, nothing is lifted; \"mackeep services rehearsed\" tells what would be",
		     bridge),
	      format("mackeep up %s, without --rehearse", bridge));
}

bool check_rehearsal(const char *bridge)
{
	struct seen seen = { .bridge = bridge };

	state_each(look, &seen);
	return seen.rehearsing && !seen.real;
}
