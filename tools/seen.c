// SPDX-License-Identifier: GPL-2.0-only
#include <jansson.h>
#include <sys/stat.h>

#include "counters.h"
#include "seen.h"
#include "state.h"

#define SEEN	STATE_DIRECTORY "/counters.seen"

/* An object for each namespace, with the counters as they were */
static json_t *load(void)
{
	return json_load_file(SEEN, 0, NULL) ?: json_object();
}

uint64_t seen_since(const char *name)
{
	static json_t *seen;
	uint64_t before, now = counter_value(name);

	if (!seen)
		seen = load();
	before = json_integer_value(json_object_get(json_object_get(seen,
								    namespace_suffix()),
						    name));
	return now >= before ? now - before : now;
}

void seen_save(void)
{
	const struct counters *now = counters_now();
	json_t *seen = load(), *ours = json_object();
	unsigned int i;

	for (i = 0; i < now->n; i++)
		json_object_set_new(ours, now->name[i],
				    json_integer(now->value[i]));
	json_object_set_new(seen, namespace_suffix(), ours);
	mkdir(STATE_DIRECTORY, 0755);
	json_dump_file(seen, SEEN, 0);
	json_decref(seen);
}
