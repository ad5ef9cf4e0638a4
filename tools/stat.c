// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep stat: the counters and what each means, from the comments in
 * kmod/stat-names.h, which the Makefile turns into stat-meanings.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mackeep.h"

#define FILE_NAME	"/proc/thread-self/net/stat/mackeep"
#define COUNTERS_MAX	128

static const struct meaning {
	const char *name;		/* NULL: a heading */
	const char *text;
} meanings[] = {
	{ NULL, "the pair cache" },
	{ "pairs", "entries it has now" },
#define GROUP(text)		{ NULL, text },
#define COUNTER(name, text)	{ name, text },
#include "stat-meanings.h"
};

#define MEANINGS	(sizeof(meanings) / sizeof(*meanings))

struct counters {
	unsigned int n;
	char name[COUNTERS_MAX][32];
	uint64_t value[COUNTERS_MAX];
};

/* -1: the module is not there */
static int counters_read(struct counters *counters)
{
	FILE *file = fopen(FILE_NAME, "r");
	char *line = NULL, *word, *save;
	size_t size = 0;
	unsigned int i;

	counters->n = 0;
	if (!file)
		return -1;
	if (getline(&line, &size, file) > 0)
		for (word = strtok_r(line, " \n", &save);
		     word && counters->n < COUNTERS_MAX;
		     word = strtok_r(NULL, " \n", &save)) {
			i = counters->n++;
			snprintf(counters->name[i], sizeof(counters->name[i]),
				 "%s", word);
			counters->value[i] = 0;
		}
	while (getline(&line, &size, file) > 0)
		for (i = 0, word = strtok_r(line, " \n", &save);
		     word && i < counters->n;
		     i++, word = strtok_r(NULL, " \n", &save))
			counters->value[i] += strtoull(word, NULL, 10);
	free(line);
	fclose(file);
	return 0;
}

uint64_t stat_value(const char *name)
{
	static struct counters counters;
	unsigned int i;

	if (!counters.n)
		counters_read(&counters);
	for (i = 0; i < counters.n; i++)
		if (!strcmp(counters.name[i], name))
			return counters.value[i];
	return 0;
}

static int find(const struct counters *counters, const char *name)
{
	unsigned int i;

	for (i = 0; i < counters->n; i++)
		if (!strcmp(counters->name[i], name))
			return i;
	return -1;
}

static bool known(const char *name)
{
	unsigned int i;

	for (i = 0; i < MEANINGS; i++)
		if (meanings[i].name && !strcmp(meanings[i].name, name))
			return true;
	return false;
}

/* What was counted a second since then */
static double rate(const struct counters *now, const struct counters *then,
		   int i, double seconds)
{
	return seconds > 0 && then->n == now->n ?
	       ((double)now->value[i] - then->value[i]) / seconds : 0;
}

static void print_counter(const struct counters *now,
			  const struct counters *then, int i, double seconds,
			  const char *text)
{
	printf("  %-13s %s%11llu%s", now->name[i], now->value[i] ? green : "",
	       (unsigned long long)now->value[i], now->value[i] ? plain : "");
	if (seconds > 0)
		printf(" %10.1f/s", rate(now, then, i, seconds));
	printf("  %s\n", text);
}

static void print_text(const struct counters *now, const struct counters *then,
		       double seconds)
{
	unsigned int i;
	int at;

	for (i = 0; i < MEANINGS; i++) {
		if (!meanings[i].name) {
			printf("%s%s%s\n", bold, meanings[i].text, plain);
			continue;
		}
		at = find(now, meanings[i].name);
		if (at >= 0)
			print_counter(now, then, at, seconds, meanings[i].text);
	}
	for (i = 0; i < now->n; i++)
		if (!known(now->name[i]))
			print_counter(now, then, i, seconds, "(of another version)");
}

static void print_json(const struct counters *now, const struct counters *then,
		       double seconds)
{
	json_t *object = json_object(), *rates = json_object();
	unsigned int i;

	for (i = 0; i < now->n; i++) {
		json_object_set_new(object, now->name[i],
				    json_integer(now->value[i]));
		json_object_set_new(rates, now->name[i],
				    json_real(rate(now, then, i, seconds)));
	}
	if (seconds > 0)
		json_object_set(object, "rates", rates);
	json_decref(rates);
	json_print(object);
}

static double clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void wait_seconds(double seconds)
{
	struct timespec pause = { seconds, (seconds - (time_t)seconds) * 1e9 };

	fflush(stdout);
	nanosleep(&pause, NULL);
}

/* With -w a first block of totals, then blocks with what came to them */
int cmd_stat(struct args *args)
{
	struct counters now, then = { .n = 0 };
	double at, before = 0;

	for (;;) {
		if (counters_read(&now) < 0)
			die(FAILED, "counters: %s: %s; run: modprobe mackeep",
			    "/proc/net/stat/mackeep", strerror(errno));
		at = clock_now();
		if (args->out & OUT_JSON) {
			print_json(&now, &then, before ? at - before : 0);
		} else {
			if (args->interval && terminal)
				fputs("\033[H\033[J", stdout);
			print_text(&now, &then, before ? at - before : 0);
		}
		if (!args->interval || ferror(stdout))
			return DONE;
		then = now;
		before = at;
		wait_seconds(args->interval);
	}
}
