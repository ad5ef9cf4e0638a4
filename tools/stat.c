// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep stat: the counters and what each means. The Makefile makes
 * stat-meanings.h from the comments in kmod/stat-names.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "commands.h"
#include "counters.h"
#include "say.h"
#include "text.h"

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

static bool known(const char *name)
{
	unsigned int i;

	for (i = 0; i < MEANINGS; i++)
		if (meanings[i].name && !strcmp(meanings[i].name, name))
			return true;
	return false;
}

/* How much was counted since then, per second */
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
		at = counters_find(now, meanings[i].name);
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

/* With -w: first the totals, then totals with rates, again and again */
int cmd_stat(struct args *args)
{
	struct counters now, then = { .n = 0 };
	double at, before = 0;

	for (;;) {
		if (counters_read(&now) < 0)
			die(FAILED, "counters: /proc/net/stat/mackeep: %s; run: modprobe mackeep",
			    strerror(errno));
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
