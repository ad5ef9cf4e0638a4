// SPDX-License-Identifier: GPL-2.0-only
/* The way through rules of iptables */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "walk.h"

#define WORDS_MAX	64		/* of a rule */

struct walk {
	const struct probe *probe;
	const char *program, *table;
	const struct packet *packet;
	struct fate fate;
};

struct rule {
	char *copy;
	unsigned int n;
	char *word[WORDS_MAX + 1];	/* NULL ends them */
};

bool match_device(const char *pattern, const char *device)
{
	size_t len = strlen(pattern);

	if (!device)
		return false;
	if (len && strchr("+*", pattern[len - 1]))
		return !strncmp(pattern, device, len - 1);
	return !strcmp(pattern, device);
}

/* Words, of which one in quotation marks has blanks */
static void rule_split(struct rule *rule, const char *text)
{
	char *c = strdup(text), end;

	if (!c)
		out_of_memory();
	rule->copy = c;
	rule->n = 0;
	while (*c && rule->n < WORDS_MAX) {
		end = *c == '"' ? '"' : ' ';
		c += end == '"';
		rule->word[rule->n++] = c;
		c = strchrnul(c, end);
		if (*c)
			*c++ = '\0';
		c += strspn(c, " ");
	}
	rule->word[rule->n] = NULL;
}

/* "443", "1:1023", "80,443,8000:8010" */
static enum match match_ports(const char *list, uint16_t port)
{
	unsigned int first, last;
	const char *c;
	int n;

	for (c = list; c; c = strchr(c, ',')) {
		c += *c == ',';
		n = sscanf(c, "%u:%u", &first, &last);
		if (n > 0 && port >= first && port <= (n > 1 ? last : first))
			return YES;
	}
	return NO;
}

static enum match match_proto(const struct packet *packet, const char *word)
{
	if (!strcmp(word, "all"))
		return YES;
	return match_if(packet->proto == (!strcmp(word, "tcp") ? IPPROTO_TCP :
					  !strcmp(word, "udp") ? IPPROTO_UDP :
					  strtoul(word, NULL, 0)));
}

static enum match match_mark(const struct packet *packet, const char *word)
{
	uint32_t value, mask = UINT32_MAX;
	char *end;

	value = strtoul(word, &end, 0);
	if (*end == '/')
		mask = strtoul(end + 1, NULL, 0);
	return match_if((packet->mark & mask) == value);
}

/* What an option asks for. Some have no value; what is unknown has one or none. */
static enum match match_option(const struct packet *packet, const char *option,
			       const char *value)
{
	const char *state = packet->established ? "ESTABLISHED" : "NEW";

	if (!strcmp(option, "-i"))
		return match_if(match_device(value, packet->in));
	if (!strcmp(option, "-o"))
		return match_if(match_device(value, packet->out));
	if (!strcmp(option, "-p"))
		return match_proto(packet, value);
	if (!strcmp(option, "--dport") || !strcmp(option, "--dports"))
		return match_ports(value, packet->dport);
	if (!strcmp(option, "--sport") || !strcmp(option, "--sports"))
		return match_ports(value, packet->sport);
	if (!strcmp(option, "--ports"))
		return match_if(match_ports(value, packet->dport) == YES ||
				match_ports(value, packet->sport) == YES);
	if (!strcmp(option, "--state") || !strcmp(option, "--ctstate"))
		return match_if(strstr(value, state));
	if (!strcmp(option, "--mark"))
		return match_mark(packet, value);
	if (!strcmp(option, "--dst-type"))
		return match_if(!strcmp(value, "UNICAST"));
	if (!strcmp(option, "-m") || !strcmp(option, "--comment") ||
	    !strcmp(option, "--transparent"))
		return YES;
	return MAYBE;
}

/* Up to the rule's target, or its end; *at becomes that place. */
static enum match match_rule(const struct packet *packet,
			     const struct rule *rule, unsigned int *at)
{
	enum match all = YES, one;
	bool not = false;
	unsigned int i;

	for (i = 1; i < rule->n; i++) {
		if (!strcmp(rule->word[i], "-j") || !strcmp(rule->word[i], "-g"))
			break;
		if (!strcmp(rule->word[i], "!")) {
			not = true;
			continue;
		}
		if (*rule->word[i] != '-')
			continue;
		one = match_option(packet, rule->word[i],
				   rule->word[i + 1] ?: "");
		if (not)
			one = match_not(one);
		if (one < all)
			all = one;
		not = false;
	}
	*at = i;
	return all;
}

static enum verdict verdict_of(const char *target)
{
	static const struct { const char *name; enum verdict verdict; } known[] = {
		{ "ACCEPT", ACCEPTED }, { "TPROXY", ACCEPTED },
		{ "NFQUEUE", ACCEPTED }, { "DNAT", ACCEPTED },
		{ "REDIRECT", ACCEPTED }, { "DROP", DROPPED },
		{ "REJECT", DROPPED }, { "RETURN", RETURNS },
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(target, known[i].name))
			return known[i].verdict;
	return GOES_ON;
}

static enum verdict walk_chain(struct walk *walk, const char *chain,
			       unsigned int depth);

static enum verdict walk_rule(struct walk *walk, const struct rule *rule,
			      unsigned int depth)
{
	enum verdict verdict;
	const char *target;
	unsigned int at;
	enum match match;

	match = match_rule(walk->packet, rule, &at);
	if (match == NO || at + 1 >= rule->n)
		return GOES_ON;
	target = rule->word[at + 1];
	if (!strcmp(target, "MACKEEP"))
		walk->fate.kept = true;
	if (saved_policy(walk->program, walk->table, target)) {
		verdict = walk_chain(walk, target, depth + 1);
		if (verdict == RETURNS)
			verdict = GOES_ON;
		if (verdict == GOES_ON && !strcmp(rule->word[at], "-g"))
			verdict = RETURNS;
	} else {
		verdict = verdict_of(target);
	}
	return match == YES ? verdict : GOES_ON;
}

static enum verdict walk_chain(struct walk *walk, const char *chain,
			       unsigned int depth)
{
	const struct saved *one = walk->probe->saved;
	const struct saved *end = one + walk->probe->rules;
	enum verdict verdict = GOES_ON;
	size_t len = strlen(chain);
	struct rule rule;

	if (depth > WALK_DEPTH)
		return GOES_ON;
	for (; one < end && verdict == GOES_ON; one++) {
		if (strcmp(one->program, walk->program) ||
		    strcmp(one->table, walk->table) ||
		    strncmp(one->text, chain, len) || one->text[len] != ' ')
			continue;
		rule_split(&rule, one->text);
		verdict = walk_rule(walk, &rule, depth);
		free(rule.copy);
	}
	return verdict;
}

struct fate walk_saved(const struct probe *probe, const char *program,
		       const char *table, const char *chain,
		       const struct packet *packet)
{
	struct walk walk = {
		.probe = probe,
		.program = program,
		.table = table,
		.packet = packet,
	};
	const char *policy = saved_policy(program, table, chain);
	enum verdict verdict;

	if (!policy)
		return walk.fate;
	verdict = walk_chain(&walk, chain, 0);
	walk.fate.dropped = verdict == DROPPED ||
		(verdict != ACCEPTED && !strcmp(policy, "DROP"));
	return walk.fate;
}
