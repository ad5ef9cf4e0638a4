// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "saved.h"
#include "say.h"
#include "text.h"

const char *saved_option(const struct saved *rule, const char *option)
{
	static char value[64];
	size_t len = strlen(option);
	const char *at = rule->text;

	while ((at = strstr(at, option))) {
		if ((at == rule->text || at[-1] == ' ') && at[len] == ' ') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(at + len + 1, " "), at + len + 1);
			return value;
		}
		at += len;
	}
	return "";
}

char *saved_delete(const struct saved *rule)
{
	return format("%s -t %s -D %s", rule->program, rule->table, rule->text);
}

/* --- chains ------------------------------------------------------------------ */

static struct chain {
	const char *program;
	char table[16];
	char name[40];
	char policy[16];
} *chains;
static unsigned int chain_count;

const char *saved_policy(const char *program, const char *table,
			 const char *chain)
{
	const struct chain *one;

	for (one = chains; one < chains + chain_count; one++)
		if (!strcmp(one->program, program) &&
		    !strcmp(one->table, table) && !strcmp(one->name, chain))
			return one->policy;
	return NULL;
}

/* ":CHAIN POLICY [0:0]" */
static void add_chain(const char *program, const char *table, const char *line)
{
	struct chain *one;

	chains = realloc(chains, (chain_count + 1) * sizeof(*chains));
	if (!chains)
		out_of_memory();
	one = &chains[chain_count];
	one->program = program;
	snprintf(one->table, sizeof(one->table), "%s", table);
	if (sscanf(line, ":%39s %15s", one->name, one->policy) == 2)
		chain_count++;
}

/* --- rules ------------------------------------------------------------------- */

struct list {
	unsigned int n;
	struct saved *rules;
};

static void add(struct list *list, const char *program, const char *table,
		const char *text)
{
	struct saved *one;

	list->rules = realloc(list->rules, (list->n + 1) * sizeof(*list->rules));
	if (!list->rules)
		out_of_memory();
	one = &list->rules[list->n++];
	one->program = program;
	snprintf(one->table, sizeof(one->table), "%s", table);
	one->text = format("%s", text);
}

/* "*TABLE", ":CHAIN POLICY" and "-A CHAIN ..." lines */
static void load(struct list *list, const char *save, const char *program)
{
	struct result result = RUN(save);
	char *line, *rest, table[16] = "";

	for (line = strtok_r(result.out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (*line == '*')
			snprintf(table, sizeof(table), "%s", line + 1);
		else if (*line == ':')
			add_chain(program, table, line);
		else if (!strncmp(line, "-A ", 3))
			add(list, program, table, line + 3);
	}
	run_free(&result);
}

/* Only if the table's module is loaded: ebtables-legacy would load it. */
static void load_ebtables_legacy(struct list *list, const char *table,
				 const char *module)
{
	char *line, *rest, chain[40] = "", text[1100];
	FILE *modules = fopen("/proc/modules", "r");
	struct result result;
	char loaded[64];
	bool there = false;

	while (modules && fscanf(modules, "%63s%*[^\n]", loaded) == 1)
		there = there || !strcmp(loaded, module);
	if (modules)
		fclose(modules);
	if (!there)
		return;
	result = RUN("ebtables-legacy", "-t", table, "-L");
	for (line = strtok_r(result.out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "Bridge chain: %39[^,]", chain) == 1)
			continue;
		snprintf(text, sizeof(text), "%s %s", chain, line);
		if (*line == '-')
			add(list, "ebtables-legacy", table, text);
	}
	run_free(&result);
}

unsigned int saved_load(struct saved **rules)
{
	struct list list = { 0 };

	load(&list, "iptables-nft-save", "iptables-nft");
	load(&list, "ip6tables-nft-save", "ip6tables-nft");
	load(&list, "iptables-legacy-save", "iptables-legacy");
	load(&list, "ip6tables-legacy-save", "ip6tables-legacy");
	load(&list, "ebtables-nft-save", "ebtables-nft");
	load_ebtables_legacy(&list, "filter", "ebtable_filter");
	load_ebtables_legacy(&list, "nat", "ebtable_nat");
	load_ebtables_legacy(&list, "broute", "ebtable_broute");
	*rules = list.rules;
	return list.n;
}
