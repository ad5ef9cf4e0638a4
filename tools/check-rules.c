// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about the module's own rule and about rules that are in its way: rule,
 * unmatched, redirect, flowtable.
 */
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "counters.h"
#include "finding.h"
#include "mend.h"
#include "nft.h"
#include "text.h"

/* True if a MACKEEP rule saw a packet. */
static bool any_seen(void)
{
	return counter_value("saved") || counter_value("refreshed") ||
	       counter_value("noether") || counter_value("untracked") ||
	       counter_value("proto") || counter_value("helper") ||
	       counter_value("late");
}

static char *keep_rule(const struct probe *probe)
{
	return mend_by_up(probe, format("iptables -t mangle -I PREROUTING -i %s -j MACKEEP",
					probe_device(probe)));
}

void check_rule(const struct probe *probe, const struct module *module)
{
	if (!module->rules)
		found(BROKEN, "rule",
		      format("there is no MACKEEP rule, nothing is kept"),
		      keep_rule(probe));
	else if (counter_value("lifted") && !any_seen())
		found(BROKEN, "unmatched",
		      format("%llu frames were lifted, but no MACKEEP rule saw one",
			     (unsigned long long)counter_value("lifted")),
		      keep_rule(probe));
}

void check_redirect(const struct probe *probe)
{
	json_t *one, *part, *mangle, *key;
	unsigned int k;
	size_t i, j;

	for (k = 0; k < probe->rules; k++) {
		const struct saved *rule = &probe->saved[k];

		if (!strncmp(rule->program, "ebtables", 8) &&
		    !strcmp(saved_option(rule, "-j"), "redirect"))
			found(BROKEN, "redirect",
			      format("ebtables replaces the destination MAC that is to be kept"),
			      saved_delete(rule));
	}
	json_array_foreach(probe->nft, i, one) {
		if (!json_is(nft_rule(one), "family", "bridge"))
			continue;
		json_array_foreach(json_object_get(nft_rule(one), "expr"), j, part) {
			mangle = json_object_get(part, "mangle");
			key = json_object_get(json_object_get(mangle, "key"),
					      "payload");
			if (json_is(key, "protocol", "ether") &&
			    json_is(key, "field", "daddr"))
				found(BROKEN, "redirect",
				      format("bridge table %s replaces the destination MAC that is to be kept",
					     json_get_text(nft_rule(one), "table")),
				      nft_delete(nft_rule(one)));
		}
	}
}

/*
 * The flowtable that a rule gives flows to, or NULL. The nft of Debian 11 prints
 * this statement as text.
 */
static const char *flowtable_name(json_t *rule)
{
	static const char statement[] = "flow add @";
	const char *name = json_get_text(nft_expression(rule, "flow"), "flowtable");
	const char *text;
	json_t *one;
	size_t i;

	name += *name == '@';
	if (*name)
		return name;
	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		text = json_string_value(one) ?: "";
		if (!strncmp(text, statement, strlen(statement)))
			return text + strlen(statement);
	}
	return NULL;
}

/* The first device of a rule's flowtable that is ours, or NULL */
static const char *flowtable_device(const struct probe *probe, json_t *rule)
{
	const char *name = flowtable_name(rule), *device;
	json_t *one, *table, *devices;
	size_t i, j;

	if (!name)
		return NULL;
	json_array_foreach(probe->nft, i, one) {
		table = json_object_get(one, "flowtable");
		if (!json_is(table, "name", name) ||
		    !json_equal(json_object_get(table, "table"),
				json_object_get(rule, "table")))
			continue;
		devices = json_object_get(table, "dev");
		device = json_string_value(devices);
		if (device && probe_is_ours(probe, device))
			return device;
		json_array_foreach(devices, j, one) {
			device = json_string_value(one);
			if (device && probe_is_ours(probe, device))
				return device;
		}
	}
	return NULL;
}

/* True if a later rule gives flows to the same flowtable. */
static bool flowtable_later(const struct probe *probe, size_t i)
{
	json_t *rule = nft_rule(json_array_get(probe->nft, i)), *other;
	const char *name;

	while (++i < json_array_size(probe->nft)) {
		other = nft_rule(json_array_get(probe->nft, i));
		name = flowtable_name(other);
		if (name && !strcmp(name, flowtable_name(rule)) &&
		    json_is(other, "family", json_get_text(rule, "family")) &&
		    json_is(other, "table", json_get_text(rule, "table")))
			return true;
	}
	return false;
}

/* Flows stay in a flowtable, and in the hardware, until the flowtable is deleted. */
void check_flowtable(const struct probe *probe)
{
	char *delete, *both;
	const char *device;
	json_t *one, *rule;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		rule = nft_rule(one);
		device = flowtable_device(probe, rule);
		if (!device)
			continue;
		delete = nft_delete(rule);
		if (!flowtable_later(probe, i)) {
			both = format("%s && nft delete flowtable %s %s %s",
				      delete, json_get_text(rule, "family"),
				      json_get_text(rule, "table"),
				      flowtable_name(rule));
			free(delete);
			delete = both;
		}
		found(WRONG, "flowtable",
		      format("a flowtable takes packets past POSTROUTING on %s, in software or in hardware",
			     device), delete);
	}
}
