// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is missing is put back by "mackeep repair", a process of its own: it holds the
 * lock of the state no longer than it has to, so up, down and reload are not
 * disturbed, and whatever ends it does not end this.
 *
 * Events say when to look. Sysctls and legacy tables have none: they are read once a
 * second, which takes no process. What is left, such as a guard that somebody has
 * taken away, is seen by a look from time to time.
 *
 * Whoever takes something away again and again would have both of us work without
 * end. So repairs that follow on each other become slower.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "run.h"
#include "say.h"
#include "state.h"
#include "stay.h"
#include "tables.h"
#include "text.h"
#include "watch.h"

/* Milliseconds */
#define TICK		1000		/* from one reading to the next */
#define SELDOM		60000		/* from one look to the next, without a reason */
#define CALM		10000		/* a repair after so long is one by itself */
#define SLOWEST		60000		/* from one repair to the next in a quarrel */

#define QUICK		5		/* repairs that are not made slower */

enum how { UNKNOWN, UP, DOWN, GONE };

struct stay {
	const char *bridge;
	enum how how;			/* as it was told */
	json_t *state;
	uint64_t sum;			/* of what has no events, before the last look */
	int64_t look_at;
	int64_t rest;			/* no look before that */
	unsigned int repairs;		/* that followed on each other */
	int64_t repaired;		/* when the last one was */
	int64_t slower;			/* how long the next had to wait */
	char *error;			/* the last one that was told, or NULL */
};

/* --- what has no events -------------------------------------------------------- */

static uint64_t text_sum(uint64_t sum, const char *text)
{
	for (; *text; text++)
		sum = sum * 31 + (unsigned char)*text;
	return sum * 31;
}

static uint64_t file_sum(uint64_t sum, const char *file)
{
	char value[64];

	return text_sum(sum, file_line(file, value, sizeof(value)) ? value : "none");
}

/* br_netfilter may come when it is up, and then there is a step more. */
static uint64_t silent_sum(const struct stay *stay)
{
	uint64_t sum = file_sum(1, "/proc/sys/net/bridge/bridge-nf-call-iptables");
	const char *file, *command;
	bool tables = false;
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(stay->state, "steps"), i, step) {
		command = json_string_value(json_array_get(json_object_get(step,
									   "do"), 0));
		tables = tables || (command && strstr(command, "tables"));
		file = json_get_text(step, "file");
		if (*file)
			sum = file_sum(sum, file);
	}
	return tables ? sum * 31 + tables_sum() : sum;
}

/* --- whether there is something to repair --------------------------------------- */

/* It may go at any time, so this is not state_load(). */
static bool is_up(struct stay *stay)
{
	json_decref(stay->state);
	stay->state = json_load_file(state_path(stay->bridge), 0, NULL);
	return json_is_true(json_object_get(stay->state, "complete"));
}

static bool can_be_repaired(struct stay *stay)
{
	enum how how = !is_up(stay) ? DOWN : !if_nametoindex(stay->bridge) ? GONE : UP;

	if (how == DOWN && stay->how != DOWN)
		note("%s: it is not up; \"mackeep up %s\" is waited for.",
		     stay->bridge, stay->bridge);
	if (how == GONE && stay->how != GONE)
		note("%s: there is no such device any more; one is waited for.",
		     stay->bridge);
	if (how != UP)
		stay->how = how;
	return how == UP;
}

/* --- what is told ----------------------------------------------------------------- */

/* Whoever changed last what the first of the steps is part of */
static const char *culprit(const char *steps)
{
	unsigned int what = !strncmp(steps, "ip ", 3) ? WATCH_ROUTES :
			    strstr(steps, "tables") || strstr(steps, "nft ") ?
			    WATCH_RULES : 0;
	const char *who = what ? watch_who(what) : "";

	return *who ? who : "somebody";
}

/* A step is a line. */
static void tell_steps(const struct stay *stay, char *steps)
{
	const char *who = culprit(steps);
	char *step, *save;

	for (step = strtok_r(steps, "\n", &save); step;
	     step = strtok_r(NULL, "\n", &save))
		note("%s: put back what %s took away: %s", stay->bridge, who, step);
}

static void tell_quarrel(const struct stay *stay, const char *steps)
{
	complain("bridge %s: %s takes away what is put back, again and again, such as: %.*s; it is put back more and more slowly now, at last once in %d s; have that leave it alone, or end this",
		 stay->bridge, culprit(steps), (int)strcspn(steps, "\n"), steps,
		 SLOWEST / 1000);
}

/* An error as it is, and once only */
static void tell_error(struct stay *stay, const char *error)
{
	if (stay->error && !strcmp(stay->error, error))
		return;
	free(stay->error);
	stay->error = strdup(error);
	fputs(error, stderr);
}

/* --- looking ---------------------------------------------------------------------- */

static void repaired(struct stay *stay, struct result *result, int64_t began)
{
	int64_t now = clock_ms();

	/* What was put back before has stayed, also where a look takes long. */
	if (began - stay->repaired > CALM + 2 * (stay->slower + now - began))
		stay->repairs = 0;
	stay->repairs++;
	stay->slower = stay->repairs <= QUICK ? 0 :
		clock_first(TICK << clock_first(stay->repairs - QUICK, 6), SLOWEST);
	stay->repaired = now;
	if (stay->slower)
		stay->rest = now + stay->slower;
	if (result->status) {
		tell_error(stay, result->err);
		stay->look_at = now + TICK;
	} else if (stay->repairs == QUICK + 1) {
		tell_quarrel(stay, result->out);
	} else if (stay->repairs <= QUICK) {
		tell_steps(stay, result->out);
	}
}

static void look(struct stay *stay)
{
	int64_t began = clock_ms(), took;
	struct result result;

	stay->look_at = began + SELDOM;
	if (!can_be_repaired(stay))
		return;
	stay->sum = silent_sum(stay);
	result = RUN("mackeep", "repair", "--bridge", stay->bridge);
	took = clock_ms() - began;
	/* At most a fifth of a processor, whatever happens how often */
	stay->rest = clock_ms() + clock_first(4 * took, TICK);
	/* It has not failed if it was down before it came to look. */
	if (*result.out || (result.status && is_up(stay)))
		repaired(stay, &result, began);
	if (!result.status) {
		free(stay->error);
		stay->error = NULL;
	}
	run_free(&result);
	/* Scripts wait for this line. */
	if (stay->how != UP)
		note("%s: it is watched.", stay->bridge);
	stay->how = UP;
}

int stay(const char *bridge)
{
	struct stay stay = { .bridge = bridge, .repaired = -SLOWEST };
	unsigned int changed;
	int64_t until;
	int fd;

	fd = watch_open();
	for (;;) {
		if (clock_ms() >= stay.look_at)
			look(&stay);
		until = clock_first(clock_ms() + TICK, stay.look_at);
		changed = watch_wait(fd, clock_until(until));
		if (changed & WATCH_END)
			break;
		if (changed & (WATCH_RULES | WATCH_LINKS | WATCH_ROUTES |
			       WATCH_MODULE | WATCH_SERVICES) ||
		    (stay.how == UP && silent_sum(&stay) != stay.sum) ||
		    stay.how == DOWN)
			stay.look_at = clock_first(stay.look_at, clock_ms());
		if (stay.look_at < stay.rest)
			stay.look_at = stay.rest;
	}
	json_decref(stay.state);
	free(stay.error);
	return DONE;
}
