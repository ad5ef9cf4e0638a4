// SPDX-License-Identifier: GPL-2.0-only
/* mackeep repair: what is missing of a bridge that is up */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "config.h"
#include "plan.h"
#include "say.h"
#include "state.h"
#include "stay.h"
#include "step.h"
#include "steps.h"
#include "text.h"

/* A line: what is fed to a command shows by its first one. */
static void print_missing(const json_t *step)
{
	const char *input = json_get_text(step, "do_input");
	const json_t *word;
	size_t i;

	json_array_foreach(json_object_get(step, "do"), i, word) {
		printf("%s%s", i ? " " : "", json_string_value(word));
	}
	if (*input)
		printf(": %.*s", (int)strcspn(input, "{\n"), input);
	putchar('\n');
	fflush(stdout);
}

/*
 * A step that fails leaves what is there: for what goes on meanwhile that is better
 * than nothing.
 */
int cmd_repair(struct args *args)
{
	json_t *state;

	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge? " STATE_DIRECTORY " has those that are up");
	if (args->stay)
		return stay(args->bridge);

	state_lock();
	state = state_load(args->bridge);
	if (!state || !json_is_true(json_object_get(state, "complete"))) {
		complain("bridge %s: it is not up; run: mackeep up %s",
			 args->bridge, args->bridge);
		return FAILED;
	}
	if (!config_args(args, json_object_get(state, "config")))
		die(FAILED, "bridge %s: another version has set it up, with options that are unknown here; run once: mackeep up %s",
		    args->bridge, args->bridge);
	args->early = true;
	plan_check(args);
	if (steps_do(args->bridge, state, plan_make(args), print_missing, false))
		die(FAILED, "bridge %s: some of it is missing, see above; mend that, then: mackeep repair %s",
		    args->bridge, args->bridge);
	return DONE;
}
