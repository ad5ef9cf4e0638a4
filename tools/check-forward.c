// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters of a bridge that lifted frames pass by: forward. These frames pass its
 * PREROUTING and its INPUT, but not its FORWARD. What the mends add there leaves
 * alone what is sent to this machine itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "nft.h"
#include "say.h"
#include "text.h"

/* --- nft ------------------------------------------------------------------------- */

/* True if a rule of the bridge's PREROUTING drops all that this one drops. */
static bool dropped_before(const struct probe *probe, json_t *rule)
{
	json_t *one, *other;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		other = nft_rule(one);
		if (other && json_is(other, "family", "bridge") && nft_drops(other) &&
		    nft_is_hook(nft_chain(probe->nft, other), "prerouting") &&
		    nft_covers(other, rule))
			return true;
	}
	return false;
}

/* True if it is a chain of ebtables, and seen by that. */
static bool is_of_ebtables(const json_t *rule)
{
	return saved_policy("ebtables-nft", json_get_text(rule, "table"),
			    json_get_text(rule, "chain"));
}

static void forward_nft(const struct probe *probe)
{
	json_t *one, *rule;
	const char *table, *chain;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		rule = nft_rule(one);
		if (!rule || !json_is(rule, "family", "bridge") || !nft_drops(rule) ||
		    !nft_is_hook(nft_chain(probe->nft, rule), "forward") ||
		    is_of_ebtables(rule) || dropped_before(probe, rule))
			continue;
		table = json_get_text(rule, "table");
		chain = json_get_text(rule, "chain");
		found(DOUBTFUL, "forward",
		      format("a rule in bridge table %s, chain %s, drops frames that are forwarded, not those that are lifted",
			     table, chain),
		      format("nft list chain bridge %s %s | sed -e 's/chain %s {/chain %s_lifted {/' -e '/hook forward/a meta pkttype != other accept' -e 's/hook forward/hook prerouting/' | nft -f -",
			     table, chain, chain, chain));
	}
}

/* --- ebtables ---------------------------------------------------------------------- */

#define FOR_OTHERS	"--pkttype-type otherhost"

static bool has_word(const char *text, const char *word)
{
	char padded[80];

	snprintf(padded, sizeof(padded), " %s ", word);
	return strstr(text, padded);
}

/* True if a rule of PREROUTING drops all that is sent to others and that this drops. */
static bool drops_before(const struct saved *before, const struct saved *rule)
{
	char *copy, *word, *rest;
	bool covers = true;

	if (strcmp(before->program, rule->program) ||
	    strncmp(before->text, "PREROUTING ", 11) ||
	    strcmp(saved_option(before, "-j"), "DROP"))
		return false;
	copy = format("%s", before->text + 11);
	for (word = strtok_r(copy, " ", &rest); word && strcmp(word, "-j");
	     word = strtok_r(NULL, " ", &rest))
		covers = covers && (has_word(" " FOR_OTHERS " ", word) ||
				    !strcmp(word, "--logical-in") ||
				    has_word(rule->text, word));
	free(copy);
	return covers;
}

/*
 * The matches of a rule that frames can be asked for before it is known where they
 * leave; NULL: it asks for a port where they leave.
 */
static char *matches_before(const struct saved *rule)
{
	char *text = format("%s", rule->text + strlen("FORWARD")), *at;

	at = strstr(text, " -j ");
	*at = '\0';
	if (has_word(rule->text, "-o")) {
		free(text);
		return NULL;
	}
	at = strstr(text, "--logical-out");
	if (at) {
		memcpy(at, "--logical-in", 12);
		memmove(at + 12, at + 13, strlen(at + 13) + 1);
	}
	return text;
}

static void forward_ebtables(const struct probe *probe)
{
	const struct saved *rule, *end = probe->saved + probe->rules, *before;
	char *matches;

	for (rule = probe->saved; rule < end; rule++) {
		if (strncmp(rule->program, "ebtables", 8) ||
		    strncmp(rule->text, "FORWARD ", 8) ||
		    strcmp(saved_option(rule, "-j"), "DROP"))
			continue;
		for (before = probe->saved; before < end; before++)
			if (drops_before(before, rule))
				break;
		matches = before < end ? NULL : matches_before(rule);
		if (!matches)
			continue;
		found(DOUBTFUL, "forward",
		      format("a rule of ebtables in chain FORWARD drops frames that are forwarded, not those that are lifted: %s",
			     rule->text),
		      format("%s -t nat -I PREROUTING " FOR_OTHERS "%s -j DROP",
			     rule->program, matches));
		free(matches);
	}
}

void check_forward(const struct probe *probe)
{
	forward_nft(probe);
	forward_ebtables(probe);
}
