// SPDX-License-Identifier: GPL-2.0-only
#include "nft.h"
#include "text.h"

json_t *nft_rule(json_t *object)
{
	return json_object_get(object, "rule");
}

json_t *nft_expression(json_t *rule, const char *name)
{
	json_t *one, *found;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		found = json_object_get(one, name);
		if (found)
			return found;
	}
	return NULL;
}

bool nft_mark(json_t *rule, uint32_t *mark)
{
	json_t *one, *mangle, *value;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		mangle = json_object_get(one, "mangle");
		if (!json_is(json_object_get(json_object_get(mangle, "key"),
					     "meta"), "key", "mark"))
			continue;
		value = json_object_get(mangle, "value");
		if (json_is_integer(value)) {
			*mark = json_integer_value(value);
			found = true;
		}
	}
	return found;
}

const json_t *nft_chain(json_t *ruleset, json_t *rule)
{
	json_t *one, *chain;
	size_t i;

	json_array_foreach(ruleset, i, one) {
		chain = json_object_get(one, "chain");
		if (chain && json_equal(json_object_get(chain, "family"),
					json_object_get(rule, "family")) &&
		    json_equal(json_object_get(chain, "table"),
			       json_object_get(rule, "table")) &&
		    json_equal(json_object_get(chain, "name"),
			       json_object_get(rule, "chain")))
			return chain;
	}
	return NULL;
}

/* A statement takes all packets; anything else is a match and takes some. */
static bool is_statement(json_t *one)
{
	static const char *const names[] = {
		"counter", "log", "mangle", "accept", "drop", "return",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (json_object_get(one, names[i]))
			return true;
	return false;
}

bool nft_covers(json_t *rule, json_t *other)
{
	json_t *one, *theirs, *match;
	size_t i, j;
	bool has;

	/* Each match of rule has to be a match of other, too. */
	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		if (is_statement(one))
			continue;
		match = json_object_get(one, "match");
		has = false;
		json_array_foreach(json_object_get(other, "expr"), j, theirs)
			has = has || (match && json_equal(match, json_object_get(theirs, "match")));
		if (!has)
			return false;
	}
	return true;
}

bool nft_ends(json_t *rule)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one)
		if (json_object_get(one, "accept") ||
		    json_object_get(one, "drop") ||
		    json_object_get(one, "return"))
			return true;
	return false;
}

bool nft_drops(json_t *rule)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one)
		if (json_object_get(one, "drop"))
			return true;
	return false;
}

bool nft_is_hook(const json_t *chain, const char *name)
{
	return json_is(chain, "hook", name);
}

char *nft_delete(json_t *rule)
{
	json_int_t handle = json_integer_value(json_object_get(rule, "handle"));

	return format("nft delete rule %s %s %s handle %lld",
		      json_get_text(rule, "family"), json_get_text(rule, "table"),
		      json_get_text(rule, "chain"), (long long)handle);
}
