// SPDX-License-Identifier: GPL-2.0-only
/* What the doctor looks for in rules: of lifting, and against it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* br_netfilter's in the bridge's PREROUTING: it has to know the mark by then. */
#define BRNF_PRIORITY	0

static const json_t *nft_chain(const struct probe *probe, json_t *rule)
{
	json_t *one, *chain;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
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

/* A statement that lets each packet pass on to the next */
static bool passes_all(json_t *one)
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

/* Every match of a is one of b: what b takes, a does too. */
static bool covers(json_t *a, json_t *b)
{
	json_t *one, *other, *match;
	size_t i, j;
	bool has;

	json_array_foreach(json_object_get(a, "expr"), i, one) {
		if (passes_all(one))
			continue;
		match = json_object_get(one, "match");
		has = false;
		json_array_foreach(json_object_get(b, "expr"), j, other)
			has = has || (match && json_equal(match, json_object_get(other, "match")));
		if (!has)
			return false;
	}
	return true;
}

static bool ends(json_t *rule)
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

static bool drops(json_t *rule)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one)
		if (json_object_get(one, "drop"))
			return true;
	return false;
}

static bool is_hook(const json_t *chain, const char *name)
{
	const char *hook = json_string_value(json_object_get(chain, "hook"));

	return hook && !strcmp(hook, name);
}

/* Of a base chain: called before frames are lifted; of another, who knows. */
static bool in_time(const json_t *chain)
{
	if (!json_object_get(chain, "hook"))
		return true;
	return is_hook(chain, "prerouting") &&
	       (json_integer_value(json_object_get(chain, "prio")) < BRNF_PRIORITY ||
		(probe_sysctl("net/bridge/bridge-nf-call-iptables") != 1 &&
		 probe_sysctl("net/bridge/bridge-nf-call-ip6tables") != 1));
}

static bool lifts(const struct probe *probe, json_t *rule)
{
	uint32_t mark;

	return nft_is(rule, "family", "bridge") && nft_mark(rule, &mark) &&
	       (mark & probe->lift_mask) == probe->lift_mark &&
	       in_time(nft_chain(probe, rule));
}

static const char *nft_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

char *nft_delete(json_t *rule)
{
	json_int_t handle = json_integer_value(json_object_get(rule, "handle"));

	return format("nft delete rule %s %s %s handle %lld",
		      nft_text(rule, "family"), nft_text(rule, "table"),
		      nft_text(rule, "chain"), (long long)handle);
}

/*
 * A rule shadows the one that marks when it takes the same frames, and either
 * ends the chain before it, or sets another mark behind it.
 */
static bool shadows(const struct probe *probe, json_t *rule, json_t *marks,
		    bool before)
{
	const json_t *chain = nft_chain(probe, rule);
	const json_t *other = nft_chain(probe, marks);
	uint32_t mark;
	long distance;

	if (!chain || !other || !nft_is(rule, "family", "bridge") ||
	    !json_object_get(chain, "hook") || !in_time(chain) ||
	    !covers(rule, marks))
		return false;
	if (chain != other) {
		distance = json_integer_value(json_object_get(chain, "prio")) -
			   json_integer_value(json_object_get(other, "prio"));
		if (distance < 0)
			return drops(rule);
		before = false;
	}
	if (before)
		return ends(rule);
	return nft_mark(rule, &mark) && !lifts(probe, rule);
}

/* Each word of a rule's matches is one of the other's: what that takes, it does. */
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

/* Both of the same program, table and chain */
static bool saved_beside(const struct saved *rule, const struct saved *other)
{
	size_t len = strcspn(rule->text, " ");

	return !strcmp(rule->program, other->program) &&
	       !strcmp(rule->table, other->table) &&
	       !strncmp(rule->text, other->text, len + 1);
}

/* Rules that end the way of frames before one that shall see them */
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
		      format("%s -t %s -D %s", rule->program, rule->table,
			     rule->text));
	}
}

/* The rule may be in a chain of its own, which PREROUTING calls. */
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

/* The rules that are missing: what TPROXY takes is to be lifted. */
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
			/* IPv4 and IPv6 have the same ports mostly. */
			for (j = 0; j < i; j++)
				if (done[j] && probe->tproxy[j].proto == one->proto &&
				    same_ports(&probe->tproxy[j].dports, &one->dports))
					break;
			if (j < i)
				continue;
			done[i] = true;
			more = format("%s; add rule bridge mackeep lift %s dport { %s } meta mark set 0x%x",
				      text, protos[k].name,
				      ports_text(&one->dports, '-'),
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
					     nft_text(nft_rule(other), "table"),
					     probe->lift_mark),
				      nft_delete(nft_rule(other)));
		}
	}
	if (saved_lifts(probe) || any)
		return;
	found(BROKEN, "mark",
	      format("no rule in the bridge's PREROUTING marks frames with 0x%x, so none is lifted",
		     probe->lift_mark), mark_rules(probe));
}

/* Whether a rule that frames meet before they are lifted drops the same. */
static bool dropped_before(const struct probe *probe, json_t *rule)
{
	json_t *one, *other;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		other = nft_rule(one);
		if (other && nft_is(other, "family", "bridge") && drops(other) &&
		    is_hook(nft_chain(probe, other), "prerouting") &&
		    covers(other, rule))
			return true;
	}
	return false;
}

/* What is lifted does not pass the bridge's FORWARD. */
void check_forward(const struct probe *probe)
{
	json_t *one, *rule;
	const char *table, *chain;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		rule = nft_rule(one);
		if (!rule || !nft_is(rule, "family", "bridge") || !drops(rule) ||
		    !is_hook(nft_chain(probe, rule), "forward") ||
		    dropped_before(probe, rule))
			continue;
		table = nft_text(rule, "table");
		chain = nft_text(rule, "chain");
		found(DOUBTFUL, "forward",
		      format("a rule in bridge table %s, chain %s, drops frames that are forwarded, not those that are lifted",
			     table, chain),
		      format("nft list chain bridge %s %s | sed 's/chain %s {/chain %s_lifted {/; s/hook forward/hook prerouting/' | nft -f -",
			     table, chain, chain, chain));
	}
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
			      format("%s -t %s -D %s", rule->program,
				     rule->table, rule->text));
	}
	json_array_foreach(probe->nft, i, one) {
		if (!nft_is(nft_rule(one), "family", "bridge"))
			continue;
		json_array_foreach(json_object_get(nft_rule(one), "expr"), j, part) {
			mangle = json_object_get(part, "mangle");
			key = json_object_get(json_object_get(mangle, "key"),
					      "payload");
			if (nft_is(key, "protocol", "ether") &&
			    nft_is(key, "field", "daddr"))
				found(BROKEN, "redirect",
				      format("bridge table %s replaces the destination MAC that is to be kept",
					     nft_text(nft_rule(one), "table")),
				      nft_delete(nft_rule(one)));
		}
	}
}

/*
 * The flowtable that a rule gives flows to, or NULL. The nft of Debian 11 has the
 * statement as text.
 */
static const char *flowtable_name(json_t *rule)
{
	static const char statement[] = "flow add @";
	const char *name = nft_text(nft_expression(rule, "flow"), "flowtable");
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

/* The first device of ours in a rule's flowtable, or NULL */
static const char *flowtable_device(const struct probe *probe, json_t *rule)
{
	const char *name = flowtable_name(rule), *device;
	json_t *one, *table, *devices;
	size_t i, j;

	if (!name)
		return NULL;
	json_array_foreach(probe->nft, i, one) {
		table = json_object_get(one, "flowtable");
		if (!nft_is(table, "name", name) ||
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

/* Another rule, further on, with the same flowtable */
static bool flowtable_later(const struct probe *probe, size_t i)
{
	json_t *rule = nft_rule(json_array_get(probe->nft, i)), *other;
	const char *name;

	while (++i < json_array_size(probe->nft)) {
		other = nft_rule(json_array_get(probe->nft, i));
		name = flowtable_name(other);
		if (name && !strcmp(name, flowtable_name(rule)) &&
		    nft_is(other, "family", nft_text(rule, "family")) &&
		    nft_is(other, "table", nft_text(rule, "table")))
			return true;
	}
	return false;
}

/* Flows stay in a flowtable, and in the hardware behind it, until it goes. */
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
				      delete, nft_text(rule, "family"),
				      nft_text(rule, "table"),
				      flowtable_name(rule));
			free(delete);
			delete = both;
		}
		found(WRONG, "flowtable",
		      format("a flowtable takes packets past POSTROUTING on %s, in software or in hardware",
			     device), delete);
	}
}
