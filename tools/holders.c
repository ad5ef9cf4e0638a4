// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that hold the kernel module: those of iptables with -j MACKEEP, and the
 * conntrack helpers of nft with the rules that set them.
 *
 * iptables loads a table as a whole: as it is saved, and as it is without these
 * rules. nft deletes them one by one, and adds each behind the one that it stood
 * behind. So nobody loses another rule, or sees the tables without it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netfilter/xt_MACKEEP.h>

#include "file.h"
#include "genl.h"
#include "holders.h"
#include "run.h"
#include "say.h"
#include "services.h"
#include "step.h"
#include "text.h"

/* --- iptables ---------------------------------------------------------------------- */

static bool has_word(const char *line, const char *words)
{
	const char *at = strstr(line, words);
	size_t len = strlen(words);

	return at && (!at[len] || at[len] == ' ');
}

static bool is_holder(const char *line)
{
	return has_word(line, " -j MACKEEP") ||
	       has_word(line, " --helper " MACKEEP_HELPER_NAME);
}

/* A table that has such rules; text is from "*TABLE" to "COMMIT". */
static unsigned int add_table(json_t *steps, const char *restore, char *text)
{
	char *whole = format("%s\n", text), *line, *save, *without;
	unsigned int users = 0;
	size_t size;
	FILE *file = open_memstream(&without, &size);
	json_t *step;

	if (!file)
		out_of_memory();
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (is_holder(line))
			users++;
		else
			fprintf(file, "%s\n", line);
	fclose(file);
	if (users) {
		step = step_add(steps, WORDS(restore, "-c"),
				WORDS(restore, "-c"), NULL);
		json_text(step, "do_input", whole);
		json_text(step, "undo_input", without);
	}
	free(whole);
	free(without);
	return users;
}

static unsigned int find_iptables(json_t *steps, const char *program)
{
	char *save = format("%s-save", program);
	char *restore = format("%s-restore", program);
	struct result result = RUN(save, "-c");
	char *at = result.status ? NULL : strstr(result.out, "*"), *end;
	unsigned int users = 0;

	for (; at; at = strstr(end, "\n*")) {
		at += *at == '\n';
		end = strstr(at, "\nCOMMIT\n");
		if (!end)
			break;
		end += strlen("\nCOMMIT");
		*end++ = '\0';
		users += add_table(steps, restore, at);
		/* The next may begin at once. */
		*--end = '\n';
	}
	run_free(&result);
	free(save);
	free(restore);
	return users;
}

/* --- nft --------------------------------------------------------------------------- */

struct nft {
	char family[16], table[64], chain[64], helper[64];
	bool in_helper;
	bool ours;			/* the helper is */
	char spec[256];			/* of the helper */
	char names[1024];		/* our helpers of the table, as "one" "two" */
	unsigned long behind;		/* rule that the next one stands behind */
	json_t *rules;			/* how to put them back */
	FILE *gone, *objects_gone, *objects;
	char *first;			/* a command that shows the first helper */
	unsigned int users;
};

static void nft_table(struct nft *nft, const char *line)
{
	*nft->names = '\0';
	if (sscanf(line, "table %15s %63s", nft->family, nft->table) != 2)
		*nft->table = '\0';
}

static void nft_helper_end(struct nft *nft)
{
	size_t used = strlen(nft->names);
	bool both = !strcmp(nft->family, "inet") && !strstr(nft->spec, "l3proto ip");

	nft->in_helper = false;
	if (!nft->ours)
		return;
	snprintf(nft->names + used, sizeof(nft->names) - used, "\"%s\" ",
		 nft->helper);
	fprintf(nft->objects, "add ct helper %s %s %s {%s }\n", nft->family,
		nft->table, nft->helper, nft->spec);
	fprintf(nft->objects_gone, "delete ct helper %s %s %s\n", nft->family,
		nft->table, nft->helper);
	nft->users += both ? 2 : 1;
	if (!nft->first)
		nft->first = format("%s %s %s", nft->family, nft->table,
				    nft->helper);
}

/* "\t\ttype "mackeep" protocol tcp" and "\t\tl3proto ip" */
static void nft_helper_line(struct nft *nft, const char *line)
{
	size_t used = strlen(nft->spec);

	if (!strcmp(line, "\t}")) {
		nft_helper_end(nft);
		return;
	}
	nft->ours |= !!strstr(line, "type \"" MACKEEP_HELPER_NAME "\"");
	snprintf(nft->spec + used, sizeof(nft->spec) - used, " %s;",
		 line + strspn(line, "\t"));
}

/* Whether the rule sets one of the helpers in names */
static bool nft_sets(const struct nft *nft, const char *rule)
{
	char *names = format("%s", nft->names), *name, *save;
	bool sets = false;

	for (name = strtok_r(names, " ", &save); name && !sets;
	     name = strtok_r(NULL, " ", &save))
		sets = strstr(rule, "ct helper set") && strstr(rule, name);
	free(names);
	return sets;
}

static void nft_rule_line(struct nft *nft, char *line)
{
	char *mark = strstr(line, " # handle "), *back;
	unsigned long handle;

	if (!mark)
		return;
	handle = strtoul(mark + strlen(" # handle "), NULL, 10);
	*mark = '\0';
	line += strspn(line, "\t");
	if (!nft_sets(nft, line)) {
		nft->behind = handle;
		return;
	}
	fprintf(nft->gone, "delete rule %s %s %s handle %lu\n", nft->family,
		nft->table, nft->chain, handle);
	if (nft->behind)
		back = format("add rule %s %s %s handle %lu %s\n", nft->family,
			      nft->table, nft->chain, nft->behind, line);
	else
		back = format("insert rule %s %s %s %s\n", nft->family,
			      nft->table, nft->chain, line);
	json_array_append_new(nft->rules, json_string(back));
	free(back);
}

static void nft_line(struct nft *nft, char *line)
{
	if (nft->in_helper) {
		nft_helper_line(nft, line);
	} else if (!strncmp(line, "table ", 6)) {
		nft_table(nft, line);
	} else if (sscanf(line, "\tct helper %63s", nft->helper) == 1) {
		nft->in_helper = true;
		nft->ours = false;
		*nft->spec = '\0';
	} else if (sscanf(line, "\tchain %63s", nft->chain) == 1) {
		nft->behind = 0;
	} else if (!strncmp(line, "\t\t", 2)) {
		nft_rule_line(nft, line);
	}
}

static json_t *nft_step(json_t *steps, const struct nft *nft)
{
	char *copy = format("%s", nft->first), *family, *table, *helper, *save;
	json_t *step;

	family = strtok_r(copy, " ", &save);
	table = strtok_r(NULL, " ", &save);
	helper = strtok_r(NULL, " ", &save);
	step = step_add(steps, WORDS("nft", "-f", "-"), WORDS("nft", "-f", "-"),
			WORDS("nft", "list", "ct", "helper", family, table,
			      helper));
	free(copy);
	return step;
}

static unsigned int find_nft(json_t *steps)
{
	struct result result = RUN("nft", "-a", "list", "ruleset");
	char *gone, *objects_gone, *objects, *line, *save, *text;
	struct nft nft = { .rules = json_array() };
	json_t *step;
	size_t size, i;

	nft.gone = open_memstream(&gone, &size);
	nft.objects = open_memstream(&objects, &size);
	nft.objects_gone = open_memstream(&objects_gone, &size);
	if (!nft.gone || !nft.objects || !nft.objects_gone)
		out_of_memory();
	for (line = strtok_r(result.out, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		nft_line(&nft, line);
	/* Backwards: each is put right behind the same one. */
	for (i = json_array_size(nft.rules); i-- > 0;)
		fputs(json_string_value(json_array_get(nft.rules, i)),
		      nft.objects);
	fclose(nft.gone);
	fclose(nft.objects);
	fclose(nft.objects_gone);
	if (nft.first) {
		step = nft_step(steps, &nft);
		json_text(step, "do_input", objects);
		text = format("%s%s", gone, objects_gone);
		json_text(step, "undo_input", text);
		free(text);
	}
	run_free(&result);
	json_decref(nft.rules);
	free(nft.first);
	free(gone);
	free(objects);
	free(objects_gone);
	return nft.users;
}

json_t *holders_find(unsigned int *users)
{
	static const char *const programs[] = {
		"iptables-nft", "ip6tables-nft", "iptables-legacy",
		"ip6tables-legacy",
	};
	json_t *steps = json_array();
	unsigned int i;

	*users = find_nft(steps);
	for (i = 0; i < 4; i++)
		*users += find_iptables(steps, programs[i]);
	return steps;
}

/* --- other namespaces -------------------------------------------------------------- */

enum { HAS_RULES = 1, HAS_SERVICES = 2 };

/* What the namespace at path uses; asked in a process of its own. */
static int uses(const char *path)
{
	struct module module;
	int status, fd, has = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(FAILED, "%s: cannot be looked at; try again", path);
	if (pid) {
		while (waitpid(pid, &status, 0) < 0)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0 || !genl_module(&module))
		_exit(0);
	if (module.rules)
		has |= HAS_RULES;
	if (json_array_size(services_read()))
		has |= HAS_SERVICES;
	_exit(has);
}

struct seen {
	unsigned int n;
	ino_t inode[4096];
};

static void look_at(struct seen *seen, const char *path, const char *name)
{
	struct stat stat_of;
	unsigned int i;
	int has;

	if (stat(path, &stat_of) < 0)
		return;
	for (i = 0; i < seen->n; i++)
		if (seen->inode[i] == stat_of.st_ino)
			return;
	if (seen->n < sizeof(seen->inode) / sizeof(*seen->inode))
		seen->inode[seen->n++] = stat_of.st_ino;
	has = uses(path);
	if (has)
		die(FAILED, "network namespace %s: it uses the module as well, by %s; take these away there first, and put them back afterwards",
		    name, has & HAS_RULES ? "rules with -j MACKEEP or net.netfilter.mackeep_hooks" :
					    "services");
}

static void each_entry(struct seen *seen, const char *dir_name,
		       const char *end, const char *what)
{
	DIR *dir = opendir(dir_name);
	struct dirent *entry;
	char *path, *name;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' ||
		    (*end && strspn(entry->d_name, "0123456789") != strlen(entry->d_name)))
			continue;
		path = format("%s/%s%s", dir_name, entry->d_name, end);
		name = format("%s%s", what, entry->d_name);
		look_at(seen, path, name);
		free(path);
		free(name);
	}
	if (dir)
		closedir(dir);
}

void holders_elsewhere(void)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct stat ours;

	if (!seen)
		out_of_memory();
	if (stat("/proc/self/ns/net", &ours) == 0)
		seen->inode[seen->n++] = ours.st_ino;
	each_entry(seen, "/run/netns", "", "");
	each_entry(seen, "/proc", "/ns/net", "of process ");
	free(seen);
}
