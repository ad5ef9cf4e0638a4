// SPDX-License-Identifier: GPL-2.0-only
#include "firewall.h"
#include "plan-firewall.h"
#include "plan-text.h"
#include "say.h"
#include "step.h"
#include "text.h"

static void plan_wall(json_t *plan, const struct wall *wall)
{
	json_t *one = step_add(plan, json_incref(wall->todo),
			       json_incref(wall->undo), json_incref(wall->test));

	json_text(one, "expect", wall->expect);
}

static void walls_of(const struct probe *probe, const struct args *args,
		     const struct group *group, bool udp, struct walls *walls)
{
	static const int family[] = { AF_INET, AF_INET6 };
	struct traffic traffic = {
		.proto = group_proto[udp].number,
		.ports = &group->ports[udp],
		.bridge = args->bridge,
		.device = plan_device(args),
		.mark = args->fwmark,
		.mask = UINT32_MAX,
	};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (args->family == family[!i])
			continue;
		traffic.family = family[i];
		firewall_frames(probe, &traffic, walls);
		firewall_input(probe, &traffic, walls);
	}
}

void plan_firewall(json_t *plan, const struct args *args)
{
	const struct group *group = args->groups.group;
	struct walls walls = { 0 };
	struct probe probe;
	struct wall *wall;
	int udp;

	probe_make(&probe, args->bridge);
	for (; group < args->groups.group + args->groups.n; group++)
		for (udp = 0; udp < 2; udp++)
			if (group->ports[udp].n)
				walls_of(&probe, args, group, udp, &walls);
	/* Where br_netfilter is loaded, up turns off what it does. */
	if (probe_sysctl("net/bridge/bridge-nf-call-iptables") < 0) {
		firewall_forward(&probe, args->bridge, AF_INET, &walls);
		firewall_forward(&probe, args->bridge, AF_INET6, &walls);
	}
	for (wall = walls.wall; wall < walls.wall + walls.n; wall++)
		if (args->firewall && wall->todo)
			plan_wall(plan, wall);
		else
			note("bridge %s: %s; %s%s", args->bridge, wall->text,
			     wall->todo ? "\"firewall\" lets it pass, or: " : "",
			     wall->mend);
}
