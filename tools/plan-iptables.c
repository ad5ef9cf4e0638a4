// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "plan-iptables.h"
#include "plan-text.h"
#include "step.h"
#include "text.h"

static void tproxy(FILE *file, const struct args *args, bool udp)
{
	const struct groups *groups = &args->groups;
	const struct group *group;
	const struct ports *ports;
	unsigned int i;

	for (group = groups->group; group < groups->group + groups->n; group++) {
		ports = &group->ports[udp];
		for (i = 0; i < ports->n; i++)
			fprintf(file, "-A %s -p %s --dport %u:%u -m addrtype ! --dst-type LOCAL -j TPROXY --on-port %u --tproxy-mark 0x%x\n",
				plan_name(args->bridge), group_proto[udp].name,
				ports->range[i].first, ports->range[i].last,
				group->to, args->fwmark);
	}
}

void plan_iptables_proxy(json_t *plan, const struct args *args, bool v6)
{
	const char *name = plan_name(args->bridge), *device = plan_device(args);
	json_t *options = policy_options(&args->policy), *word, *one;
	const char *iptables = v6 ? "ip6tables" : "iptables";
	struct text text;
	size_t i;
	int udp;

	fprintf(text_open(&text), "*mangle\n:%s - [0:0]\n", name);
	for (udp = 0; udp < 2; udp++) {
		if (!groups_have(&args->groups, udp))
			continue;
		fprintf(text.file, "-A %s -p %s -j MACKEEP", name,
			group_proto[udp].name);
		json_array_foreach(options, i, word) {
			fprintf(text.file, " %s", json_string_value(word));
		}
		fputc('\n', text.file);
	}
	json_decref(options);
	tproxy(text.file, args, true);
	fprintf(text.file, "-A %s -m socket --transparent -j MARK --set-mark 0x%x\n"
		"-A %s -m mark --mark 0x%x -j ACCEPT\n", name, args->fwmark,
		name, args->fwmark);
	tproxy(text.file, args, false);
	fputs("COMMIT\n", text.file);
	one = step_add(plan, WORDS(v6 ? "ip6tables-restore" : "iptables-restore",
				   "--noflush"),
		       WORDS(v6 ? "ip6tables-restore" : "iptables-restore",
			     "--noflush"),
		       WORDS(iptables, "-t", "mangle", "-S", name));
	json_text(one, "whole", "-j TPROXY ");
	text_close(&text, one, "do_input");

	fprintf(text_open(&text), "*mangle\n-F %s\n-X %s\nCOMMIT\n", name, name);
	text_close(&text, one, "undo_input");

	/* Apart from the chain: somebody may flush one of the two. */
	one = step_add(plan, WORDS(iptables, "-t", "mangle", "-A", "PREROUTING",
				   "-i", device, "-j", name),
		       WORDS(iptables, "-t", "mangle", "-D", "PREROUTING", "-i",
			     device, "-j", name),
		       WORDS(iptables, "-t", "mangle", "-S", "PREROUTING"));
	json_object_set_new(one, "expect",
			    json_sprintf("-i %s -j %s\n", device, name));
}

/* One rule: what of a protocol is for a range of ports */
static void lift(json_t *plan, const char *name, bool v6, bool udp,
		 unsigned int first, unsigned int last, uint32_t mark)
{
	const char *family = v6 ? "IPv6" : "IPv4";
	const char *proto = v6 ? "--ip6-proto" : "--ip-proto";
	const char *dport = v6 ? "--ip6-dport" : "--ip-dport";
	char range[16], expect[160];
	json_t *one;

	snprintf(range, sizeof(range), first == last ? "%u" : "%u:%u", first, last);
	one = step_add(plan, WORDS("ebtables", "-t", "nat", "-A", name, "-p",
				   family, proto, group_proto[udp].name, dport,
				   range, "-j", "mark", "--mark-set",
				   plan_number("0x%x", mark)),
		       WORDS("ebtables", "-t", "nat", "-F", name),
		       WORDS("ebtables", "-t", "nat", "-L", name));
	snprintf(expect, sizeof(expect), "-p %s %s %s %s %s ", family, proto,
		 group_proto[udp].name, dport, range);
	json_text(one, "expect", expect);
}

static void lift_group(json_t *plan, const char *name, const struct group *group,
		       bool v6)
{
	const struct ports *ports;
	unsigned int i;
	int udp;

	for (udp = 0; udp < 2; udp++) {
		ports = &group->ports[udp];
		for (i = 0; i < ports->n; i++)
			lift(plan, name, v6, udp, ports->range[i].first,
			     ports->range[i].last, group->mark);
	}
}

/* The call of the chain comes last, so that half of the rules lift nothing. */
void plan_ebtables_lift(json_t *plan, const struct args *args)
{
	const char *name = plan_name(args->bridge);
	const struct groups *groups = &args->groups;
	const struct group *group;
	char expect[64];
	json_t *one;

	step_add(plan, WORDS("ebtables", "-t", "nat", "-N", name, "-P", "RETURN"),
		 WORDS("ebtables", "-t", "nat", "-X", name),
		 WORDS("ebtables", "-t", "nat", "-L", name));
	for (group = groups->group; group < groups->group + groups->n; group++) {
		if (args->family != AF_INET6)
			lift_group(plan, name, group, false);
		if (args->family != AF_INET)
			lift_group(plan, name, group, true);
	}
	one = step_add(plan, WORDS("ebtables", "-t", "nat", "-A", "PREROUTING",
				   "--logical-in", args->bridge, "-j", name),
		       WORDS("ebtables", "-t", "nat", "-D", "PREROUTING",
			     "--logical-in", args->bridge, "-j", name),
		       WORDS("ebtables", "-t", "nat", "-L", "PREROUTING"));
	snprintf(expect, sizeof(expect), "-j %s", name);
	json_text(one, "expect", expect);
}
