// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "state.h"
#include "step.h"
#include "steps.h"
#include "text.h"

/* The last word of a step's command, which for a sysctl is KEY=VALUE */
static const char *last_word(const json_t *step, const char *which)
{
	const json_t *command = json_object_get(step, which);
	size_t n = json_array_size(command);

	return n ? json_string_value(json_array_get(command, n - 1)) : "";
}

/* The step, under the name that its device has now, with the value to go back to */
static json_t *moved(const json_t *step, const json_t *old)
{
	const char *key = last_word(step, "do"), *value = last_word(old, "undo");
	json_t *new = json_deep_copy(step), *word;

	value = strchr(value, '=') ?: "";
	word = json_sprintf("%.*s%s", (int)strcspn(key, "="), key, value);
	json_array_set_new(json_object_get(new, "undo"),
			   json_array_size(json_object_get(new, "undo")) - 1, word);
	return new;
}

/* A device with another name is the same one: its sysctls went with it. True: so it is. */
static bool follow_names(json_t *state, const json_t *plan)
{
	json_t *steps = json_object_get(state, "steps"), *step, *old;
	json_int_t ifindex;
	bool found = false;
	size_t i, j;

	json_array_foreach(plan, i, step) {
		ifindex = json_get_int(step, "ifindex");
		if (!ifindex || state_find(state, step))
			continue;
		json_array_foreach(steps, j, old)
			if (json_get_int(old, "ifindex") == ifindex) {
				json_array_set_new(steps, j, moved(step, old));
				found = true;
			}
	}
	return found;
}

/* Does step i of a plan, unless it is done; 0, or it has failed */
static int do_one(const char *bridge, json_t *state, const json_t *plan, size_t i,
		  void (*tell)(const json_t *step), bool dry_run)
{
	json_t *step = json_array_get(plan, i);
	json_t *known = state_find(state, step), *other;
	bool there = step_done(step);

	if (there && !known) {
		/* It was there before; another bridge may have done it. */
		other = state_shared(bridge, step);
		if (other && !dry_run) {
			state_add(state, other, plan, i);
			state_save(bridge, state);
		}
		return 0;
	}
	if (there)
		return 0;
	if (tell)
		tell(step);
	if (dry_run)
		return 0;
	if (!known) {
		state_add(state, json_incref(step), plan, i);
		state_save(bridge, state);
	}
	return step_run(step, "do");
}

int steps_do(const char *bridge, json_t *state, const json_t *plan,
	     void (*tell)(const json_t *step), bool dry_run)
{
	size_t i;
	int err;

	if (follow_names(state, plan) && !dry_run)
		state_save(bridge, state);
	for (i = 0; i < json_array_size(plan); i++) {
		err = do_one(bridge, state, plan, i, tell, dry_run);
		if (err)
			return err;
	}
	return 0;
}
