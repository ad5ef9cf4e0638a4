// SPDX-License-Identifier: GPL-2.0-only
/* mackeep silence */
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "genl.h"
#include "guards.h"
#include "plan-silence.h"
#include "run.h"
#include "say.h"
#include "state.h"
#include "step.h"
#include "text.h"

#define CONFIGURATION	"/etc/mackeep/"

/* --- list ------------------------------------------------------------------------ */

struct listing {
	const struct args *args;
	unsigned int shown;
};

static bool wanted(const struct args *args, const char *name)
{
	char **device = args->devices;

	for (; *device; device++)
		if (!strcmp(*device, name))
			return true;
	return device == args->devices;
}

static void show(const struct guard *guard, void *data)
{
	struct listing *listing = data;
	char line[128];

	if (!wanted(listing->args, guard->name))
		return;
	listing->shown++;
	if (listing->args->out & OUT_JSON) {
		json_print(json_pack("{s:s, s:i, s:I, s:b}", "device", guard->name,
				     "ports", guard->ports, "dropped",
				     (json_int_t)guard->dropped, "whole",
				     guard->whole));
		return;
	}
	snprintf(line, sizeof(line), "%s ports=%u dropped=%llu%s", guard->name,
		 guard->ports, (unsigned long long)guard->dropped,
		 guard->whole ? "" : " bridge-only");
	print_line(line);
}

static int silence_list(const struct args *args)
{
	struct listing listing = { .args = args };

	if (args->out & OUT_JSON)
		json_begin();
	guards_each(show, &listing);
	if (args->out & OUT_JSON)
		json_end();
	note("%u guards have been shown.", listing.shown);
	return DONE;
}

/* --- add, del -------------------------------------------------------------------- */

/* Does what is not done already; how many steps failed. */
static int do_steps(json_t *plan)
{
	json_t *step;
	int failed = 0;
	size_t i;

	json_array_foreach(plan, i, step)
		if (!step_done(step) && step_run(step, "do"))
			failed++;
	json_decref(plan);
	return failed;
}

static int silence_add(const struct args *args)
{
	struct own_address own;
	json_t *plan = json_array();
	char **device;

	for (device = args->devices; *device; device++) {
		if (args->guard_only) {
			guards_add(*device);
			continue;
		}
		own = own_address(*device);
		if (own.text && !own.learned)
			die(FAILED, "%s: it has the address %s, and talks with its own MAC; take the address away first",
			    *device, own.text);
		free(own.text);
		plan_silence(plan, *device, args->family == AF_INET6);
	}
	return do_steps(plan) ? FAILED : DONE;
}

static int silence_del(const struct args *args)
{
	char **device;

	for (device = args->devices; *device; device++)
		guards_del(*device);
	return DONE;
}

/* --- udev ------------------------------------------------------------------------- */

/* What a file in /etc/mackeep says of silence */
struct config {
	char bridge[IF_NAMESIZE];
	char upper[2 * IF_NAMESIZE];	/* the VLAN device on it, or "" */
	char *ports;			/* separated by commas; NULL: none */
	bool talk;
	bool ipv6;
};

/* Errors in it are for "mackeep up" to tell. */
static bool config_read(struct config *config, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *word, *value, *save;
	const char *name = path + strlen(CONFIGURATION);
	unsigned int vlan = 0;
	size_t size = 0;

	memset(config, 0, sizeof(*config));
	config->ipv6 = true;
	if (!file)
		return false;
	snprintf(config->bridge, sizeof(config->bridge), "%.*s",
		 (int)(strlen(name) - strlen(".conf")), name);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "#")] = '\0';
		word = strtok_r(line, " \t\n", &save);
		value = word ? strtok_r(NULL, " \t\n", &save) : NULL;
		if (!word)
			continue;
		if (!strcmp(word, "talk"))
			config->talk = true;
		else if (!strcmp(word, "ipv4") ||
			 (value && !strcmp(word, "family") && !strcmp(value, "ipv4")))
			config->ipv6 = false;
		else if (value && !strcmp(word, "vlan") &&
			 !value[strspn(value, "0123456789")])
			vlan = strtoul(value, NULL, 10);
		else if (value && !strcmp(word, "bridge"))
			snprintf(config->bridge, sizeof(config->bridge), "%s",
				 value);
		else if (value && !strcmp(word, "ports") && !config->ports)
			config->ports = strdup(value);
	}
	free(line);
	fclose(file);
	if (vlan)
		snprintf(config->upper, sizeof(config->upper), "%s.%u",
			 config->bridge, vlan);
	return true;
}

static void guard(const char *name)
{
	if (!guards_have(name))
		guards_add(name);
}

/* All of them: the others come in a moment, and may be quicker than udev. */
static void udev_guard(const struct config *config)
{
	char *ports = strdup(config->ports), *word, *save;

	if (!ports)
		out_of_memory();
	guard(config->bridge);
	for (word = strtok_r(ports, ",", &save); word;
	     word = strtok_r(NULL, ",", &save))
		guard(word);
	free(ports);
}

static bool is_port_of(const struct config *config, const char *device)
{
	size_t len = strlen(device);
	const char *c = config->ports;

	for (; c; c = strchr(c, ','), c = c ? c + 1 : NULL)
		if (!strncmp(c, device, len) && (!c[len] || c[len] == ','))
			return true;
	return false;
}

static int udev_config(const struct config *config, const char *device)
{
	bool port = is_port_of(config, device);
	json_t *plan;
	struct module module;
	struct result result;

	if (!port && strcmp(device, config->bridge) &&
	    strcmp(device, config->upper))
		return 0;
	state_lock();
	if (!genl_module(&module)) {
		result = RUN("modprobe", "mackeep");
		if (result.status)
			complain("kernel module: %s", result.err);
		run_free(&result);
	}
	if (genl_module(&module))
		udev_guard(config);
	plan = json_array();
	if (port)
		plan_silence_port(plan, device);
	else
		plan_silence_upper(plan, device, config->ipv6 &&
				   (!*config->upper ||
				    !strcmp(device, config->upper)));
	return do_steps(plan);
}

/*
 * Only what has "ports" is for udev: whoever lists them wants them silent before
 * anybody has seen that the bridge has no address.
 */
static int silence_udev(const char *device)
{
	struct config config;
	int failed = 0;
	glob_t files;
	size_t i;

	/* udev has none. */
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 0);
	if (glob(CONFIGURATION "*.conf", 0, NULL, &files))
		return DONE;
	for (i = 0; i < files.gl_pathc; i++) {
		if (!config_read(&config, files.gl_pathv[i]))
			continue;
		if (config.ports && !config.talk)
			failed += udev_config(&config, device);
		free(config.ports);
	}
	globfree(&files);
	return failed ? FAILED : DONE;
}

int cmd_silence(struct args *args)
{
	const char *verb = args->verb ?: "list";

	if (args->udev)
		return silence_udev(args->udev);
	if (!strcmp(verb, "list"))
		return silence_list(args);
	if (strcmp(verb, "add") && strcmp(verb, "del"))
		die(BAD_ARGS, "silence %s: it is list, add or del", verb);
	if (!*args->devices)
		die(BAD_ARGS, "silence %s: which bridge or port? give its name", verb);
	return *verb == 'a' ? silence_add(args) : silence_del(args);
}
