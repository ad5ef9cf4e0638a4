// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "plan-nft.h"
#include "plan-text.h"
#include "step.h"
#include "tagged.h"
#include "text.h"

/* whole: not in a table that somebody has flushed */
static void plan_table(json_t *plan, const char *family, const char *name,
		       const char *whole, struct text *text)
{
	json_t *one = step_add(plan, WORDS("nft", "-f", "-"),
			       WORDS("nft", "delete", "table", family, name),
			       WORDS("nft", "list", "table", family, name));

	json_text(one, "whole", whole);
	text_close(text, one, "do_input");
}

/* What is for an address of this machine is no traffic of others. */
static void tproxy(FILE *file, const struct args *args, bool udp)
{
	const struct groups *groups = &args->groups;
	const struct group *group;

	for (group = groups->group; group < groups->group + groups->n; group++)
		if (group->ports[udp].n)
			fprintf(file, "\t\tiifname \"%s\" %s dport { %s } fib daddr type != local tproxy to :%u meta mark set 0x%x accept\n",
				plan_device(args), group_proto[udp].name,
				ports_text(&group->ports[udp]), group->to,
				args->fwmark);
}

/*
 * UDP goes to the proxy before sockets are asked: a socket that it answers from,
 * with the server's address, would take what the client sends next.
 */
void plan_nft_proxy(json_t *plan, const struct args *args, bool v6)
{
	const char *name = plan_name(args->bridge), *device = plan_device(args);
	const char *family = v6 ? "ip6" : "ip", *proto;
	struct text text;
	int i;

	fprintf(text_open(&text), "table %s %s {\n", family, name);
	for (i = 0; i < 2; i++) {
		proto = group_proto[i].name;
		if (groups_have(&args->groups, i))
			fprintf(text.file, "\tct helper keep-%s { type \"mackeep\" protocol %s; }\n",
				proto, proto);
	}
	fputs("\tchain proxy {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n",
	      text.file);
	for (i = 0; i < 2; i++) {
		proto = group_proto[i].name;
		if (groups_have(&args->groups, i))
			fprintf(text.file, "\t\tiifname \"%s\" meta l4proto %s ct helper set \"keep-%s\"\n",
				device, proto, proto);
	}
	tproxy(text.file, args, true);
	fprintf(text.file, "\t\tiifname \"%s\" meta l4proto { tcp, udp } socket transparent 1 meta mark set 0x%x accept\n",
		device, args->fwmark);
	tproxy(text.file, args, false);
	fputs("\t}\n}\n", text.file);
	plan_table(plan, family, name, " tproxy to ", &text);
}

/* The rules that lift what is for one proxy, of one family, and has such a header */
static void lift_link(FILE *file, const struct args *args,
		      const struct group *group, const char *link)
{
	int udp;

	for (udp = 0; udp < 2; udp++)
		if (group->ports[udp].n)
			fprintf(file, "\t\tmeta ibrname \"%s\" %s %s dport { %s } meta mark set 0x%x\n",
				args->bridge, link, group_proto[udp].name,
				ports_text(&group->ports[udp]), group->mark);
}

/* A frame's protocol is what comes behind its tag, of either kind, if it has one. */
static void lift(FILE *file, const struct args *args, const struct group *group,
		 bool v6)
{
	const struct vlans *vlans = &args->vlans;
	const char *type = v6 ? "ip6" : "ip";
	char link[PORTS_MAX * 13 + 64];

	if (vlans->all) {
		snprintf(link, sizeof(link), "meta protocol %s", type);
		lift_link(file, args, group, link);
		return;
	}
	if (args->vlan || vlans->ids.n) {
		snprintf(link, sizeof(link), "vlan id { %s } vlan type %s",
			 args->vlan ? plan_number("%u", args->vlan) :
				      ports_text(&vlans->ids), type);
		lift_link(file, args, group, link);
	}
	if (vlans->untagged || (!args->vlan && !vlans->ids.n)) {
		snprintf(link, sizeof(link), "ether type %s", type);
		lift_link(file, args, group, link);
	}
}

/* Notes the VLANs of tagged frames, but for those that are lifted */
static void notes(FILE *file, const struct args *args)
{
	char others[PORTS_MAX * 13 + 32] = "";

	if (args->vlans.all)
		return;
	if (args->vlans.ids.n)
		snprintf(others, sizeof(others), "vlan id != { %s } ",
			 ports_text(&args->vlans.ids));
	fprintf(file, "\t\tmeta ibrname \"%s\" ether type vlan %sjump passing\n",
		args->bridge, others);
}

void plan_nft_lift(json_t *plan, const struct args *args)
{
	const struct groups *groups = &args->groups;
	const char *name = plan_name(args->bridge);
	const struct group *group;
	struct text text;

	fprintf(text_open(&text), "table bridge %s {\n", name);
	tagged_chain(text.file, args);
	fputs("\tchain lift {\n\t\ttype filter hook prerouting priority dstnat; policy accept;\n",
	      text.file);
	for (group = groups->group; group < groups->group + groups->n; group++) {
		if (args->family != AF_INET6)
			lift(text.file, args, group, false);
		if (args->family != AF_INET)
			lift(text.file, args, group, true);
	}
	notes(text.file, args);
	fputs("\t}\n}\n", text.file);
	plan_table(plan, "bridge", name, " mark set ", &text);
}
