// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep exempt. The truth is the bridge's file in /etc/mackeep. What of it the
 * kernel has is in /run/mackeep, so that a change of one line is one for nft as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "exempt-nft.h"
#include "exemption.h"
#include "say.h"
#include "state.h"
#include "text.h"

/* Not the lock of the state: up, which has that one, runs "exempt load". */
static void lock(void)
{
	int fd;

	mkdir(STATE_DIRECTORY, 0755);
	fd = open(STATE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		die(FAILED, STATE_DIRECTORY ": %s; run it as root", strerror(errno));
}

/* The table is up's to make, so that down knows of it. */
static void not_up(const char *bridge)
{
	json_t *state = state_load(bridge);

	if (!state)
		note("bridge %s: it is not up; the file is used when it is", bridge);
	else if (json_is_true(json_object_get(state, "complete")))
		die(FAILED, "bridge %s: nft has no table for exemptions; the file is written, so see that nft works, then: mackeep up %s",
		    bridge, bridge);
	json_decref(state);
}

/* Tells the kernel. make: also if there is no table yet. */
static void apply(const char *bridge, const struct exemptions *now, bool make)
{
	bool there = exempt_table_there(bridge);
	const char *loaded = state_file(bridge, ".exempt");
	struct exemptions before;

	if (!there && !make) {
		not_up(bridge);
		return;
	}
	exemptions_read(&before, loaded, false);
	exempt_table_set(bridge, there && !access(loaded, F_OK) ? &before : NULL, now);
	exemptions_write(now, loaded);
}

static bool key_of(const struct args *args, struct exemption_key *key)
{
	const struct exempt *exempt = &args->exempt;

	memset(key, 0, sizeof(*key));
	if (exempt->src)
		exemption_take(key, "--", "src", exempt->src);
	if (exempt->dst)
		exemption_take(key, "--", "dst", exempt->dst);
	if (exempt->mac)
		exemption_take(key, "--", "mac", exempt->mac);
	return exemption_says(key);
}

static int exempt_add(const struct args *args, const struct exemption_key *key)
{
	const char *comment = args->exempt.comment;
	const char *path = exemptions_path(args->bridge);
	struct exemptions all;
	struct exemption *old;

	exemptions_read(&all, path, false);
	old = exemptions_find(&all, key);
	if (old && !comment)
		note("%s: it is exempt already", exemption_text(key, NULL));
	else if (old)
		old->text = exemption_text(key, comment);
	else
		exemptions_add(&all, key, exemption_text(key, comment));
	exemptions_write(&all, path);
	apply(args->bridge, &all, false);
	return DONE;
}

static int exempt_del(const struct args *args, const struct exemption_key *key)
{
	const char *path = exemptions_path(args->bridge);
	struct exemptions all;

	exemptions_read(&all, path, false);
	if (!exemptions_del(&all, key))
		die(FAILED, "%s: it is not in %s; \"mackeep exempt list %s\" tells what is",
		    exemption_text(key, NULL), path, args->bridge);
	exemptions_write(&all, path);
	apply(args->bridge, &all, false);
	return DONE;
}

/* Without a file: what is in the bridge's own */
static int exempt_load(const struct args *args)
{
	const char *path = exemptions_path(args->bridge);
	const char *file = args->exempt.file;
	struct exemptions all;

	if (!file && !if_nametoindex(args->bridge))
		die(FAILED, "bridge %s: no such device; \"ip link show type bridge\" tells which there are",
		    args->bridge);
	exemptions_read(&all, file ?: path, file);
	if (file)
		exemptions_write(&all, path);
	apply(args->bridge, &all, !file);
	return DONE;
}

/* A key that says nothing stands for all. */
static int exempt_list(const struct args *args, const struct exemption_key *key)
{
	struct exemptions all;
	size_t i, n = 0;

	exemptions_read(&all, exemptions_path(args->bridge), false);
	if (args->out & OUT_JSON)
		json_begin();
	for (i = 0; i < all.n; i++) {
		if (!exemption_says(&all.one[i].key) ||
		    (exemption_says(key) &&
		     memcmp(&all.one[i].key, key, sizeof(*key))))
			continue;
		n++;
		if (args->out & OUT_JSON)
			json_print(exemption_json(&all.one[i]));
		else
			puts(all.one[i].text);
	}
	if (args->out & OUT_JSON)
		json_end();
	note("%zu exemptions have been shown.", n);
	return DONE;
}

int cmd_exempt(struct args *args)
{
	struct exemption_key key;
	const char *verb = args->verb ?: "";
	bool some = key_of(args, &key), load = !strcmp(verb, "load");
	bool list = !strcmp(verb, "list"), add = !strcmp(verb, "add");

	if (!add && !list && !load && strcmp(verb, "del"))
		die(BAD_ARGS, "exempt %s: it is add, del, list or load", verb);
	if (!args->bridge)
		die(BAD_ARGS, "exempt %s: on which bridge? give its name", verb);
	if (!some && !list && !load)
		die(BAD_ARGS, "exempt %s: who is it? give --src, --dst or --mac", verb);
	if (some && load)
		die(BAD_ARGS, "exempt load: it takes all from a file; for one say add");
	if (args->exempt.file && !load)
		die(BAD_ARGS, "exempt %s %s: only load takes a file", verb,
		    args->exempt.file);
	if (args->exempt.comment && !add)
		die(BAD_ARGS, "--comment: only for exempt add");
	if (args->exempt.comment && strpbrk(args->exempt.comment, "\n\r"))
		die(BAD_ARGS, "--comment: it is one line");
	if (list)
		return exempt_list(args, &key);
	lock();
	return load ? exempt_load(args) : add ? exempt_add(args, &key) :
						exempt_del(args, &key);
}
