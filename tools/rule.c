// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rule.h"
#include "run.h"
#include "text.h"

const char *rule_ip(int family)
{
	return family == AF_INET6 ? "ip -6" : "ip";
}

static json_t *rules_load(int family)
{
	return RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j", "rule",
			"show");
}

/* False: the rule has none. not: it is for packets that do not have it. */
static bool rule_mark(const json_t *rule, uint32_t *mark, uint32_t *mask,
		      bool *not)
{
	const char *text = json_string_value(json_object_get(rule, "fwmark"));

	if (!text)
		return false;
	*mark = strtoul(text, NULL, 0);
	text = json_string_value(json_object_get(rule, "fwmask"));
	*mask = text ? strtoul(text, NULL, 0) : UINT32_MAX;
	*not = json_object_get(rule, "not");
	return true;
}

const char *rule_table(int family, uint32_t mark, uint32_t *of)
{
	json_t *rules = rules_load(family), *one;
	static char table[32];
	uint32_t want, mask;
	const char *text;
	size_t i;
	bool not;

	*table = '\0';
	json_array_foreach(rules, i, one) {
		text = json_string_value(json_object_get(one, "table"));
		if (!text || !rule_mark(one, &want, &mask, &not) || not ||
		    (mark && (mark & mask) != want))
			continue;
		snprintf(table, sizeof(table), "%s", text);
		*of = want;
		break;
	}
	json_decref(rules);
	return table;
}

uint32_t rule_before(int family, uint32_t mark)
{
	json_t *rules = rules_load(family), *one;
	uint32_t want, mask, before = 0;
	size_t i;
	bool not;

	json_array_foreach(rules, i, one) {
		if (!rule_mark(one, &want, &mask, &not) ||
		    ((mark & mask) == want) == not)
			continue;
		if (not)
			before = want;
		break;
	}
	json_decref(rules);
	return before;
}

bool rule_local(int family, const char *table)
{
	json_t *routes = RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j",
				  "route", "show", "table", table), *one;
	bool there = false;
	size_t i;

	json_array_foreach(routes, i, one)
		there = there || (json_is(one, "type", "local") &&
				  json_is(one, "dst", "default"));
	json_decref(routes);
	return there;
}
