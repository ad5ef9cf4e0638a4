// SPDX-License-Identifier: GPL-2.0-only
/* mackeep bypass */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "bypass.h"
#include "commands.h"
#include "say.h"
#include "services.h"
#include "session.h"
#include "state.h"
#include "text.h"

static unsigned long left(const json_t *state)
{
	unsigned long sum = 0;
	struct ports ports;
	json_t *one;
	int udp;
	size_t i;

	json_array_foreach(state_services(state), i, one)
		for (udp = 0; udp < 2; udp++) {
			ports = group_ports(one, udp);
			if (ports.n)
				sum += session_count(group_proto[udp].number,
						     &ports);
		}
	return sum;
}

/* What the state has of a service of the module; NULL: it is not of this bridge. */
static const json_t *group_of(const json_t *state, const json_t *service)
{
	bool udp = json_get_int(service, "proto") == IPPROTO_UDP;
	const json_t *one;
	size_t i;

	json_array_foreach(state_services(state), i, one)
		if (json_get_int(one, "mark") == json_get_int(service, "mark") &&
		    group_ports(one, udp).n)
			return one;
	return NULL;
}

json_t *bypass_services(const json_t *state)
{
	json_t *all = services_read(), *ours = json_array(), *one;
	size_t i;

	json_array_foreach(all, i, one)
		if (group_of(state, one))
			json_array_append(ours, one);
	json_decref(all);
	return ours;
}

void bypass_restore(const json_t *services)
{
	json_t *all, *one, *other;
	size_t i, j;

	if (!json_array_size(services))
		return;
	all = services_read();
	json_array_foreach(services, i, one) {
		json_array_foreach(all, j, other)
			if (services_same(one, other))
				services_bypass(one, json_get_int(one, "bypass"));
	}
	json_decref(all);
}

void bypass_set(const json_t *services, bool bypass)
{
	json_t *one;
	size_t i;

	json_array_foreach(services, i, one) {
		services_bypass(one, bypass);
	}
}

unsigned long bypass_drain(const json_t *state, unsigned int seconds)
{
	unsigned long n;

	for (;; seconds--) {
		n = left(state);
		if (!n || !seconds)
			break;
		note("%lu proxied connections are left; waiting %u s more.", n,
		     seconds);
		sleep(1);
	}
	note("%lu proxied connections are left.", n);
	return n;
}

static void status(const json_t *state, const json_t *services)
{
	const struct proto *proto;
	struct ports ports;
	json_t *one;
	size_t i;
	bool udp;

	json_array_foreach(services, i, one) {
		udp = json_get_int(one, "proto") == IPPROTO_UDP;
		proto = &group_proto[udp];
		ports = group_ports(group_of(state, one), udp);
		printf("%s to=%d mark=0x%x ipv4=%s ipv6=%s left=%lu\n",
		       proto->name, (int)json_get_int(one, "port"),
		       (unsigned int)json_get_int(one, "mark"),
		       json_get_text(one, "ipv4"), json_get_text(one, "ipv6"),
		       session_count(proto->number, &ports));
	}
}

int cmd_bypass(struct args *args)
{
	const char *verb = args->verb ?: "status";
	json_t *state, *services;

	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge? " STATE_DIRECTORY " has those that are up");
	if (strcmp(verb, "on") && strcmp(verb, "off") && strcmp(verb, "status"))
		die(BAD_ARGS, "%s: it is on, off or status", verb);
	if (args->drain >= 0 && strcmp(verb, "on"))
		die(BAD_ARGS, "--drain: it is for on; %s waits for nothing", verb);
	state = state_load(args->bridge);
	if (!state)
		die(FAILED, "bridge %s: it is not up, %s is not there; set it up: mackeep up %s",
		    args->bridge, state_path(args->bridge), args->bridge);
	services = bypass_services(state);
	if (!json_array_size(services))
		die(FAILED, "bridge %s: its services are not there; make them: mackeep up %s",
		    args->bridge, args->bridge);
	if (!strcmp(verb, "status"))
		status(state, services);
	else
		bypass_set(services, verb[1] == 'n');
	if (args->drain >= 0 && bypass_drain(state, args->drain))
		return FAILED;
	return DONE;
}
