// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep check --watch: tells of findings that come, and of those that are gone.
 *
 * Each look is a process of its own: what a look asks the kernel for once, and what
 * it does not free, ends with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "checks.h"
#include "clock.h"
#include "finding.h"
#include "say.h"
#include "seen.h"
#include "text.h"
#include "watch.h"

/* Milliseconds: counters, sysctls and ebtables-legacy tell nobody. */
#define POLL	10000
/* From one look to the next, whatever happens meanwhile */
#define REST	1000

/* NULL: it did not come to an end, and said why. poll: counters are looked at then. */
static json_t *findings_now(const struct args *args,
			    void (*look)(const struct args *), bool poll)
{
	int fd = memfd_create("mackeep", MFD_CLOEXEC), status = -1;
	json_t *list;
	pid_t pid;

	fflush(stdout);
	pid = fd < 0 ? -1 : fork();
	if (pid < 0)
		die(FAILED, "process: %s", strerror(errno));
	if (!pid) {
		look(args);
		if (poll)
			seen_save();
		_exit(json_dumpfd(finding_list(), fd, 0) < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	lseek(fd, 0, SEEK_SET);
	list = status ? NULL : json_loadfd(fd, 0, NULL);
	close(fd);
	return list;
}

/* The text may have a count that grows. */
static bool has(const json_t *list, const json_t *finding)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_is(one, "id", json_get_text(finding, "id")) &&
		    json_is(one, "remedy", json_get_text(finding, "remedy")))
			return true;
	return false;
}

static void tell(const struct args *args, json_t *finding, bool gone)
{
	json_t *object;

	if (args->out & OUT_JSON) {
		object = json_pack("{s:s}", "event", gone ? "gone" : "found");
		json_object_update(object, finding);
		json_print(object);
	} else if (gone) {
		printf("%s%s%s: gone: %s\n", green, json_get_text(finding, "id"),
		       plain, json_get_text(finding, "text"));
	} else {
		finding_print(finding);
	}
}

/* Takes both lists and returns the second. */
static json_t *tell_changes(const struct args *args, json_t *before, json_t *now)
{
	json_t *one;
	size_t i;

	json_array_foreach(before, i, one)
		if (!has(now, one))
			tell(args, one, true);
	json_array_foreach(now, i, one)
		if (!has(before, one))
			tell(args, one, false);
	fflush(stdout);
	json_decref(before);
	return now;
}

/* Until there is a reason to look again; false: to end */
static bool wait_for_changes(int fd, int64_t poll_at)
{
	int64_t rested = clock_ms() + REST;
	unsigned int changed = watch_wait(fd, clock_until(poll_at));

	while (!(changed & WATCH_END) && clock_ms() < rested)
		changed |= watch_wait(fd, clock_until(rested));
	return !(changed & WATCH_END);
}

int check_watch(const struct args *args, void (*look)(const struct args *))
{
	json_t *known = json_array(), *now;
	int fd = watch_open();
	int64_t poll_at = 0;
	bool begun = false, poll;

	do {
		poll = clock_ms() >= poll_at;
		if (poll)
			poll_at = clock_ms() + POLL;
		now = findings_now(args, look, poll);
		if (now)
			known = tell_changes(args, known, now);
		/* Scripts wait for this line. */
		if (!begun)
			note("waiting for changes.");
		begun = true;
	} while (!ferror(stdout) && wait_for_changes(fd, poll_at));

	note("%zu findings.", json_array_size(known));
	return json_array_size(known) ? FAILED : DONE;
}
