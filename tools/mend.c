// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "mend.h"
#include "state.h"
#include "step.h"
#include "text.h"

static bool all_done(const json_t *state)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(state, "steps"), i, step)
		if (!step_done(step))
			return false;
	return true;
}

/* "up" does what is not done. Where a step only seems to be done, "down" helps it. */
static char *up_again(const char *bridge, const json_t *state, bool done)
{
	json_t *words = json_object_get(state, "words");
	char *up, *both;

	up = words ? step_words(words) : format("mackeep up %s", bridge);
	if (!done)
		return up;
	both = format("mackeep down %s && %s", bridge, up);
	free(up);
	return both;
}

/* Of several bridges the one where something is missing; NULL: none was set up */
static char *find_command(const struct probe *probe)
{
	char *command = NULL;
	unsigned int i;
	json_t *state;
	bool done;

	for (i = 0; i < probe->bridges; i++) {
		state = state_load(probe->bridge[i].name);
		if (!state)
			continue;
		done = all_done(state);
		if (!command || !done) {
			free(command);
			command = up_again(probe->bridge[i].name, state, done);
		}
		json_decref(state);
		if (!done)
			break;
	}
	return command;
}

char *mend_by_up(const struct probe *probe, char *otherwise)
{
	static char *command;
	static bool known;

	if (!known)
		command = find_command(probe);
	known = true;
	if (!command)
		return otherwise;
	free(otherwise);
	return format("%s", command);
}
