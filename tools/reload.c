// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep reload: swaps the kernel module under traffic.
 *
 * What is to be put back is written down before anything changes. The swap runs
 * in a process of its own, which signals do not end; if it ends all the same, what
 * is written down is put back by the process that waits for it, or by the next
 * reload.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "curtain.h"
#include "holders.h"
#include "ko.h"
#include "memory.h"
#include "say.h"
#include "state.h"
#include "step.h"
#include "text.h"

#define KILLED	128

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* --- what is written down ---------------------------------------------------------- */

static const char *notes_path(void)
{
	static char *path;

	if (!path)
		path = format(STATE_DIRECTORY "/reload%s", namespace_suffix());
	return path;
}

static json_t *notes_load(void)
{
	json_error_t error;
	json_t *notes;

	if (access(notes_path(), F_OK) < 0)
		return NULL;
	notes = json_load_file(notes_path(), 0, &error);
	if (!notes || !json_is_object(notes))
		die(FAILED, "%s: it is damaged: %s; remove it, run \"nft delete table inet mackeep_reload; nft delete table bridge mackeep_reload\", and set the rules up again",
		    notes_path(), notes ? "no object" : error.text);
	return notes;
}

static void notes_save(const json_t *notes)
{
	char *new = format("%s.new", notes_path());
	FILE *file = fopen(new, "we");

	if (!file || fchmod(fileno(file), 0600) < 0 ||
	    json_dumpf(notes, file, 0) < 0 || fflush(file) ||
	    fclose(file) || rename(new, notes_path()) < 0)
		die(FAILED, "%s: %s; make room there", notes_path(),
		    strerror(errno));
	free(new);
}

/* --- back -------------------------------------------------------------------------- */

/* 0, or it has said what was wrong. */
static int load(void)
{
	int err = ko_loaded() ? 0 : ko_load();

	if (!err)
		return 0;
	curtain_fail();
	die(FAILED, "kernel module: the installed one cannot be loaded: %s; frames pass the bridge as if there were no proxy, and packets in others' names do not leave. Mend it (modprobe mackeep, dmesg), then: mackeep reload",
	    strerror(err));
}

static int rules_back(const json_t *notes)
{
	json_t *step;
	int failed = 0;
	size_t i;

	json_array_foreach(json_object_get(notes, "rules"), i, step)
		if (!step_done(step) && step_run(step, "do"))
			failed++;
	return failed;
}

/*
 * From what is written down, whatever has been done of it. Rules come behind the
 * services, which keep what is new away from the proxy.
 */
static int put_back(json_t *notes)
{
	const json_t *settings = json_object_get(notes, "settings");
	const char *text = json_get_text(notes, "known");
	unsigned int missing = 0;
	double began = json_number_value(json_object_get(notes, "began"));
	int failed;

	load();
	memory_settings_back(settings);
	failed = rules_back(notes);
	if (*text)
		missing = memory_known_back(text, (seconds() - began) * 1000);
	if (curtain_open())
		failed++;
	if (*text)
		note("%lld records and %lld pairs have been put back; the gap was %.0f ms.",
		     json_integer_value(json_object_get(notes, "records")),
		     json_integer_value(json_object_get(notes, "pairs")),
		     (seconds() - began) * 1000);
	if (missing)
		complain("records and pairs: the module refused %u of them; their flows learn again from their next frames",
			 missing);
	memory_services_back(settings);
	if (failed)
		complain("rules: some could not be put back, see above; set them up again");
	unlink(notes_path());
	return failed ? FAILED : DONE;
}

/* --- out --------------------------------------------------------------------------- */

/* Whether they are out need not be tested any more, which takes time. */
static void rules_out(const json_t *notes)
{
	json_t *rules = json_object_get(notes, "rules"), *step;
	size_t i;

	json_array_foreach(rules, i, step) {
		if (step_run(step, "undo"))
			die(FAILED, "rules: some cannot be taken out, see above");
		json_object_del(step, "test");
	}
}

/* What new connections find, from now on, is a box that takes none. */
static void bypass(const json_t *notes)
{
	memory_settings_back(json_object_get(notes, "settings"));
}

static int swap(json_t *notes)
{
	struct known known;
	int err;

	notes_save(notes);
	bypass(notes);
	json_object_set_new(notes, "began", json_real(seconds()));
	if (curtain_draw(json_object_get(notes, "settings")))
		die(FAILED, "nft: it cannot hold frames back; mend what is above");
	/* The box is silent, so no flow comes up that is not in this. */
	memory_known(&known);
	json_text(notes, "known", known.text);
	json_int(notes, "records", known.records);
	json_int(notes, "pairs", known.pairs);
	notes_save(notes);
	if (curtain_flows(known.udp4, known.udp6))
		die(FAILED, "nft: it cannot hold frames back; mend what is above");
	rules_out(notes);
	err = ko_unload();
	if (err)
		complain("kernel module: it cannot be unloaded: %s; %u users are left, look for processes and rules that use it",
			 strerror(err), ko_users());
	return put_back(notes) ?: err ? FAILED : DONE;
}

/* In a process of its own; die() ends no more than that. */
static int apart(int (*run)(json_t *), json_t *notes)
{
	sigset_t all;
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(FAILED, "fork: %s; try again", strerror(errno));
	if (!pid) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		setsid();
		exit(run(notes));
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
}

/* If the swap has not come to its end, what it wrote down is put back. */
static int swap_all(json_t *notes)
{
	int status = apart(swap, notes);
	json_t *left;

	if (status == DONE)
		return DONE;
	left = notes_load();
	if (left && (ko_loaded() || status == KILLED))
		apart(put_back, left);
	return FAILED;
}

/* --- whether ------------------------------------------------------------------------ */

static void check_file(const struct module_file *file)
{
	struct utsname kernel;
	size_t len;

	uname(&kernel);
	len = strlen(kernel.release);
	if (!file->path)
		die(FAILED, "kernel module: there is none for the kernel that runs, %s; \"mackeep check\" tells how to get it",
		    kernel.release);
	if (!file->srcversion || !file->version || !file->vermagic)
		die(FAILED, "%s: it is no module that can be read; install it again",
		    file->path);
	if (strncmp(file->vermagic, kernel.release, len) ||
	    file->vermagic[len] != ' ')
		die(FAILED, "%s: it is for kernel %.*s, and %s runs; build it for that",
		    file->path, (int)strcspn(file->vermagic, " "),
		    file->vermagic, kernel.release);
	if (ko_only_signed() && !file->signer)
		die(FAILED, "%s: it has no signature, and the kernel only takes signed modules; sign it, \"mackeep check\" has the command",
		    file->path);
}

static bool wanted(const struct args *args)
{
	struct module_file file = ko_file();
	bool same;

	check_file(&file);
	same = ko_same(&file);
	if (same && !args->force)
		note("the module that is loaded is the installed one, %s; nothing to do.",
		     file.srcversion);
	ko_file_free(&file);
	return !same || args->force;
}

/* Dies before anything has changed, if the module will not go. */
static json_t *rules_find(void)
{
	unsigned int users, now;
	json_t *rules;

	holders_elsewhere();
	rules = holders_find(&users);
	now = ko_users();
	if (now > users)
		die(FAILED, "kernel module: it is in use %u times, and only %u of them are rules of this network namespace; look for nft's helper objects of type \"mackeep\" and -j CT --helper mackeep in others (ip netns, containers), and for \"mackeep\" commands that run; take these away first",
		    now, users);
	return rules;
}

int cmd_reload(struct args *args)
{
	json_t *notes;

	state_lock();
	notes = notes_load();
	if (notes) {
		complain("an earlier reload did not come to its end; it does now");
		if (apart(put_back, notes))
			return FAILED;
		json_decref(notes);
	}
	if (!ko_loaded())
		die(FAILED, "kernel module: it is not loaded; run: modprobe mackeep");
	if (!wanted(args))
		return DONE;
	curtain_check();
	notes = json_object();
	json_object_set_new(notes, "rules", rules_find());
	json_object_set_new(notes, "settings", memory_settings());
	return swap_all(notes);
}
