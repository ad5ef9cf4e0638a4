// SPDX-License-Identifier: GPL-2.0-only
/* mackeep up, mackeep down */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "args.h"
#include "bypass.h"
#include "commands.h"
#include "config.h"
#include "plan.h"
#include "say.h"
#include "state.h"
#include "step.h"
#include "steps.h"
#include "text.h"

static const char *prefix = "";		/* of commands that are printed */

/* Undoes a step, unless another bridge needs it. */
static int undo(const char *bridge, const json_t *step, bool dry_run)
{
	json_t *other;

	if (!json_object_get(step, "undo"))
		return 0;
	other = state_shared(bridge, step);
	if (other) {
		json_decref(other);
		return 0;
	}
	if (!step_begun(step))
		return 0;
	if (!dry_run)
		return step_run(step, "undo");
	step_print(step, "undo", prefix);
	return 0;
}

/* Backwards. A step that cannot be undone stays in the state. */
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
		state_remove(bridge);
	return failed;
}

static void up_check(struct args *args)
{
	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge is it for? give --bridge or the name of one that has a file in /etc/mackeep");
	groups_finish(&args->groups);
	if (args->family != AF_INET && access("/proc/sys/net/ipv6", F_OK) < 0) {
		if (args->family == AF_INET6)
			die(FAILED, "-6: this kernel runs without IPv6; boot it without ipv6.disable=1");
		note("this kernel runs without IPv6: clients that have it go past the proxy; -4 says that this is meant");
		args->family = AF_INET;
	}
	if (args->fail == MACKEEP_FAIL_CLOSED && args->settle > 0)
		die(BAD_ARGS, "--settle: with --fail closed nothing goes past the proxy meanwhile; leave one of the two out");
	policy_check(&args->policy);
	if (args->backend == BACKEND_IPTABLES &&
	    (args->vlan || vlans_given(&args->vlans)))
		die(BAD_ARGS, "--vlan: ebtables cannot see ports in tagged frames; leave --backend iptables out");
}

/* A namespace has one default policy, which all its flows without a rule are under. */
static void check_other(const char *bridge, json_t *state, void *data)
{
	const json_t *config = json_object_get(state, "config");
	struct policy theirs = policy_of_json(config);
	const struct args *args = data;

	if (!strcmp(bridge, args->bridge) ||
	    json_get_int(config, "backend") != BACKEND_NFT ||
	    policy_same(&theirs, &args->policy))
		return;
	die(FAILED, "bridge %s: bridge %s is up with other options, and by nft both have one default policy; give both the same, or --backend iptables (%s: %s; %s: %s)",
	    args->bridge, bridge, args->bridge, policy_line(&args->policy),
	    bridge, policy_line(&theirs));
}

/* The command line, for whoever has to tell how to set it up again */
static json_t *command_line(const struct args *args)
{
	json_t *line = WORDS("mackeep");
	char **word;

	for (word = args->words; *word; word++)
		json_array_append_new(line, json_string(*word));
	return line;
}

static void set_prefix(const struct args *args)
{
	static char text[PATH_MAX];

	if (!args->netns)
		return;
	snprintf(text, sizeof(text), "ip netns exec %s ", args->netns);
	prefix = text;
}

static void print_do(const json_t *step)
{
	step_print(step, "do", prefix);
}

int cmd_up(struct args *args)
{
	json_t *config, *state, *plan;

	up_check(args);
	set_prefix(args);
	if (!args->dry_run)
		state_lock();

	plan_check(args);
	if (args->backend == BACKEND_NFT)
		state_each(check_other, args);
	state = state_load(args->bridge);
	groups_mark(&args->groups, args->bridge, state);
	args->order = state_order(args->bridge);
	config = config_json(args);
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
	if (!args->dry_run)
		json_object_set_new(state, "words", command_line(args));

	plan = plan_make(args);
	if (args->dry_run)
		return steps_do(args->bridge, state, plan, print_do, true);
	if (steps_do(args->bridge, state, plan, NULL, false)) {
		undo_all(args->bridge, state, false);
		die(FAILED, "bridge %s: it is not up, and as it was before; mend what is above, then: mackeep up %s",
		    args->bridge, args->bridge);
	}
	json_object_set_new(state, "complete", json_true());
	state_save(args->bridge, state);
	if (args->rehearse)
		note("bridge %s: this is a rehearsal, nothing is lifted; \"mackeep services rehearsed\" tells what would be, up without --rehearse makes it real",
		     args->bridge);
	return DONE;
}

/* Returns the services as they were, or NULL when nothing is up. */
static json_t *drain(const char *bridge, unsigned int seconds)
{
	json_t *state = state_load(bridge), *services;

	if (!state)
		return NULL;
	services = bypass_services(state);
	bypass_set(services, true);
	bypass_drain(state, seconds);
	json_decref(state);
	return services;
}

int cmd_down(struct args *args)
{
	json_t *state, *drained = NULL;

	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge? " STATE_DIRECTORY " has those that are up");
	set_prefix(args);
	if (args->drain >= 0 && !args->dry_run)
		drained = drain(args->bridge, args->drain);
	if (!args->dry_run)
		state_lock();
	state = state_load(args->bridge);
	if (!state) {
		complain("bridge %s: nothing is up, %s is not there",
			 args->bridge, state_path(args->bridge));
		return DONE;
	}
	if (undo_all(args->bridge, state, args->dry_run))
		die(FAILED, "bridge %s: some of it is left, see above; mend that, then: mackeep down %s",
		    args->bridge, args->bridge);
	bypass_restore(drained);
	return DONE;
}
