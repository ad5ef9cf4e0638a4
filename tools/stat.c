// SPDX-License-Identifier: GPL-2.0-only
/* mackeep stat: the counters and what each means */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "commands.h"
#include "counters.h"
#include "meanings.h"
#include "metrics.h"
#include "say.h"
#include "text.h"

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
	const struct meaning *meaning;
	unsigned int i;
	int at;

	for (meaning = meanings; meaning->text; meaning++) {
		if (!meaning->name) {
			printf("%s%s%s\n", bold, meaning->text, plain);
			continue;
		}
		at = counters_find(now, meaning->name);
		if (at >= 0)
			print_counter(now, then, at, seconds, meaning->text);
	}
	for (i = 0; i < now->n; i++)
		if (!meaning_known(now->name[i]))
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

	if (args->out & OUT_METRICS && args->interval)
		die(BAD_ARGS, "-w: metrics are of one moment; leave one of the two out");
	for (;;) {
		if (counters_read(&now) < 0)
			die(FAILED, "counters: /proc/net/stat/mackeep: %s; run: modprobe mackeep",
			    strerror(errno));
		at = clock_now();
		if (args->out & OUT_METRICS) {
			metrics_print(args, &now);
		} else if (args->out & OUT_JSON) {
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
