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

#include "exempt-nft.h"
#include "file.h"
#include "numbers.h"
#include "plan.h"
#include "plan-firewall.h"
#include "plan-iptables.h"
#include "plan-nft.h"
#include "plan-silence.h"
#include "plan-text.h"
#include "plan-vlan.h"
#include "policy.h"
#include "run.h"
#include "say.h"
#include "state.h"
#include "step.h"
#include "text.h"

static void plan_vlan(json_t *plan, const struct args *args)
{
	const char *device = plan_device(args);
	const char *id = plan_number("%u", args->vlan);

	step_add(plan, WORDS("ip", "link", "add", "link", args->bridge, "name",
			     device, "type", "vlan", "id", id),
		 WORDS("ip", "link", "del", "dev", device),
		 WORDS("ip", "-o", "link", "show", "dev", device));
}

static void plan_up(json_t *plan, const char *device)
{
	step_add(plan, WORDS("ip", "link", "set", "dev", device, "up"),
		 WORDS("ip", "link", "set", "dev", device, "down"),
		 WORDS("ip", "-o", "link", "show", "dev", device, "up"));
}

static void plan_links(json_t *plan, const struct args *args)
{
	plan_up(plan, "lo");
	plan_up(plan, args->bridge);
	if (!args->vlan)
		return;
	plan_vlan(plan, args);
	plan_up(plan, plan_device(args));
}

/* Whether the module's default is not enough */
static bool many_marks(const struct groups *groups)
{
	unsigned int i;

	for (i = 0; i < groups->n; i++)
		if (groups->group[i].mark != LIFT_MARK)
			return true;
	return false;
}

static void plan_marks(json_t *plan, const struct args *args)
{
	if (many_marks(&args->groups))
		step_sysctl(plan, "net/netfilter/mackeep_lift_mark",
			    LIFT_MARKS, NUMBER_TEXT(LIFT_MARK));
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
	if (args->family != AF_INET) {
		/* The local route needs it there. */
		step_sysctl(plan, "net/ipv6/conf/lo/disable_ipv6", "0", NULL);
		step_sysctl(plan, "net/bridge/bridge-nf-call-ip6tables", "0",
			    NULL);
		snprintf(key, sizeof(key), "net/ipv6/conf/%s/disable_ipv6",
			 device);
		step_sysctl(plan, key, "0", args->vlan ? "0" : NULL);
	}
	if (args->backend == BACKEND_NFT)
		step_sysctl(plan, "net/netfilter/mackeep_hooks", "1", "0");
	plan_marks(plan, args);
	step_sysctl(plan, "net/netfilter/mackeep_steer", "1", "0");
	if (vlans_given(&args->vlans))
		step_sysctl(plan, "net/netfilter/mackeep_lift_vlan", "1", "0");
}

/*
 * Programs that ask for MACs by SIOCGARP, as Squid does, ask for each device that has
 * an address. One of scope host is only for that: nothing is sent from it, it answers
 * to nobody, and the bridge is silent as before.
 */
static void plan_feed(json_t *plan, const struct args *args)
{
	const char *device = plan_device(args);
	json_t *one;

	step_sysctl(plan, "net/netfilter/mackeep_feed_neigh", "1", "0");
	if (args->family == AF_INET6)
		return;
	one = step_add(plan, WORDS("ip", "address", "add", FEED_ADDRESS, "dev", device,
				   "scope", "host"),
		       WORDS("ip", "address", "del", FEED_ADDRESS, "dev", device),
		       WORDS("ip", "-4", "-o", "address", "show", "dev", device));
	json_text(one, "expect", FEED_ADDRESS);
}

/*
 * In front of the rules that lift, so that nobody who is exempt is lifted. Without
 * nft the rules of iptables work, but nobody can be exempt.
 */
static void plan_exempt(json_t *plan, const struct args *args)
{
	const char *table = exempt_table(args->bridge);
	struct result nft = RUN("nft", "list", "tables", "bridge");
	char expect[80];
	json_t *one;

	if (args->backend == BACKEND_NFT || !nft.status) {
		one = step_add(plan, WORDS("mackeep", "exempt", "load", args->bridge),
			       WORDS("nft", "delete", "table", "bridge", table),
			       WORDS("nft", "list", "tables", "bridge"));
		snprintf(expect, sizeof(expect), "table bridge %s\n", table);
		json_text(one, "expect", expect);
	} else if (!access(exemptions_path(args->bridge), F_OK)) {
		note("%s: nobody is exempt, nft does not work here; install nftables, then: mackeep up %s",
		     exemptions_path(args->bridge), args->bridge);
	}
	run_free(&nft);
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
				   plan_number("0x%x", now | EAPOL)),
		       WORDS("ip", "link", "set", "dev", args->bridge, "type",
			     "bridge", "group_fwd_mask", plan_number("0x%x", now)),
		       WORDS("ip", "-d", "-o", "link", "show", "dev",
			     args->bridge));
	snprintf(expect, sizeof(expect), "group_fwd_mask 0x%x ", now | EAPOL);
	json_text(one, "expect", expect);
	json_decref(links);
}

static void plan_routes(json_t *plan, const struct args *args, const char *ip)
{
	const char *device = plan_device(args);
	const char *mark = plan_number("0x%x", args->fwmark);
	const char *table = plan_number("%u", args->table);
	const char *metric = plan_number("%u", METRIC + args->order);
	char expect[32];
	json_t *one;

	/* systemd-networkd leaves rules of the kernel alone, and no others. */
	step_add(plan, WORDS("ip", ip, "rule", "add", "fwmark", mark, "lookup", table,
			     "protocol", "kernel"),
		 WORDS("ip", ip, "rule", "del", "fwmark", mark, "lookup", table),
		 WORDS("ip", ip, "rule", "show", "fwmark", mark, "lookup", table));
	one = step_add(plan, WORDS("ip", ip, "route", "add", "local", "default",
				   "dev", "lo", "table", table),
		       WORDS("ip", ip, "route", "del", "local", "default", "dev",
			     "lo", "table", table),
		       WORDS("ip", ip, "route", "show", "table", table));
	json_text(one, "expect", "local default dev lo");
	one = step_add(plan, WORDS("ip", ip, "route", "add", "default", "dev",
				   device, "metric", metric),
		       WORDS("ip", ip, "route", "del", "default", "dev", device,
			     "metric", metric),
		       WORDS("ip", ip, "route", "show", "default", "dev", device));
	snprintf(expect, sizeof(expect), "metric %s ", metric);
	json_text(one, "expect", expect);
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

static void plan_service(json_t *plan, const struct args *args,
			 const struct group *group, bool udp, unsigned int settle)
{
	const char *fail = args->fail == MACKEEP_FAIL_CLOSED ? "closed" : "open";
	const char *mark = plan_number("0x%x", group->mark);
	const char *to = plan_number("%u", group->to);
	const char *proto = group_proto[udp].name;
	json_t *one;

	one = step_add(plan, WORDS("mackeep", "services", "add", "--mark", mark,
				   "--proto", proto, "--to", to, "--fail", fail),
		       WORDS("mackeep", "services", "del", "--mark", mark,
			     "--proto", proto),
		       WORDS("mackeep", "services", "list", "--mark", mark,
			     "--proto", proto, "--to", to, "--fail", fail));
	if (args->rehearse)
		json_array_append_new(json_object_get(one, "do"),
				      json_string("--rehearse"));
	if (settle && udp)
		json_object_set_new(one, "do_more",
				    WORDS("--settle", plan_number("%u", settle)));
}

/* Whether a connection of TCP began before them can be seen; of a flow of UDP not. */
static void plan_services(json_t *plan, const struct args *args)
{
	const struct groups *groups = &args->groups;
	const struct group *group;
	unsigned int settle = 0;
	int udp;

	if (args->settle >= 0)
		settle = args->settle;
	else if (args->fail != MACKEEP_FAIL_CLOSED && link_is_up(args->bridge))
		settle = SETTLE;
	for (group = groups->group; group < groups->group + groups->n; group++)
		for (udp = 0; udp < 2; udp++)
			if (group->ports[udp].n)
				plan_service(plan, args, group, udp, settle);
}

/* Undone it is as it was: somebody may have set one by hand. */
static void plan_policy(json_t *plan, const struct args *args)
{
	struct policy now = policy_read();
	json_t *one;

	one = step_add(plan, policy_command(&args->policy), policy_command(&now),
		       WORDS("mackeep", "policy"));
	json_text(one, "expect", policy_line(&args->policy));
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

/*
 * With an address the bridge is a host, and heard anyway. learned: it has one that
 * it took from a router.
 */
static bool shall_be_silent(const struct args *args, bool *learned)
{
	struct own_address own;

	*learned = false;
	if (args->talk)
		return false;
	own = own_address(args->bridge);
	if (own.text && !own.learned) {
		note("bridge %s: it has the address %s and so talks with its own MAC; \"talk\" says that it shall",
		     args->bridge, own.text);
		free(own.text);
		return false;
	}
	if (own.text)
		note("bridge %s: it loses the address %s, which it took from a router; \"talk\" leaves it alone",
		     args->bridge, own.text);
	*learned = own.text;
	free(own.text);
	return true;
}

/*
 * A bridge that shall be silent has no other addresses than those from a router.
 * Without IPv6 they go by themselves, and come again with it.
 */
static void plan_forget(json_t *plan, const struct args *args)
{
	step_add(plan, WORDS("ip", "-6", "address", "flush", "dev", args->bridge,
			     "scope", "global"), NULL, NULL);
}

/* Names of tables and chains have "_" where bridges have "-". */
static void check_name(const char *bridge, json_t *state, void *data)
{
	char name[IF_NAMESIZE + 16];
	const char *ours = data;

	(void)state;
	snprintf(name, sizeof(name), "%s", plan_name(bridge));
	if (strcmp(bridge, ours) && !strcmp(name, plan_name(ours)))
		die(FAILED, "bridge %s: %s is up, and both would have tables named %s; rename one of the two",
		    ours, bridge, name);
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
	state_each(check_name, (void *)args->bridge);
	if (args->early || args->dry_run)
		return;
	ports = RUN_JSON("ip", "-j", "link", "show", "master", args->bridge);
	if (!json_array_size(ports))
		die(FAILED, "bridge %s: it has no ports; add one: ip link set dev PORT master %s; or say --early if they come later",
		    args->bridge, args->bridge);
	json_decref(ports);
}

static void plan_family(json_t *plan, const struct args *args, bool v6)
{
	plan_routes(plan, args, v6 ? "-6" : "-4");
	if (args->backend == BACKEND_NFT)
		plan_nft_proxy(plan, args, v6);
	else
		plan_iptables_proxy(plan, args, v6);
}

/* In front of the rules that mark frames is all that such frames need. */
static void plan_lift(json_t *plan, const struct args *args)
{
	plan_services(plan, args);
	plan_exempt(plan, args);
	if (args->backend == BACKEND_NFT)
		plan_nft_lift(plan, args);
	else
		plan_ebtables_lift(plan, args);
}

/*
 * What lifts frames, in a bridge that is otherwise left as it is. A VLAN device is
 * down, so that nothing speaks there.
 */
static void plan_rehearsal(json_t *plan, const struct args *args)
{
	if (args->vlan)
		plan_vlan(plan, args);
	step_sysctl(plan, "net/netfilter/mackeep_hooks", "1", "0");
	plan_marks(plan, args);
	plan_lift(plan, args);
}

json_t *plan_make(const struct args *args)
{
	json_t *plan = json_array(), *one;
	bool silent, learned;
	int v6;

	one = step_add(plan, WORDS("modprobe", "mackeep"), NULL, NULL);
	json_object_set_new(one, "module", json_true());
	if (args->rehearse) {
		plan_rehearsal(plan, args);
		return plan;
	}
	silent = shall_be_silent(args, &learned);
	if (silent)
		plan_silence(plan, args->bridge, args->family != AF_INET && !args->vlan);
	if (learned && args->family != AF_INET)
		plan_forget(plan, args);
	plan_links(plan, args);
	if (silent && args->vlan)
		plan_silence_upper(plan, plan_device(args),
				   args->family != AF_INET);
	if (args->backend == BACKEND_NFT && args->policy.given)
		plan_policy(plan, args);
	plan_sysctls(plan, args);
	if (args->feed_neigh)
		plan_feed(plan, args);
	if (vlans_given(&args->vlans))
		plan_vlans(plan, args);
	plan_eapol(plan, args);
	for (v6 = 0; v6 < 2; v6++)
		if (args->family != (v6 ? AF_INET : AF_INET6))
			plan_family(plan, args, v6);
	plan_firewall(plan, args);
	plan_lift(plan, args);
	if (args->follow_link)
		plan_follow_link(plan, args);
	return plan;
}
