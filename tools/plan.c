// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that lift frames off the bridge come last, so that nothing leaves it
 * before the rest is in place; undoing goes backwards.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "file.h"
#include "numbers.h"
#include "plan.h"
#include "plan-silence.h"
#include "run.h"
#include "say.h"
#include "step.h"
#include "text.h"

/* Text that grows */
struct text {
	char *text;
	size_t size;
	FILE *file;
};

/* The stream keeps pointers to the struct: do not copy it. */
static FILE *text_open(struct text *text)
{
	text->file = open_memstream(&text->text, &text->size);
	if (!text->file)
		out_of_memory();
	return text->file;
}

/* Closes the text; a step's command is to read it. */
static void text_close(struct text *text, json_t *step, const char *key)
{
	fclose(text->file);
	json_text(step, key, text->text);
	free(text->text);
}

/* The device that packets of the proxied flows come in by */
static const char *plan_device(const struct args *args)
{
	static char name[IF_NAMESIZE + 8];

	if (!args->vlan)
		return args->bridge;
	snprintf(name, sizeof(name), "%s.%u", args->bridge, args->vlan);
	if (strlen(name) >= IF_NAMESIZE)
		die(BAD_ARGS, "--vlan %u: the device %s would have too long a name; rename the bridge",
		    args->vlan, name);
	return name;
}

/* The name of our tables and chains */
static const char *plan_name(const struct args *args)
{
	static char name[IF_NAMESIZE + 16];
	char *c;

	snprintf(name, sizeof(name), "mackeep_%s", args->bridge);
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static const char *number(const char *format, unsigned int value)
{
	static char text[8][16];
	static unsigned int turn;
	char *s = text[turn++ % 8];

	snprintf(s, sizeof(text[0]), format, value);
	return s;
}

static void plan_up(json_t *plan, const char *device)
{
	step_add(plan, WORDS("ip", "link", "set", "dev", device, "up"),
		 WORDS("ip", "link", "set", "dev", device, "down"),
		 WORDS("ip", "-o", "link", "show", "dev", device, "up"));
}

static void plan_links(json_t *plan, const struct args *args)
{
	const char *device = plan_device(args);
	const char *id = number("%u", args->vlan);

	plan_up(plan, "lo");
	plan_up(plan, args->bridge);
	if (!args->vlan)
		return;
	step_add(plan, WORDS("ip", "link", "add", "link", args->bridge, "name",
			     device, "type", "vlan", "id", id),
		 WORDS("ip", "link", "del", "dev", device),
		 WORDS("ip", "-o", "link", "show", "dev", device));
	plan_up(plan, device);
}

/*
 * The kernel takes the larger rp_filter of "all" and the device: 2, which is
 * loose, wins over 1, which is strict.
 */
static void plan_sysctls(json_t *plan, const struct args *args)
{
	const char *device = plan_device(args);
	char key[128], all[8];

	snprintf(key, sizeof(key), "net/ipv4/conf/%s/rp_filter", device);
	file_line("/proc/sys/net/ipv4/conf/all/rp_filter", all, sizeof(all));
	step_sysctl(plan, key, strcmp(all, "0") ? "2" : "0",
		    args->vlan ? "0" : NULL);
	step_sysctl(plan, "net/bridge/bridge-nf-call-iptables", "0", NULL);
	if (args->ipv6) {
		step_sysctl(plan, "net/bridge/bridge-nf-call-ip6tables", "0",
			    NULL);
		snprintf(key, sizeof(key), "net/ipv6/conf/%s/disable_ipv6",
			 device);
		step_sysctl(plan, key, "0", args->vlan ? "0" : NULL);
	}
	if (args->backend == BACKEND_NFT)
		step_sysctl(plan, "net/netfilter/mackeep_hooks", "1", "0");
}

/* Lets 802.1X frames pass between the ports; other groups stay as they are. */
static void plan_eapol(json_t *plan, const struct args *args)
{
	json_t *links = RUN_JSON("ip", "-d", "-j", "link", "show", "dev",
				 args->bridge);
	json_t *info = json_object_get(json_array_get(links, 0), "linkinfo");
	const char *mask;
	char expect[48];
	unsigned int now;
	json_t *one;

	info = json_object_get(info, "info_data");
	mask = json_string_value(json_object_get(info, "group_fwd_mask"));
	now = mask ? strtoul(mask, NULL, 0) : 0;
	one = step_add(plan, WORDS("ip", "link", "set", "dev", args->bridge, "type",
				   "bridge", "group_fwd_mask",
				   number("0x%x", now | EAPOL)),
		       WORDS("ip", "link", "set", "dev", args->bridge, "type",
			     "bridge", "group_fwd_mask", number("0x%x", now)),
		       WORDS("ip", "-d", "-o", "link", "show", "dev",
			     args->bridge));
	snprintf(expect, sizeof(expect), "group_fwd_mask 0x%x ", now | EAPOL);
	json_text(one, "expect", expect);
	json_decref(links);
}

static void plan_routes(json_t *plan, const struct args *args, const char *ip)
{
	const char *device = plan_device(args);
	const char *mark = number("0x%x", args->fwmark);
	const char *table = number("%u", args->table);
	json_t *one;

	step_add(plan, WORDS("ip", ip, "rule", "add", "fwmark", mark, "lookup", table),
		 WORDS("ip", ip, "rule", "del", "fwmark", mark, "lookup", table),
		 WORDS("ip", ip, "rule", "show", "fwmark", mark, "lookup", table));
	one = step_add(plan, WORDS("ip", ip, "route", "add", "local", "default",
				   "dev", "lo", "table", table),
		       WORDS("ip", ip, "route", "del", "local", "default", "dev",
			     "lo", "table", table),
		       WORDS("ip", ip, "route", "show", "table", table));
	json_text(one, "expect", "local default dev lo");
	one = step_add(plan, WORDS("ip", ip, "route", "add", "default", "dev",
				   device, "metric", NUMBER_TEXT(METRIC)),
		       WORDS("ip", ip, "route", "del", "default", "dev", device,
			     "metric", NUMBER_TEXT(METRIC)),
		       WORDS("ip", ip, "route", "show", "default", "dev", device));
	json_text(one, "expect", "metric " NUMBER_TEXT(METRIC));
}

/* --- services -------------------------------------------------------------------- */

/* Flows that were there before up have this long to show themselves. */
#define SETTLE		30

static bool link_is_up(const char *device)
{
	struct result result = RUN("ip", "-o", "link", "show", "dev", device, "up");
	bool up = !result.status && *result.out;

	run_free(&result);
	return up;
}

static void plan_service(json_t *plan, const struct args *args, const char *proto,
			 unsigned int settle)
{
	const char *fail = args->fail == MACKEEP_FAIL_CLOSED ? "closed" : "open";
	const char *mark = number("0x%x", LIFT_MARK), *to = number("%u", args->to);
	json_t *one;

	one = step_add(plan, WORDS("mackeep", "services", "add", "--mark", mark,
				   "--proto", proto, "--to", to, "--fail", fail),
		       WORDS("mackeep", "services", "del", "--mark", mark,
			     "--proto", proto),
		       WORDS("mackeep", "services", "list", "--mark", mark,
			     "--proto", proto, "--to", to, "--fail", fail));
	if (settle)
		json_object_set_new(one, "do_more",
				    WORDS("--settle", number("%u", settle)));
}

/* Whether a connection of TCP began before them can be seen; of a flow of UDP not. */
static void plan_services(json_t *plan, const struct args *args)
{
	unsigned int settle = 0;

	if (args->settle >= 0)
		settle = args->settle;
	else if (args->fail != MACKEEP_FAIL_CLOSED && link_is_up(args->bridge))
		settle = SETTLE;
	if (args->tcp.n)
		plan_service(plan, args, "tcp", 0);
	if (args->udp.n)
		plan_service(plan, args, "udp", settle);
}

/* --- nft ------------------------------------------------------------------------- */

static void plan_nft(json_t *plan, const char *family, const char *name,
		     struct text *text)
{
	json_t *one = step_add(plan, WORDS("nft", "-f", "-"),
			       WORDS("nft", "delete", "table", family, name),
			       WORDS("nft", "list", "table", family, name));

	text_close(text, one, "do_input");
}

/* What is for an address of this machine is no traffic of others. */
static void nft_tproxy(FILE *file, const struct args *args, const char *proto,
		       const struct ports *ports)
{
	if (ports->n)
		fprintf(file, "\t\tiifname \"%s\" %s dport { %s } fib daddr type != local tproxy to :%u meta mark set 0x%x accept\n",
			plan_device(args), proto, ports_text(ports), args->to,
			args->fwmark);
}

/*
 * UDP goes to the proxy before sockets are asked: a socket that it answers from,
 * with the server's address, would take what the client sends next.
 */
static void plan_nft_rules(json_t *plan, const struct args *args,
			   const char *family)
{
	const struct { const char *name; const struct ports *ports; } protos[] = {
		{ "tcp", &args->tcp }, { "udp", &args->udp },
	};
	const char *name = plan_name(args), *device = plan_device(args);
	struct text text;
	int i;

	fprintf(text_open(&text), "table %s %s {\n", family, name);
	for (i = 0; i < 2; i++)
		if (protos[i].ports->n)
			fprintf(text.file, "\tct helper keep-%s { type \"mackeep\" protocol %s; }\n",
				protos[i].name, protos[i].name);
	fputs("\tchain proxy {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n",
	      text.file);
	for (i = 0; i < 2; i++)
		if (protos[i].ports->n)
			fprintf(text.file, "\t\tiifname \"%s\" meta l4proto %s ct helper set \"keep-%s\"\n",
				device, protos[i].name, protos[i].name);
	nft_tproxy(text.file, args, "udp", &args->udp);
	fprintf(text.file, "\t\tiifname \"%s\" meta l4proto { tcp, udp } socket transparent 1 meta mark set 0x%x accept\n",
		device, args->fwmark);
	nft_tproxy(text.file, args, "tcp", &args->tcp);
	fputs("\t}\n}\n", text.file);
	plan_nft(plan, family, name, &text);
}

static void plan_nft_lift(json_t *plan, const struct args *args)
{
	struct text text;
	char link[64];
	int families = args->ipv6 ? 2 : 1, v6, udp;

	fprintf(text_open(&text), "table bridge %s {\n\tchain lift {\n\t\ttype filter hook prerouting priority dstnat; policy accept;\n",
		plan_name(args));
	for (v6 = 0; v6 < families; v6++)
		for (udp = 0; udp < 2; udp++) {
			const struct ports *ports = udp ? &args->udp : &args->tcp;

			if (!ports->n)
				continue;
			if (args->vlan)
				snprintf(link, sizeof(link), "vlan id %u vlan type %s",
					 args->vlan, v6 ? "ip6" : "ip");
			else
				snprintf(link, sizeof(link), "ether type %s",
					 v6 ? "ip6" : "ip");
			fprintf(text.file, "\t\tmeta ibrname \"%s\" %s %s dport { %s } meta mark set 0x%x\n",
				args->bridge, link, udp ? "udp" : "tcp",
				ports_text(ports), LIFT_MARK);
		}
	fputs("\t}\n}\n", text.file);
	plan_nft(plan, "bridge", plan_name(args), &text);
}

/* --- iptables -------------------------------------------------------------------- */

static void iptables_tproxy(FILE *file, const struct args *args,
			    const char *proto, const struct ports *ports)
{
	unsigned int i;

	for (i = 0; i < ports->n; i++)
		fprintf(file, "-A %s -p %s --dport %u:%u -m addrtype ! --dst-type LOCAL -j TPROXY --on-port %u --tproxy-mark 0x%x\n",
			plan_name(args), proto, ports->range[i].first,
			ports->range[i].last, args->to, args->fwmark);
}

static void plan_iptables(json_t *plan, const struct args *args, bool v6)
{
	const char *name = plan_name(args), *device = plan_device(args);
	struct text text;
	json_t *one;
	int udp;

	fprintf(text_open(&text), "*mangle\n:%s - [0:0]\n", name);
	for (udp = 0; udp < 2; udp++)
		if ((udp ? &args->udp : &args->tcp)->n)
			fprintf(text.file, "-A %s -p %s -j MACKEEP%s%s\n", name,
				udp ? "udp" : "tcp",
				args->strict ? " --strict" : "",
				args->last_hop ? " --last-hop" : "");
	iptables_tproxy(text.file, args, "udp", &args->udp);
	fprintf(text.file, "-A %s -m socket --transparent -j MARK --set-mark 0x%x\n"
		"-A %s -m mark --mark 0x%x -j ACCEPT\n", name, args->fwmark,
		name, args->fwmark);
	iptables_tproxy(text.file, args, "tcp", &args->tcp);
	fprintf(text.file, "-A PREROUTING -i %s -j %s\nCOMMIT\n", device, name);
	one = step_add(plan, WORDS(v6 ? "ip6tables-restore" : "iptables-restore",
				   "--noflush"),
		       WORDS(v6 ? "ip6tables-restore" : "iptables-restore",
			     "--noflush"),
		       WORDS(v6 ? "ip6tables" : "iptables", "-t", "mangle", "-S",
			     name));
	text_close(&text, one, "do_input");

	fprintf(text_open(&text), "*mangle\n-D PREROUTING -i %s -j %s\n-F %s\n-X %s\nCOMMIT\n",
		device, name, name, name);
	text_close(&text, one, "undo_input");
}

/* The call of the chain comes last, so that half of the rules lift nothing. */
static void plan_ebtables(json_t *plan, const struct args *args)
{
	static const char *const option[2][3] = {
		{ "IPv4", "--ip-proto", "--ip-dport" },
		{ "IPv6", "--ip6-proto", "--ip6-dport" },
	};
	const char *name = plan_name(args), *mark = number("0x%x", LIFT_MARK);
	json_t *list = WORDS("ebtables", "-t", "nat", "-L", name);
	char range[16], expect[160];
	unsigned int i;
	json_t *one;
	int families = args->ipv6 ? 2 : 1, v6, udp;

	step_add(plan, WORDS("ebtables", "-t", "nat", "-N", name, "-P", "RETURN"),
		 WORDS("ebtables", "-t", "nat", "-X", name), json_incref(list));
	for (v6 = 0; v6 < families; v6++)
		for (udp = 0; udp < 2; udp++) {
			const struct ports *ports = udp ? &args->udp : &args->tcp;

			for (i = 0; i < ports->n; i++) {
				if (ports->range[i].first == ports->range[i].last)
					snprintf(range, sizeof(range), "%u",
						 ports->range[i].first);
				else
					snprintf(range, sizeof(range), "%u:%u",
						 ports->range[i].first,
						 ports->range[i].last);
				one = step_add(plan, WORDS("ebtables", "-t", "nat",
							   "-A", name, "-p",
							   option[v6][0],
							   option[v6][1],
							   udp ? "udp" : "tcp",
							   option[v6][2], range,
							   "-j", "mark",
							   "--mark-set", mark),
					       WORDS("ebtables", "-t", "nat", "-F",
						     name), json_incref(list));
				snprintf(expect, sizeof(expect),
					 "-p %s %s %s %s %s ", option[v6][0],
					 option[v6][1], udp ? "udp" : "tcp",
					 option[v6][2], range);
				json_text(one, "expect", expect);
			}
		}
	one = step_add(plan, WORDS("ebtables", "-t", "nat", "-A", "PREROUTING",
				   "--logical-in", args->bridge, "-j", name),
		       WORDS("ebtables", "-t", "nat", "-D", "PREROUTING",
			     "--logical-in", args->bridge, "-j", name),
		       WORDS("ebtables", "-t", "nat", "-L", "PREROUTING"));
	snprintf(expect, sizeof(expect), "-j %s", name);
	json_text(one, "expect", expect);
	json_decref(list);
}

/* The name of a unit's instance, as systemd-escape(1) has it */
static const char *escaped(const char *name)
{
	static char text[4 * IF_NAMESIZE];
	const char *c;
	int n = 0;

	for (c = name; *c; c++)
		n += sprintf(text + n, *c == '-' || (*c == '.' && c == name) ?
			     "\\x%02x" : "%c", *c);
	return text;
}

static void plan_follow_link(json_t *plan, const struct args *args)
{
	const char *bridge = args->bridge;
	char unit[4 * IF_NAMESIZE + 32];
	json_t *one;

	if (access("/run/systemd/system", F_OK) < 0 || args->netns)
		die(FAILED, "--follow-link: %s; leave it out, and keep this running instead: mackeep %s%s%sfollow-link %s",
		    args->netns ? "systemd does not work in namespaces" :
		    "there is no systemd to run it",
		    args->netns ? "-n " : "", args->netns ?: "",
		    args->netns ? " " : "", bridge);
	snprintf(unit, sizeof(unit), "mackeep-link@%s.service", escaped(bridge));
	one = step_add(plan, WORDS("systemctl", "start", unit),
		       WORDS("systemctl", "stop", unit),
		       WORDS("systemctl", "is-active", unit));
	json_text(one, "expect", "active");
}

/* With an address the bridge is a host, and heard anyway. */
static bool shall_be_silent(const struct args *args)
{
	struct own_address own;

	if (args->talk)
		return false;
	own = own_address(args->bridge);
	if (own.text && !own.learned) {
		note("bridge %s: it has the address %s and so talks with its own MAC; \"talk\" says that it shall",
		     args->bridge, own.text);
		free(own.text);
		return false;
	}
	if (own.text && !args->ipv6)
		note("bridge %s: it loses the address %s, which it took from a router; \"talk\" leaves it alone",
		     args->bridge, own.text);
	free(own.text);
	return true;
}

/* Before anything is changed */
void plan_check(const struct args *args)
{
	json_t *links, *ports;

	if (!if_nametoindex(args->bridge))
		die(FAILED, "bridge %s: no such device; make it: ip link add %s type bridge",
		    args->bridge, args->bridge);
	links = RUN_JSON("ip", "-d", "-j", "link", "show", "dev", args->bridge);
	if (!json_is(json_object_get(json_array_get(links, 0), "linkinfo"),
		     "info_kind", "bridge"))
		die(FAILED, "bridge %s: it is not a bridge; \"ip link show type bridge\" tells which there are",
		    args->bridge);
	json_decref(links);
	if (args->early || args->dry_run)
		return;
	ports = RUN_JSON("ip", "-j", "link", "show", "master", args->bridge);
	if (!json_array_size(ports))
		die(FAILED, "bridge %s: it has no ports; add one: ip link set dev PORT master %s; or say --early if they come later",
		    args->bridge, args->bridge);
	json_decref(ports);
}

json_t *plan_make(const struct args *args)
{
	json_t *plan = json_array(), *one;
	bool silent;

	silent = shall_be_silent(args);
	one = step_add(plan, WORDS("modprobe", "mackeep"), NULL, NULL);
	json_object_set_new(one, "module", json_true());
	if (silent)
		plan_silence(plan, args->bridge, args->ipv6 && !args->vlan);
	plan_links(plan, args);
	if (silent && args->vlan)
		plan_silence_upper(plan, plan_device(args), args->ipv6);
	plan_sysctls(plan, args);
	plan_eapol(plan, args);
	plan_routes(plan, args, "-4");
	if (args->ipv6)
		plan_routes(plan, args, "-6");
	if (args->backend == BACKEND_NFT) {
		plan_nft_rules(plan, args, "ip");
		if (args->ipv6)
			plan_nft_rules(plan, args, "ip6");
		plan_services(plan, args);
		plan_nft_lift(plan, args);
	} else {
		plan_iptables(plan, args, false);
		if (args->ipv6)
			plan_iptables(plan, args, true);
		plan_services(plan, args);
		plan_ebtables(plan, args);
	}
	if (args->follow_link)
		plan_follow_link(plan, args);
	return plan;
}
