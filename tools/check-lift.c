// SPDX-License-Identifier: GPL-2.0-only
/* Findings about the mark that frames are lifted by: mark, shadowed. */
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "mend.h"
#include "nft.h"
#include "say.h"
#include "text.h"

/* br_netfilter's priority in the bridge's PREROUTING: it needs the mark there. */
#define BRNF_PRIORITY	0

/* True if a chain sees frames before they are lifted; without a hook it may. */
static bool in_time(const json_t *chain)
{
	if (!json_object_get(chain, "hook"))
		return true;
	return nft_is_hook(chain, "prerouting") &&
	       (json_integer_value(json_object_get(chain, "prio")) < BRNF_PRIORITY ||
		(probe_sysctl("net/bridge/bridge-nf-call-iptables") != 1 &&
		 probe_sysctl("net/bridge/bridge-nf-call-ip6tables") != 1));
}

static bool lifts(const struct probe *probe, json_t *rule)
{
	uint32_t mark;

	return json_is(rule, "family", "bridge") && nft_mark(rule, &mark) &&
	       (mark & probe->lift_mask) == probe->lift_mark &&
	       in_time(nft_chain(probe->nft, rule));
}

/*
 * A rule shadows the one that marks if it takes the same frames and either ends
 * their way before they are marked or sets another mark afterwards.
 */
static bool shadows(const struct probe *probe, json_t *rule, json_t *marks,
		    bool before)
{
	const json_t *chain = nft_chain(probe->nft, rule);
	const json_t *other = nft_chain(probe->nft, marks);
	uint32_t mark;
	long distance;

	if (!chain || !other || !json_is(rule, "family", "bridge") ||
	    !json_object_get(chain, "hook") || !in_time(chain) ||
	    !nft_covers(rule, marks))
		return false;
	if (chain != other) {
		distance = json_integer_value(json_object_get(chain, "prio")) -
			   json_integer_value(json_object_get(other, "prio"));
		if (distance < 0)
			return nft_drops(rule);
		before = false;
	}
	if (before)
		return nft_ends(rule);
	return nft_mark(rule, &mark) && !lifts(probe, rule);
}

/* True if other has each word of rule's matches: rule then takes all that other takes. */
static bool saved_covers(const struct saved *rule, const struct saved *other)
{
	char *copy = strdup(rule->text), *word, *rest;
	char padded[64];
	bool covers = true;

	if (!copy)
		out_of_memory();
	strtok_r(copy, " ", &rest); /* the chain */
	while (covers && (word = strtok_r(NULL, " ", &rest)) &&
	       strcmp(word, "-j")) {
		snprintf(padded, sizeof(padded), " %s ", word);
		covers = strstr(other->text, padded);
	}
	free(copy);
	return covers;
}

/* True if both are of the same program, table and chain. */
static bool saved_beside(const struct saved *rule, const struct saved *other)
{
	size_t len = strcspn(rule->text, " ");

	return !strcmp(rule->program, other->program) &&
	       !strcmp(rule->table, other->table) &&
	       !strncmp(rule->text, other->text, len + 1);
}

/* Finds the rules in front of at that end the way of frames to be marked. */
static void saved_shadows(const struct probe *probe, const struct saved *marks,
			  const struct saved *at)
{
	const struct saved *rule;
	const char *target;

	for (rule = probe->saved; rule < at; rule++) {
		target = saved_option(rule, "-j");
		if (!saved_beside(rule, at) || !saved_covers(rule, marks) ||
		    (strcmp(target, "ACCEPT") && strcmp(target, "DROP") &&
		     strcmp(target, "RETURN")))
			continue;
		found(BROKEN, "shadowed",
		      format("a rule of ebtables in chain %.*s keeps frames from their mark 0x%x",
			     (int)strcspn(rule->text, " "), rule->text,
			     probe->lift_mark),
		      saved_delete(rule));
	}
}

/* The rule that marks may be in a chain that PREROUTING calls. */
static bool saved_lifts(const struct probe *probe)
{
	const struct saved *rule, *call;
	char chain[40];
	uint32_t mark;
	bool any = false;

	for (rule = probe->saved; rule < probe->saved + probe->rules; rule++) {
		if (strncmp(rule->program, "ebtables", 8) ||
		    strcmp(saved_option(rule, "-j"), "mark"))
			continue;
		mark = strtoul(saved_option(rule, "--mark-set"), NULL, 0);
		if ((mark & probe->lift_mask) != probe->lift_mark)
			continue;
		any = true;
		saved_shadows(probe, rule, rule);
		snprintf(chain, sizeof(chain), "%.*s",
			 (int)strcspn(rule->text, " "), rule->text);
		for (call = probe->saved; call < probe->saved + probe->rules; call++)
			if (!strcmp(call->program, rule->program) &&
			    !strcmp(call->table, rule->table) &&
			    !strcmp(saved_option(call, "-j"), chain))
				saved_shadows(probe, rule, call);
	}
	return any;
}

static bool same_ports(const struct ports *a, const struct ports *b)
{
	return a->n == b->n &&
	       !memcmp(a->range, b->range, a->n * sizeof(*a->range));
}

/* The command for the missing rules: they mark what the TPROXY rules take. */
static char *mark_rules(const struct probe *probe)
{
	static const struct { const char *name; int proto; } protos[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
	};
	const struct tproxy *one;
	bool done[MANY] = { false };
	unsigned int i, j, k;
	char *text, *more;

	text = format("nft 'add table bridge mackeep; add chain bridge mackeep lift { type filter hook prerouting priority dstnat; }");
	for (k = 0; k < 2; k++)
		for (i = 0; i < probe->tproxies; i++) {
			one = &probe->tproxy[i];
			if (one->proto != protos[k].proto || !one->dports.n)
				continue;
			/* One rule is for IPv4 and IPv6. */
			for (j = 0; j < i; j++)
				if (done[j] && probe->tproxy[j].proto == one->proto &&
				    same_ports(&probe->tproxy[j].dports, &one->dports))
					break;
			if (j < i)
				continue;
			done[i] = true;
			more = format("%s; add rule bridge mackeep lift %s dport { %s } meta mark set 0x%x",
				      text, protos[k].name,
				      ports_text(&one->dports),
				      probe->lift_mark);
			free(text);
			text = more;
		}
	if (!strstr(text, "add rule"))
		more = format("%s; add rule bridge mackeep lift tcp dport 443 meta mark set 0x%x'",
			      text, probe->lift_mark);
	else
		more = format("%s'", text);
	free(text);
	return more;
}

void check_lift(const struct probe *probe)
{
	json_t *one, *other;
	bool any = false, before;
	size_t i, j;

	json_array_foreach(probe->nft, i, one) {
		if (!lifts(probe, nft_rule(one)))
			continue;
		any = true;
		before = true;
		json_array_foreach(probe->nft, j, other) {
			if (i == j)
				before = false;
			else if (nft_rule(other) &&
				 shadows(probe, nft_rule(other), nft_rule(one),
					 before))
				found(BROKEN, "shadowed",
				      format("a rule in bridge table %s keeps frames from their mark 0x%x",
					     json_get_text(nft_rule(other), "table"),
					     probe->lift_mark),
				      nft_delete(nft_rule(other)));
		}
	}
	if (saved_lifts(probe) || any)
		return;
	found(BROKEN, "mark",
	      format("no rule in the bridge's PREROUTING marks frames with 0x%x, so none is lifted",
		     probe->lift_mark), mend_by_up(probe, mark_rules(probe)));
}
