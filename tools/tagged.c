// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "step.h"
#include "tagged.h"
#include "text.h"

const char *tagged_table(const char *bridge)
{
	static char name[IF_NAMESIZE + 24];

	snprintf(name, sizeof(name), "mackeep-tagged-%s", bridge);
	return name;
}

void tagged_rule(char **text, const char *bridge, const char *proto,
		 const struct ports *ports)
{
	char *more;

	if (!ports->n)
		return;
	more = format("%smeta ibrname \"%s\" ether type vlan %s dport { %s } update @vlans { vlan id }; ",
		      *text ?: "", bridge, proto, ports_text(ports));
	free(*text);
	*text = more;
}

/* A VLAN that shows nothing for an hour is forgotten. */
char *tagged_rules(char *text, const char *bridge)
{
	char *rules;

	rules = format("table bridge %s { set vlans { typeof vlan id; size 4096; flags dynamic,timeout; timeout 1h; }; chain passing { type filter hook prerouting priority -299; policy accept; %s}; }",
		       tagged_table(bridge), text ?: "");
	free(text);
	return rules;
}

void plan_tagged(json_t *plan, const struct args *args)
{
	const struct group *group = args->groups.group;
	const char *table = tagged_table(args->bridge);
	char *rules = NULL;
	int udp;

	/* ebtables cannot see ports in tagged frames. */
	if (args->backend != BACKEND_NFT)
		return;
	for (; group < args->groups.group + args->groups.n; group++)
		for (udp = 0; udp < 2; udp++)
			tagged_rule(&rules, args->bridge, group_proto[udp].name,
				    &group->ports[udp]);
	rules = tagged_rules(rules, args->bridge);
	step_add(plan, WORDS("nft", rules),
		 WORDS("nft", "delete", "table", "bridge", table),
		 WORDS("nft", "list", "table", "bridge", table));
	free(rules);
}
