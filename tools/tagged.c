// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <stdlib.h>

#include "tagged.h"
#include "text.h"

const char *tagged_table(const char *bridge)
{
	static char name[IF_NAMESIZE + 24];

	snprintf(name, sizeof(name), "mackeep_tagged_%s", bridge);
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
#define SET	"set vlans { typeof vlan id; size 4096; flags dynamic,timeout; timeout 1h; }"

char *tagged_rules(char *text, const char *bridge)
{
	char *rules;

	rules = format("table bridge %s { " SET "; chain passing { type filter hook prerouting priority -299; policy accept; %s}; }",
		       tagged_table(bridge), text ?: "");
	free(text);
	return rules;
}

void tagged_chain(FILE *file, const struct args *args)
{
	const struct group *group = args->groups.group;
	char *rules = NULL;
	int udp;

	for (; group < args->groups.group + args->groups.n; group++)
		for (udp = 0; udp < 2; udp++)
			tagged_rule(&rules, args->bridge, group_proto[udp].name,
				    &group->ports[udp]);
	fprintf(file, "\t" SET "\n\tchain passing {\n\t\t%s\n\t}\n", rules ?: "");
	free(rules);
}
