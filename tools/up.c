// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep up, mackeep down.
 *
 * The state of a bridge is the steps that were begun, each written down before
 * it is done, with the command that undoes it: whatever becomes of us, down
 * finds all of it, and nothing that was there before. A namespace other than
 * the first has its cookie in the file's name, which no later one ever gets.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mackeep.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE	71
#endif

#define DIRECTORY	"/run/mackeep"

static const char *prefix = "";		/* of commands printed */

/* --- state ----------------------------------------------------------------------- */

/* Since Linux 5.14; before, the inode has to do. */
static uint64_t namespace_cookie(ino_t inode)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = inode;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	close(fd);
	return cookie;
}

const char *namespace_suffix(void)
{
	static char suffix[32];
	struct stat ours, first;

	if (stat("/proc/self/ns/net", &ours) < 0)
		die(FAILED, "/proc/self/ns/net: %s; mount /proc", strerror(errno));
	if (stat("/proc/1/ns/net", &first) < 0 || first.st_ino == ours.st_ino)
		return "";
	snprintf(suffix, sizeof(suffix), "@%llu",
		 (unsigned long long)namespace_cookie(ours.st_ino));
	return suffix;
}

static const char *state_path(const char *bridge, const char *end)
{
	static char path[2][PATH_MAX];
	static int turn;
	char *s = path[turn++ % 2];

	snprintf(s, PATH_MAX, DIRECTORY "/%s%s%s", bridge, namespace_suffix(), end);
	return s;
}

/* Until we are gone: no two work at once. */
static void state_lock(void)
{
	int fd;

	if (mkdir(DIRECTORY, 0755) < 0 && errno != EEXIST)
		die(FAILED, DIRECTORY ": %s; run it as root", strerror(errno));
	fd = open(DIRECTORY "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		die(FAILED, DIRECTORY "/lock: %s; run it as root",
		    strerror(errno));
}

static json_t *state_load(const char *bridge)
{
	const char *path = state_path(bridge, ".json");
	json_error_t error;
	json_t *state;

	if (access(path, F_OK) < 0)
		return NULL;
	state = json_load_file(path, 0, &error);
	if (!state || !json_is_array(json_object_get(state, "steps")))
		die(FAILED, "%s: it is damaged: %s; undo what is up by hand and remove the file",
		    path, state ? "no steps" : error.text);
	return state;
}

/* Whole or not at all */
static void state_save(const char *bridge, const json_t *state)
{
	const char *path = state_path(bridge, ".json");
	const char *new = state_path(bridge, ".new");
	FILE *file = fopen(new, "w");

	if (!file || json_dumpf(state, file, JSON_INDENT(1)) < 0 ||
	    fflush(file) || fsync(fileno(file)) < 0 || fclose(file) ||
	    rename(new, path) < 0)
		die(FAILED, "%s: %s; what is up so far is undone by: mackeep down %s",
		    path, strerror(errno), bridge);
}

void state_each(void (*each)(const char *, json_t *, void *), void *data)
{
	const char *suffix = namespace_suffix();
	DIR *dir = opendir(DIRECTORY);
	struct dirent *entry;
	char bridge[NAME_MAX + 1], *at, *end;
	json_t *state;

	while (dir && (entry = readdir(dir))) {
		snprintf(bridge, sizeof(bridge), "%s", entry->d_name);
		end = strstr(bridge, ".json");
		if (!end || end[5])
			continue;
		*end = '\0';
		at = strchr(bridge, '@');
		if (strcmp(at ?: "", suffix))
			continue;
		if (at)
			*at = '\0';
		state = state_load(bridge);
		each(bridge, state, data);
		json_decref(state);
	}
	if (dir)
		closedir(dir);
}

struct search {
	const char *besides;
	const json_t *step;
	json_t *found;
};

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* A step is known by what it does. */
static json_t *find(const json_t *state, const json_t *step)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(state, "steps"), i, other)
		if (same(step, other, "do") && same(step, other, "do_input"))
			return other;
	return NULL;
}

static void search_one(const char *bridge, json_t *state, void *data)
{
	struct search *search = data;
	json_t *found;

	if (!strcmp(bridge, search->besides) || search->found)
		return;
	found = find(state, search->step);
	if (found)
		search->found = json_incref(found);
}

/* The same step, if another bridge needs it as well */
static json_t *shared(const char *bridge, const json_t *step)
{
	struct search search = { bridge, step, NULL };

	state_each(search_one, &search);
	return search.found;
}

/* --- doing and undoing ------------------------------------------------------------- */

static void print(const json_t *step, const char *command, const char *input)
{
	fputs(prefix, stdout);
	command_print(stdout, json_object_get(step, command),
		      json_string_value(json_object_get(step, input)));
}

/* 0, or it has been told what was wrong */
static int perform(const json_t *step, const char *command, const char *input)
{
	const char *text = json_string_value(json_object_get(step, input));
	const json_t *words = json_object_get(step, command);
	struct result result = run_words(words, text);
	int status = result.status;

	if (status) {
		fprintf(stderr, "mackeep: this failed: ");
		command_print(stderr, words, text);
		fputs(*result.err ? result.err : result.out, stderr);
	}
	run_free(&result);
	return status;
}

/* Undoes a step, the other way when nobody else needs it */
static int undo(const char *bridge, const json_t *step, bool dry_run)
{
	json_t *other;

	if (!json_object_get(step, "undo"))
		return 0;
	other = shared(bridge, step);
	if (other) {
		json_decref(other);
		return 0;
	}
	if (!step_there(step))
		return 0;
	if (!dry_run)
		return perform(step, "undo", "undo_input");
	print(step, "undo", "undo_input");
	return 0;
}

/* Backwards; a step that cannot be undone stays in the state. */
static int undo_all(const char *bridge, json_t *state, bool dry_run)
{
	json_t *steps = json_object_get(state, "steps");
	int failed = 0;
	size_t i;

	json_object_set_new(state, "complete", json_false());
	for (i = json_array_size(steps); i-- > 0;) {
		if (undo(bridge, json_array_get(steps, i), dry_run)) {
			failed++;
			continue;
		}
		if (!dry_run) {
			json_array_remove(steps, i);
			state_save(bridge, state);
		}
	}
	if (!failed && !dry_run)
		unlink(state_path(bridge, ".json"));
	return failed;
}

static json_t *configuration(const struct args *args)
{
	json_t *config = json_pack("{s:i, s:i, s:b, s:i, s:i, s:i, s:b, s:b}",
				   "to", args->to, "vlan", args->vlan, "ipv6",
				   args->ipv6, "backend", args->backend,
				   "fwmark", args->fwmark, "table", args->table,
				   "strict", args->strict, "last_hop",
				   args->last_hop);

	json_object_set_new(config, "tcp", json_string(ports_text(&args->tcp, '-')));
	json_object_set_new(config, "udp", json_string(ports_text(&args->udp, '-')));
	return config;
}

static void up_check(const struct args *args)
{
	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge is it for? give --bridge or the name of one that has a file in /etc/mackeep");
	if (!args->to)
		die(BAD_ARGS, "--to: the proxy's port is not given; for instance --to 3129");
	if (!args->tcp.n && !args->udp.n)
		die(BAD_ARGS, "--tcp: nothing is to be proxied; give --tcp or --udp with ports");
	if (args->backend == BACKEND_NFT && (args->strict || args->last_hop))
		die(BAD_ARGS, "--%s: nft rules cannot say it; add --backend iptables",
		    args->strict ? "strict" : "last-hop");
	if (args->backend == BACKEND_IPTABLES && args->vlan)
		die(BAD_ARGS, "--vlan: ebtables cannot see ports in tagged frames; leave --backend iptables out");
}

static void set_prefix(const struct args *args)
{
	static char text[PATH_MAX];

	if (!args->netns)
		return;
	snprintf(text, sizeof(text), "ip netns exec %s ", args->netns);
	prefix = text;
}

/* One step of up; 0 or failed */
static int up_step(const struct args *args, json_t *state, json_t *step)
{
	json_t *known = find(state, step), *other;
	bool there = step_there(step);

	if (there && !known) {
		/* It was there before, or is another bridge's, too. */
		other = shared(args->bridge, step);
		if (other && !args->dry_run) {
			json_array_append_new(json_object_get(state, "steps"), other);
			state_save(args->bridge, state);
		}
		return 0;
	}
	if (there)
		return 0;
	if (args->dry_run) {
		print(step, "do", "do_input");
		return 0;
	}
	if (!known) {
		json_array_append(json_object_get(state, "steps"), step);
		state_save(args->bridge, state);
	}
	return perform(step, "do", "do_input");
}

int cmd_up(struct args *args)
{
	json_t *config, *state, *plan, *step;
	size_t i;

	up_check(args);
	set_prefix(args);
	if (!args->dry_run)
		state_lock();

	config = configuration(args);
	state = state_load(args->bridge);
	if (state && (!json_is_true(json_object_get(state, "complete")) ||
		      !json_equal(json_object_get(state, "config"), config))) {
		if (undo_all(args->bridge, state, args->dry_run))
			die(FAILED, "bridge %s: what an earlier up left cannot be undone, see above; mend that, then: mackeep up %s",
			    args->bridge, args->bridge);
		json_decref(state);
		state = NULL;
	}
	if (!state)
		state = json_pack("{s:s, s:O, s:b, s:[]}", "version",
				  MACKEEP_VERSION, "config", config,
				  "complete", 0, "steps");

	plan = plan_make(args);
	json_array_foreach(plan, i, step) {
		if (!up_step(args, state, step))
			continue;
		undo_all(args->bridge, state, false);
		die(FAILED, "bridge %s: it is not up, and as it was before; mend what is above, then: mackeep up %s",
		    args->bridge, args->bridge);
	}
	if (!args->dry_run && !json_is_true(json_object_get(state, "complete"))) {
		json_object_set_new(state, "complete", json_true());
		state_save(args->bridge, state);
	}
	return DONE;
}

int cmd_down(struct args *args)
{
	json_t *state;

	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge? " DIRECTORY " has those that are up");
	set_prefix(args);
	if (!args->dry_run)
		state_lock();
	state = state_load(args->bridge);
	if (!state) {
		complain("bridge %s: nothing is up, %s is not there",
			 args->bridge, state_path(args->bridge, ".json"));
		return DONE;
	}
	if (undo_all(args->bridge, state, args->dry_run))
		die(FAILED, "bridge %s: some of it is left, see above; mend that, then: mackeep down %s",
		    args->bridge, args->bridge);
	return DONE;
}
