// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numbers.h"
#include "say.h"
#include "state.h"
#include "step.h"
#include "text.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE	71
#endif

/* Linux has cookies since 5.14; the inode stands in before that. */
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

const char *namespace_name(void)
{
	static char name[NAME_MAX + 2];
	DIR *dir = opendir("/run/netns");
	struct stat ours, other;
	struct dirent *entry;
	bool found = false;

	if (!*namespace_suffix() || !dir || stat("/proc/self/ns/net", &ours) < 0)
		goto out;
	while (!found && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "@%s", entry->d_name);
		found = !fstatat(dirfd(dir), entry->d_name, &other, 0) &&
			other.st_ino == ours.st_ino && other.st_dev == ours.st_dev;
	}
out:
	if (dir)
		closedir(dir);
	return found ? name : namespace_suffix();
}

const char *state_file(const char *bridge, const char *end)
{
	static char path[2][PATH_MAX];
	static int turn;
	char *s = path[turn++ % 2];

	snprintf(s, PATH_MAX, STATE_DIRECTORY "/%s%s%s", bridge, namespace_suffix(), end);
	return s;
}

int state_open(const char *path)
{
	int fd;

	if (mkdir(STATE_DIRECTORY, 0755) < 0 && errno != EEXIST)
		die(FAILED, STATE_DIRECTORY ": %s; run it as root", strerror(errno));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		die(FAILED, "%s: %s; run it as root", path, strerror(errno));
	return fd;
}

void state_lock(void)
{
	static const char path[] = STATE_DIRECTORY "/lock";
	static bool locked;

	if (!locked && flock(state_open(path), LOCK_EX) < 0)
		die(FAILED, "%s: %s; try again", path, strerror(errno));
	locked = true;
}

/* Files of versions before 0.10.0 have one service, and are of the first bridge. */
static void state_renew(json_t *config)
{
	json_t *service;

	if (!config || json_object_get(config, "services"))
		return;
	service = json_pack("{s:O, s:i, s:O, s:O}",
			    "to", json_object_get(config, "to"), "mark", LIFT_MARK,
			    "tcp", json_object_get(config, "tcp"),
			    "udp", json_object_get(config, "udp"));
	json_object_set_new(config, "services", json_pack("[o]", service));
	json_object_set_new(config, "ipv4", json_true());
	json_object_set_new(config, "order", json_integer(0));
	json_object_del(config, "to");
	json_object_del(config, "tcp");
	json_object_del(config, "udp");
}

json_t *state_load(const char *bridge)
{
	const char *path = state_file(bridge, ".json");
	json_error_t error;
	json_t *state;

	if (access(path, F_OK) < 0)
		return NULL;
	state = json_load_file(path, 0, &error);
	if (!state || !json_is_array(json_object_get(state, "steps")))
		die(FAILED, "%s: it is damaged: %s; undo what is up by hand and remove the file",
		    path, state ? "no steps" : error.text);
	state_renew(json_object_get(state, "config"));
	return state;
}

json_t *state_services(const json_t *state)
{
	return json_object_get(json_object_get(state, "config"), "services");
}

const char *state_path(const char *bridge)
{
	return state_file(bridge, ".json");
}

/* By rename(): the file is whole or as it was before. */
void state_save(const char *bridge, const json_t *state)
{
	const char *path = state_file(bridge, ".json");
	const char *new = state_file(bridge, ".new");
	FILE *file = fopen(new, "w");

	if (!file || json_dumpf(state, file, JSON_INDENT(1)) < 0 ||
	    fflush(file) || fsync(fileno(file)) < 0 || fclose(file) ||
	    rename(new, path) < 0)
		die(FAILED, "%s: %s; what is up so far is undone by: mackeep down %s",
		    path, strerror(errno), bridge);
}

void state_remove(const char *bridge)
{
	unlink(state_file(bridge, ".json"));
	unlink(state_file(bridge, ".exempt"));
}

void state_each(void (*each)(const char *, json_t *, void *), void *data)
{
	const char *suffix = namespace_suffix();
	DIR *dir = opendir(STATE_DIRECTORY);
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

struct orders {
	const char *bridge;
	int own;			/* -1: none */
	bool taken[LIFT_SLOTS];		/* by others */
};

static void order_of(const char *bridge, json_t *state, void *data)
{
	json_int_t order = json_get_int(json_object_get(state, "config"), "order");
	struct orders *orders = data;

	if (!strcmp(bridge, orders->bridge))
		orders->own = order;
	else if (order >= 0 && order < LIFT_SLOTS)
		orders->taken[order] = true;
}

unsigned int state_order(const char *bridge)
{
	struct orders orders = { .bridge = bridge, .own = -1 };
	unsigned int order = 0;

	state_each(order_of, &orders);
	if (orders.own >= 0)
		return orders.own;
	while (order < LIFT_SLOTS && orders.taken[order])
		order++;
	return order;
}

/* Where the step is in a state, or how many there are */
static size_t position(const json_t *state, const json_t *step)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(state, "steps"), i, other)
		if (step_same(step, other))
			break;
	return i;
}

void state_add(json_t *state, json_t *step, const json_t *plan, size_t i)
{
	json_t *steps = json_object_get(state, "steps");
	size_t n = json_array_size(steps), at = n;

	while (at == n && ++i < json_array_size(plan))
		at = position(state, json_array_get(plan, i));
	json_array_insert_new(steps, at, step);
}

json_t *state_find(const json_t *state, const json_t *step)
{
	return json_array_get(json_object_get(state, "steps"),
			      position(state, step));
}

struct search {
	const char *besides;		/* this bridge */
	const json_t *step;
	json_t *found;
};

static void search_one(const char *bridge, json_t *state, void *data)
{
	struct search *search = data;
	json_t *found;

	if (!strcmp(bridge, search->besides) || search->found)
		return;
	found = state_find(state, search->step);
	if (found)
		search->found = json_incref(found);
}

json_t *state_shared(const char *bridge, const json_t *step)
{
	struct search search = { bridge, step, NULL };

	state_each(search_one, &search);
	return search.found;
}
