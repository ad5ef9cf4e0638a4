// SPDX-License-Identifier: GPL-2.0-only
/* Findings about firewalls of this machine: input-drop, forward-drop. */
#include "checks.h"
#include "finding.h"
#include "firewall.h"
#include "text.h"

static void input_of(const struct probe *probe, const struct tproxy *one,
		     struct walls *walls)
{
	struct traffic traffic = {
		.family = one->family,
		.proto = one->proto,
		.ports = &one->dports,
		.device = one->device,
		.mark = one->mark,
		.mask = one->mask,
	};
	unsigned int i;

	/* A packet without a mark is not routed to this machine, see "policy". */
	if (!one->mark)
		return;
	for (i = 0; i < probe->bridges; i++) {
		traffic.bridge = probe->bridge[i].name;
		if (!*one->device)
			traffic.device = traffic.bridge;
		firewall_frames(probe, &traffic, walls);
		firewall_input(probe, &traffic, walls);
	}
}

static void check_input(const struct probe *probe)
{
	struct walls walls = { 0 };
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++)
		input_of(probe, &probe->tproxy[i], &walls);
	for (i = 0; i < walls.n; i++)
		found(BROKEN, "input-drop", walls.wall[i].text,
		      walls.wall[i].mend);
}

/* One that drops nothing yet may be meant to. */
static void check_bridged(const struct probe *probe)
{
	struct walls walls = { 0 };
	struct wall *wall;
	unsigned int i;

	for (i = 0; i < probe->bridges; i++) {
		firewall_forward(probe, probe->bridge[i].name, AF_INET, &walls);
		firewall_forward(probe, probe->bridge[i].name, AF_INET6, &walls);
	}
	for (wall = walls.wall; wall < walls.wall + walls.n; wall++)
		if (wall->now)
			found(BROKEN, "forward-drop", wall->text, wall->mend);
		else
			found(DOUBTFUL, "forward-drop", wall->text, wall->mend);
}

void check_firewall(const struct probe *probe)
{
	check_input(probe);
	check_bridged(probe);
}
