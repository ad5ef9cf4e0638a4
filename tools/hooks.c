// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is no queue: the state that a hook was told last is compared with the one
 * that there is. So little waits, and the last state is always told.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hooks.h"
#include "say.h"
#include "services.h"

/* Twice what the kernel has of both families: those that went need room as well. */
#define FACTS		(4 * MACKEEP_SERVICES_MAX)
#define KILL_AFTER	3000		/* milliseconds, from SIGTERM to SIGKILL */
#define RETRY		1000		/* milliseconds, when there are no processes */

struct fact {
	unsigned long turn;		/* of its last change; 0: not in use */
	struct service service;
	bool v6;
	uint8_t state;
};

struct hook {
	struct hook *next;		/* sorted by name */
	char name[NAME_MAX + 1];
	bool there;			/* in the directory, and fit to run */
	const char *unfit;		/* what was complained about */
	pid_t pid;			/* 0: it does not run */
	bool stopped;			/* SIGTERM was sent */
	int64_t deadline;		/* of the next signal */
	uint8_t told[FACTS];
};

static const char *directory;
static int64_t limit;
static struct fact facts[FACTS];
static unsigned long turns;		/* changes until now */
static struct hook *hooks;

void hooks_open(const char *name, int64_t timeout)
{
	DIR *dir = opendir(name);

	if (!dir)
		die(FAILED, "--hooks %s: %s; make it, and put executable files there",
		    name, strerror(errno));
	closedir(dir);
	directory = name;
	limit = timeout;
}

/* --- what is to be told ---------------------------------------------------------- */

/* Who never heard of a service need not hear that it is gone. */
static bool due(const struct hook *hook, unsigned int i)
{
	return hook->there && facts[i].turn &&
	       hook->told[i] != facts[i].state &&
	       (facts[i].state != SERVICE_GONE ||
		hook->told[i] != SERVICE_UNKNOWN);
}

/* What waits longest, or FACTS */
static unsigned int due_first(const struct hook *hook)
{
	unsigned int i, best = FACTS;

	for (i = 0; i < FACTS; i++)
		if (due(hook, i) &&
		    (best == FACTS || facts[i].turn < facts[best].turn))
			best = i;
	return best;
}

/* The place of this service, or a free one, or that of one that is long gone */
static unsigned int place(const struct service *service, bool v6)
{
	unsigned int i, best = FACTS;
	struct hook *hook;

	for (i = 0; i < FACTS; i++) {
		const struct fact *fact = &facts[i];

		if (fact->turn && fact->v6 == v6 &&
		    fact->service.mark == service->mark &&
		    fact->service.proto == service->proto)
			return i;
		if ((!fact->turn || fact->state == SERVICE_GONE) &&
		    (best == FACTS || fact->turn < facts[best].turn))
			best = i;
	}
	for (hook = hooks; hook; hook = hook->next)
		hook->told[best] = SERVICE_UNKNOWN;
	return best;
}

void hooks_tell(const struct service *service, bool v6, uint8_t state)
{
	struct fact *fact;

	if (!directory)
		return;
	fact = &facts[place(service, v6)];
	fact->turn = ++turns;
	fact->service = *service;
	fact->v6 = v6;
	fact->state = state;
}

/* --- which hooks there are ------------------------------------------------------ */

static struct hook *find(const char *name)
{
	struct hook **at = &hooks, *hook;

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	if (*at && !strcmp((*at)->name, name))
		return *at;
	hook = calloc(1, sizeof(*hook));
	if (!hook)
		out_of_memory();
	snprintf(hook->name, sizeof(hook->name), "%s", name);
	memset(hook->told, SERVICE_UNKNOWN, sizeof(hook->told));
	hook->next = *at;
	*at = hook;
	return hook;
}

static const char *path_of(const struct hook *hook)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, hook->name);
	return path;
}

/* By the rules of run-parts(8); NULL: it is fit */
static const char *unfit(const struct hook *hook)
{
	const char *path = path_of(hook), *c;
	struct stat stat_;

	for (c = hook->name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			return "its name has more than letters, digits, _ and -; rename it";
	if (stat(path, &stat_) < 0 || !S_ISREG(stat_.st_mode))
		return "it is no file; take it away";
	if (access(path, X_OK) < 0)
		return "it is not executable; run: chmod +x";
	return NULL;
}

/* Reads the directory again when something is to be told. */
static void look(void)
{
	static unsigned long looked;
	struct dirent *entry;
	struct hook *hook;
	const char *why;
	DIR *dir;

	if (looked == turns)
		return;
	looked = turns;
	for (hook = hooks; hook; hook = hook->next)
		hook->there = false;
	dir = opendir(directory);
	if (!dir) {
		complain("hooks: %s: %s; none is run", directory,
			 strerror(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		hook = find(entry->d_name);
		why = unfit(hook);
		hook->there = !why;
		if (why && why != hook->unfit)
			complain("hook %s: it is not run: %s", path_of(hook),
				 why);
		hook->unfit = why;
	}
	closedir(dir);
}

/* --- running them ----------------------------------------------------------------- */

static void set(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void set(const char *name, const char *format, ...)
{
	char value[64];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	setenv(name, value, 1);
}

/* STATE is open or closed, REASON why it is closed; "" if that is not known. */
static void set_state(const char *state_name, const char *reason_name,
		      uint8_t state)
{
	bool open = state == MACKEEP_SERVICE_OPEN;
	bool known = state != SERVICE_UNKNOWN;

	set(state_name, "%s", !known ? "" : open ? "open" : "closed");
	set(reason_name, "%s", !known || open ? "" : service_state(state));
}

static void set_environment(const struct fact *fact, uint8_t before)
{
	const struct service *service = &fact->service;
	const char *proto = service_proto(service);

	set("MACKEEP_SERVICE", "%s/%u", proto, service->port);
	set("MACKEEP_PROTO", "%s", proto);
	set("MACKEEP_PORT", "%u", service->port);
	set("MACKEEP_MARK", "0x%x", service->mark);
	set("MACKEEP_FAMILY", "%s", fact->v6 ? "ipv6" : "ipv4");
	set("MACKEEP_FAIL", "%s", service->fail == MACKEEP_FAIL_CLOSED ?
	    "closed" : "open");
	set_state("MACKEEP_STATE", "MACKEEP_REASON", fact->state);
	set_state("MACKEEP_OLD_STATE", "MACKEEP_OLD_REASON", before);
}

/* What it prints goes where errors go: stdout has the events. */
static void become(const struct hook *hook, const struct fact *fact,
		   uint8_t before)
{
	const char *path = path_of(hook);
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	if (null < 0 || setpgid(0, 0) < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(126);
	if (null != STDIN_FILENO)
		close(null);
	set_environment(fact, before);
	execlp(path, path, NULL);
	dprintf(STDERR_FILENO, "mackeep: hook %s: %s\n", path, strerror(errno));
	_exit(127);
}

static void start(struct hook *hook, unsigned int i)
{
	uint8_t before = hook->told[i];

	hook->told[i] = facts[i].state;
	fflush(stdout);
	hook->pid = fork();
	if (!hook->pid)
		become(hook, &facts[i], before);
	if (hook->pid < 0) {
		complain("hook %s: it cannot be started: %s; it is tried again",
			 path_of(hook), strerror(errno));
		hook->pid = 0;
		hook->told[i] = before;
		return;
	}
	/* Here as well: it may get a signal before it has come that far. */
	setpgid(hook->pid, hook->pid);
	hook->stopped = false;
	hook->deadline = clock_ms() + limit;
}

/* The process stays until its group is gone, so that no other has its number. */
static bool bury(void)
{
	siginfo_t info = { .si_pid = 0 };
	struct hook *hook;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    !info.si_pid)
		return false;
	for (hook = hooks; hook && hook->pid != info.si_pid; hook = hook->next)
		;
	if (hook) {
		if (hook->stopped)
			kill(-hook->pid, SIGKILL);
		else if (info.si_code != CLD_EXITED)
			complain("hook %s: it was killed by signal %d",
				 path_of(hook), info.si_status);
		else if (info.si_status)
			complain("hook %s: it failed with status %d",
				 path_of(hook), info.si_status);
		hook->pid = 0;
	}
	waitid(P_PID, info.si_pid, &info, WEXITED);
	return true;
}

static void expire(struct hook *hook)
{
	if (hook->stopped) {
		kill(-hook->pid, SIGKILL);
		hook->deadline = NEVER;
		return;
	}
	complain("hook %s: it still ran after %g seconds, and is killed",
		 path_of(hook), limit / 1000.0);
	kill(-hook->pid, SIGTERM);
	hook->stopped = true;
	hook->deadline = clock_ms() + KILL_AFTER;
}

int64_t hooks_run(void)
{
	int64_t next = NEVER;
	struct hook *hook;
	unsigned int i;

	if (!directory)
		return NEVER;
	while (bury())
		;
	look();
	for (hook = hooks; hook; hook = hook->next) {
		if (hook->pid && hook->deadline <= clock_ms())
			expire(hook);
		i = hook->pid ? FACTS : due_first(hook);
		if (i < FACTS)
			start(hook, i);
		if (hook->pid)
			next = clock_first(next, hook->deadline);
		else if (i < FACTS)
			next = clock_first(next, clock_ms() + RETRY);
	}
	return next;
}

bool hooks_idle(void)
{
	const struct hook *hook;

	for (hook = hooks; hook; hook = hook->next)
		if (hook->pid || due_first(hook) < FACTS)
			return false;
	return true;
}

void hooks_kill(void)
{
	const struct hook *hook;

	for (hook = hooks; hook; hook = hook->next)
		if (hook->pid)
			kill(-hook->pid, SIGKILL);
}
