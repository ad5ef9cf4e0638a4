// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bridge that filters VLANs passes up, and takes from its box, only frames of
 * VLANs that it is in itself. One that does not filter needs nothing.
 */
#include <stdbool.h>
#include <string.h>

#include "plan-text.h"
#include "plan-vlan.h"
#include "run.h"
#include "step.h"
#include "text.h"

#define VIDS	4095

static bool filters(const json_t *links, const char *bridge)
{
	const json_t *link, *data;
	size_t i;

	json_array_foreach(links, i, link) {
		if (!json_is(link, "ifname", bridge))
			continue;
		data = json_object_get(json_object_get(link, "linkinfo"),
				       "info_data");
		return json_get_int(data, "vlan_filtering");
	}
	return false;
}

/* Of one device, as "bridge -j vlan show" has it */
static void note_vlans(const json_t *vlans, bool *have)
{
	json_int_t id, last;
	const json_t *vlan;
	size_t i;

	json_array_foreach(vlans, i, vlan) {
		id = json_get_int(vlan, "vlan");
		last = json_get_int(vlan, "vlanEnd") ?: id;
		for (; id > 0 && id <= last && id < VIDS; id++)
			have[id] = true;
	}
}

/* More of them than fit in are for the next time. */
static void append(struct ports *ids, unsigned int id)
{
	if (ids->n && ids->range[ids->n - 1].last + 1u == id) {
		ids->range[ids->n - 1].last = id;
	} else if (ids->n < PORTS_MAX) {
		ids->range[ids->n].first = id;
		ids->range[ids->n++].last = id;
	}
}

struct ports vlans_missing(const struct args *args)
{
	json_t *links = RUN_JSON("ip", "-d", "-j", "link", "show");
	json_t *all = RUN_JSON("bridge", "-j", "vlan", "show"), *one;
	bool self[VIDS] = { false }, ports[VIDS] = { false };
	struct ports missing = { .n = 0 };
	unsigned int id;
	const char *name;
	size_t i;

	json_array_foreach(all, i, one) {
		name = json_get_text(one, "ifname");
		if (!strcmp(name, args->bridge))
			note_vlans(json_object_get(one, "vlans"), self);
		else if (plan_is_port(links, name, args->bridge))
			note_vlans(json_object_get(one, "vlans"), ports);
	}
	for (id = 1; id < VIDS && filters(links, args->bridge); id++)
		if (ports[id] && !self[id] &&
		    (args->vlans.all || ports_have(&args->vlans.ids, id)))
			append(&missing, id);
	json_decref(all);
	json_decref(links);
	return missing;
}

void plan_vlans(json_t *plan, const struct args *args)
{
	struct ports missing = vlans_missing(args);
	char range[16], expect[32];
	const char *last;
	unsigned int i;
	json_t *one;

	for (i = 0; i < missing.n; i++) {
		last = plan_number("%u", missing.range[i].last);
		if (missing.range[i].first == missing.range[i].last)
			snprintf(range, sizeof(range), "%s", last);
		else
			snprintf(range, sizeof(range), "%u-%s",
				 missing.range[i].first, last);
		one = step_add(plan, WORDS("bridge", "vlan", "add", "dev",
					   args->bridge, "vid", range, "self"),
			       WORDS("bridge", "vlan", "del", "dev", args->bridge,
				     "vid", range, "self"),
			       WORDS("bridge", "-j", "vlan", "show", "dev",
				     args->bridge, "vid", last));
		snprintf(expect, sizeof(expect), "\"vlan\":%s", last);
		json_text(one, "expect", expect);
	}
}
