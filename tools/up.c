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
#include "plan.h"
#include "say.h"
#include "state.h"
#include "step.h"
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

static json_t *configuration(const struct args *args)
{
	json_t *config = json_pack("{s:o, s:i, s:b, s:b, s:i, s:i, s:i, s:i, s:b, s:b}",
				   "services", groups_json(&args->groups),
				   "vlan", args->vlan,
				   "ipv4", args->family != AF_INET6,
				   "ipv6", args->family != AF_INET,
				   "backend", args->backend,
				   "fwmark", args->fwmark, "table", args->table,
				   "order", args->order,
				   "strict", args->strict,
				   "last_hop", args->last_hop);

	/* Only what is said: the files of older versions have none. */
	if (args->fail == MACKEEP_FAIL_CLOSED)
		json_text(config, "fail", "closed");
	if (args->talk)
		json_object_set_new(config, "talk", json_true());
	if (args->follow_link)
		json_object_set_new(config, "follow_link", json_true());
	return config;
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

/* Does step i of up, unless it is done; 0, or it has failed */
static int up_step(const struct args *args, json_t *state, const json_t *plan,
		   size_t i)
{
	json_t *step = json_array_get(plan, i);
	json_t *known = state_find(state, step), *other;
	bool there = step_done(step);

	if (there && !known) {
		/* It was there before; another bridge may have done it. */
		other = state_shared(args->bridge, step);
		if (other && !args->dry_run) {
			state_add(state, other, plan, i);
			state_save(args->bridge, state);
		}
		return 0;
	}
	if (there)
		return 0;
	if (args->dry_run) {
		step_print(step, "do", prefix);
		return 0;
	}
	if (!known) {
		state_add(state, json_incref(step), plan, i);
		state_save(args->bridge, state);
	}
	return step_run(step, "do");
}

int cmd_up(struct args *args)
{
	json_t *config, *state, *plan;
	size_t i;

	up_check(args);
	set_prefix(args);
	if (!args->dry_run)
		state_lock();

	plan_check(args);
	state = state_load(args->bridge);
	groups_mark(&args->groups, args->bridge, state);
	args->order = state_order(args->bridge);
	config = configuration(args);
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
	for (i = 0; i < json_array_size(plan); i++) {
		if (!up_step(args, state, plan, i))
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
