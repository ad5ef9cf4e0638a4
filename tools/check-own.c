// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about packets that are not kept: own-mac, nexthop.
 *
 * They go the stack's way, with this machine's MAC, or a rule with --strict drops
 * them. Where the next hop's MAC is not known they wait for it and only ARP leaves;
 * where there is no address to ask from, nothing does.
 * The counters rule and toobig tell of packets that are kept all the same, and of
 * such that the stack refuses.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "guards.h"
#include "mend.h"
#include "plan-silence.h"
#include "policy.h"
#include "run.h"
#include "seen.h"
#include "step.h"
#include "text.h"

/* --- next hops ----------------------------------------------------------------- */

/* The neighbours by our devices */
struct hops {
	bool known;			/* the MAC of one, so packets can leave */
	unsigned int missing;		/* nobody answers for so many */
	char address[INET6_ADDRSTRLEN];	/* the last of these */
	char device[IF_NAMESIZE];
};

static bool has_word(const json_t *list, const char *word)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (!strcmp(json_string_value(one) ?: "", word))
			return true;
	return false;
}

static struct hops find_hops(const struct probe *probe)
{
	json_t *all = RUN_JSON("ip", "-s", "-j", "neigh", "show"), *one, *state;
	json_int_t ago, least = 0;
	struct hops hops = { 0 };
	const char *device;
	size_t i;

	json_array_foreach(all, i, one) {
		device = json_get_text(one, "dev");
		state = json_object_get(one, "state");
		if (!probe_is_ours(probe, device))
			continue;
		if (!has_word(state, "FAILED") && !has_word(state, "INCOMPLETE")) {
			hops.known = hops.known || *json_get_text(one, "lladdr");
			continue;
		}
		ago = json_get_int(one, "updated");
		if (hops.missing++ && ago >= least)
			continue;
		least = ago;
		snprintf(hops.address, sizeof(hops.address), "%s",
			 json_get_text(one, "dst"));
		snprintf(hops.device, sizeof(hops.device), "%s", device);
	}
	json_decref(all);
	return hops;
}

/*
 * The MAC that frames to most servers go to, or NULL. It has to be two at least: the
 * MAC of a server of this network is that of one.
 */
static char *router_mac(const struct hops *hops)
{
	json_t *pairs = RUN_JSON("mackeep", "pairs", strchr(hops->address, ':') ?
				 "-6" : "-4", "-i", hops->device, "-o", "json");
	json_t *macs = json_object(), *one, *servers;
	const char *mac;
	char *best = NULL;
	size_t i, n = 1;

	json_array_foreach(pairs, i, one) {
		mac = json_get_text(one, "dmac");
		if (!*mac)
			continue;
		if (!json_object_get(macs, mac))
			json_object_set_new(macs, mac, json_object());
		servers = json_object_get(macs, mac);
		json_object_set_new(servers, json_get_text(one, "server"),
				    json_true());
		if (json_object_size(servers) <= n)
			continue;
		n = json_object_size(servers);
		free(best);
		best = format("%s", mac);
	}
	json_decref(macs);
	json_decref(pairs);
	return best;
}

/* The default route by a device, to be freed, or NULL */
static json_t *default_route(const char *family, const char *device)
{
	json_t *routes = RUN_JSON("ip", family, "-j", "route", "show", "default",
				  "dev", device);
	json_t *route = json_incref(json_array_get(routes, 0));

	json_decref(routes);
	return route;
}

/*
 * The router's MAC by hand: nobody is asked any more. Where the route has no router,
 * as every server is asked for itself, an address that nobody has stands for it.
 */
static char *hop_by_hand(const struct hops *hops)
{
	bool v6 = strchr(hops->address, ':');
	json_t *route = default_route(v6 ? "-6" : "-4", hops->device);
	const char *stand_in = v6 ? "fe80::1" : "169.254.1.1";
	const char *ip = v6 ? "ip -6" : "ip", *device = hops->device;
	char *mac = router_mac(hops), *remedy;
	bool direct = route && !json_object_get(route, "gateway");

	remedy = format("%s neigh replace %s lladdr %s dev %s nud permanent", ip,
			direct ? stand_in : hops->address,
			mac ?: "THE-MAC-OF-THE-ROUTER", device);
	free(mac);
	if (direct) {
		mac = remedy;
		remedy = format("%s && %s route replace default via %s dev %s onlink metric %lld",
				mac, ip, stand_in, device,
				(long long)json_get_int(route, "metric"));
		free(mac);
	}
	json_decref(route);
	return remedy;
}

static void check_nexthop(const struct hops *hops, unsigned long long waited)
{
	found(WRONG, "nexthop",
	      format("%llu packets found no next hop by %s since the last check: nobody answers for %s%s",
		     waited, hops->device, hops->address,
		     hops->missing > 1 ? " and others" : ""),
	      hop_by_hand(hops));
}

/* Nobody was asked, as there is no address to ask from. */
static void check_mute(const struct probe *probe, unsigned long long n)
{
	struct hops hops = { 0 };

	if (!probe->bridges)
		return;
	snprintf(hops.device, sizeof(hops.device), "%s", probe->bridge[0].name);
	found(DOUBTFUL, "nexthop",
	      format("%llu packets were dropped since the last check: frames have not shown whom they are from or which router they go by, and there is no address to ask from",
		     n), hop_by_hand(&hops));
}

/* --- packets with the own MAC ----------------------------------------------------- */

static const struct cause {
	const char *counter;
	const char *text;
	bool by_hop;			/* they leave when the next hop is known */
} causes[] = {
	{ "unknown", "nothing is known about whom they are from", true },
	{ "own", "they would go to this machine itself", true },
	{ "noneigh", "their next hop was not known yet", true },
	{ "device", "they leave by another device than their flow came by", false },
};

#define CAUSES	(sizeof(causes) / sizeof(*causes))

static bool has_address(const struct probe *probe)
{
	struct own_address own;
	unsigned int i;

	for (i = 0; i < probe->bridges; i++) {
		own = own_address(probe->bridge[i].name);
		if (!own.text)
			continue;
		free(own.text);
		return true;
	}
	return false;
}

/*
 * A router sends by another device what it got by ours: that is no fault. Docker has
 * forwarding turned on as well, where a proxy is all that takes packets of a bridge.
 */
static bool routes(const struct probe *probe)
{
	unsigned int i;

	if (probe_sysctl("net/ipv4/ip_forward") <= 0 &&
	    probe_sysctl("net/ipv6/conf/all/forwarding") <= 0)
		return false;
	for (i = 0; i < probe->rules; i++)
		if (strstr(probe->saved[i].text, " --last-hop"))
			return true;
	return !probe->tproxies || has_address(probe);
}

/* Whether packets of this cause leave with a MAC of this machine */
static bool leaves(const struct probe *probe, const struct cause *cause,
		   const struct hops *hops)
{
	if (!strcmp(cause->counter, "device"))
		return !routes(probe);
	if (!strcmp(cause->counter, "noneigh"))
		return hops->known && !hops->missing;
	return hops->known || !cause->by_hop;
}

static bool guarded(const struct probe *probe)
{
	unsigned int i;

	for (i = 0; i < probe->bridges; i++)
		if (!guards_have(probe->bridge[i].name))
			return false;
	return probe->bridges;
}

static bool has_rule(const struct probe *probe)
{
	const struct saved *rule;

	for (rule = probe->saved; rule < probe->saved + probe->rules; rule++)
		if (!strcmp(saved_option(rule, "-j"), "MACKEEP"))
			return true;
	return false;
}

/* The default policy as it is, and strict */
static char *strict_policy(void)
{
	struct policy policy = policy_read();
	json_t *command;
	char *text;

	policy.strict = true;
	command = policy_command(&policy);
	text = step_words(command);
	json_decref(command);
	return text;
}

static char *strict(const struct probe *probe, const struct cause *cause)
{
	if (!strcmp(cause->counter, "unknown") &&
	    !probe_sysctl("net/netfilter/mackeep_neigh"))
		return format("sysctl -w net.netfilter.mackeep_neigh=1");
	if (!strcmp(cause->counter, "device") &&
	    !probe_sysctl("net/netfilter/mackeep_steer"))
		return mend_by_up(probe, format("sysctl -w net.netfilter.mackeep_steer=1"));
	if (!has_rule(probe) && probe_sysctl("net/netfilter/mackeep_hooks") == 1)
		return strict_policy();
	return format("iptables -t mangle -I PREROUTING -i %s -j MACKEEP --strict",
		      probe_device(probe));
}

/* The rule that names marks, without them; first in its chain */
static char *any_mark(const struct saved *rule)
{
	char *copy = format("%s", rule->text), *word, *rest, *chain, *text;
	char *remedy = saved_delete(rule), *more;

	chain = strtok_r(copy, " ", &rest);
	text = format("%s -t %s -I %s", rule->program, rule->table, chain);
	while ((word = strtok_r(NULL, " ", &rest))) {
		if (!strcmp(word, "--orig-mark") || !strcmp(word, "--reply-mark")) {
			strtok_r(NULL, " ", &rest);
			continue;
		}
		more = format("%s %s", text, word);
		free(text);
		text = more;
	}
	more = format("%s && %s", remedy, text);
	free(remedy);
	free(text);
	free(copy);
	return more;
}

/* It was asked for, maybe not for these. */
static void check_own_mark(const struct probe *probe)
{
	unsigned long long n = seen_since("mark");
	const struct saved *rule;

	for (rule = probe->saved; n && rule < probe->saved + probe->rules; rule++)
		if (!strcmp(saved_option(rule, "-j"), "MACKEEP") &&
		    (*saved_option(rule, "--orig-mark") ||
		     *saved_option(rule, "--reply-mark")))
			found(DOUBTFUL, "own-mac",
			      format("%llu packets left with this machine's own MAC since the last check: their mark is not the one that a rule names",
				     n), any_mark(rule));
}

/* Who has a tunnel for clients may want that, and no rule could keep their MACs. */
static void check_own_tunnel(void)
{
	unsigned long long n = seen_since("xfrm");

	if (n)
		found(DOUBTFUL, "own-mac",
		      format("%llu packets of kept flows went into IPsec or another tunnel since the last check, which leaves with this machine's own MAC",
			     n),
		      format("%s && %s",
			     "if that is not meant, exempt the clients: ip xfrm policy add dir out dst CLIENTS priority 0",
			     "ip xfrm policy add dir out src CLIENTS priority 0"));
}

void check_own(const struct probe *probe)
{
	struct hops hops = find_hops(probe);
	uint64_t n, left = 0, most = 0, muted = seen_since("mute");
	uint64_t dropped = seen_since("strict") + muted;
	const struct cause *cause = causes;
	unsigned int i;

	for (i = 0; i < CAUSES; i++) {
		n = seen_since(causes[i].counter);
		if (!n || !leaves(probe, &causes[i], &hops))
			continue;
		left += n;
		if (n > most) {
			most = n;
			cause = &causes[i];
		}
	}
	if (left > dropped)
		found(WRONG, "own-mac",
		      format("%llu packets %s since the last check: %s",
			     (unsigned long long)(left - dropped),
			     cause->by_hop && guarded(probe) ?
			     "had this machine's own MAC, and a guard kept them in," :
			     "left with this machine's own MAC", cause->text),
		      strict(probe, cause));
	n = seen_since("noneigh");
	if (n && hops.missing)
		check_nexthop(&hops, n);
	/* Of flows that no rule keeps nothing is known: that is mended first. */
	if (muted && !finding_has("unmatched") && !finding_has("rule"))
		check_mute(probe, muted);
	check_own_mark(probe);
	check_own_tunnel();
}
