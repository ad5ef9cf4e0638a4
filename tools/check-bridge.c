// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about the bridge, its routes and sysctls: upstream, rp_filter,
 * bridge-nf, bridge-nf6, forwarding, eapol, noisy.
 */
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "guards.h"
#include "mend.h"
#include "numbers.h"
#include "plan-silence.h"
#include "run.h"
#include "seen.h"
#include "state.h"
#include "text.h"

void check_rp_filter(const struct probe *probe)
{
	long all = probe_sysctl("net/ipv4/conf/all/rp_filter");
	unsigned int i;
	long own;

	for (i = 0; i < probe->devices; i++) {
		own = probe_sysctl("net/ipv4/conf/%s/rp_filter", probe->device[i]);
		if ((own > all ? own : all) != 1)
			continue;
		found(WRONG, "rp_filter",
		      format("%s takes only packets whose source it has a route back to",
			     probe->device[i]),
		      format("sysctl -w net/ipv4/conf/%s/rp_filter=%d",
			     probe->device[i], all ? 2 : 0));
	}
}

/*
 * The kernel takes the first default route with the least metric. With steering any
 * will do: a connection needs one before it is opened. A new one is behind all that
 * there may be, and never takes the place of one that leads to the admin.
 */
static void check_upstream_of(const struct probe *probe, int family)
{
	json_t *routes = RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j",
				  "route", "show"), *one;
	const char *ip = family == AF_INET6 ? "ip -6" : "ip";
	const char *taken = NULL, *device;
	json_int_t metric, least = 0;
	bool some = false;
	size_t i;

	json_array_foreach(routes, i, one) {
		device = json_string_value(json_object_get(one, "dev")) ?: "";
		/* A route that came with an address is not for servers. */
		if (json_is(one, "protocol", "kernel"))
			continue;
		metric = json_integer_value(json_object_get(one, "metric"));
		if (json_is(one, "dst", "default")) {
			if (!taken || metric < least) {
				taken = device;
				least = metric;
			}
		} else if (probe_is_ours(probe, device)) {
			some = true;
		}
	}
	if (taken && (some || probe_is_ours(probe, taken) ||
		      probe_sysctl("net/netfilter/mackeep_steer") == 1))
		goto out;
	if (taken)
		found(BROKEN, "upstream",
		      format("what the proxy sends to %s servers leaves by %s, not by the bridge",
			     family == AF_INET6 ? "IPv6" : "IPv4", taken),
		      mend_by_up(probe, format("sysctl -w net.netfilter.mackeep_steer=1")));
	else
		found(some ? DOUBTFUL : BROKEN, "upstream",
		      format("there is no %s route for what the proxy sends%s",
			     family == AF_INET6 ? "IPv6" : "IPv4",
			     some ? " to other servers than some" : ""),
		      mend_by_up(probe, format("%s route add default dev %s metric %d",
					       ip, probe_device(probe), METRIC)));
out:
	json_decref(routes);
}

/* IPv6 needs a route only if a TPROXY rule takes it. */
void check_upstream(const struct probe *probe)
{
	bool v4 = !probe->tproxies, v6 = false;
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++) {
		v4 = v4 || probe->tproxy[i].family == AF_INET;
		v6 = v6 || probe->tproxy[i].family == AF_INET6;
	}
	if (v4 && probe->devices)
		check_upstream_of(probe, AF_INET);
	if (v6 && probe->devices)
		check_upstream_of(probe, AF_INET6);
}

void check_bridge_nf(void)
{
	if (probe_sysctl("net/bridge/bridge-nf-call-iptables") == 1)
		found(WRONG, "bridge-nf",
		      format("bridged packets go through iptables a second time"),
		      format("sysctl -w net/bridge/bridge-nf-call-iptables=0"));
	if (probe_sysctl("net/bridge/bridge-nf-call-ip6tables") == 1)
		found(WRONG, "bridge-nf6",
		      format("bridged packets go through ip6tables a second time"),
		      format("sysctl -w net/bridge/bridge-nf-call-ip6tables=0"));
}

/* A machine that forwards IPv6 takes no more routes from routers, unless told to. */
static char *forward_ipv6(const struct probe *probe)
{
	char *text = format("sysctl -w"), *more;
	const char *name;
	json_t *link;
	size_t i;

	json_array_foreach(probe->links, i, link) {
		name = json_get_text(link, "ifname");
		if (probe_is_ours(probe, name) ||
		    probe_sysctl("net/ipv6/conf/%s/disable_ipv6", name) ||
		    probe_sysctl("net/ipv6/conf/%s/accept_ra", name) != 1)
			continue;
		more = format("%s net/ipv6/conf/%s/accept_ra=2", text, name);
		free(text);
		text = more;
	}
	more = format("%s net/ipv6/conf/all/forwarding=1", text);
	free(text);
	return more;
}

/*
 * --last-hop sends back what is forwarded, into a tunnel say. A proxy's answers are
 * not: where there is one, it takes a packet that was in want of it.
 */
static void check_forwarding_of(const struct probe *probe, bool v6)
{
	int family = v6 ? AF_INET6 : AF_INET;
	bool wanted = seen_since("nohop");
	unsigned int i;

	for (i = 0; i < probe->tproxies && !wanted; i++)
		if (probe->tproxy[i].family == family)
			return;
	for (i = 0; i < probe->rules; i++)
		if (!strncmp(probe->saved[i].program, v6 ? "ip6" : "iptables", 3) &&
		    strstr(probe->saved[i].text, " --last-hop"))
			break;
	if (i == probe->rules)
		return;
	found(WRONG, "forwarding",
	      format("a rule has --last-hop, but this machine does not forward %s",
		     v6 ? "IPv6" : "IPv4"),
	      v6 ? forward_ipv6(probe) : format("sysctl -w net/ipv4/ip_forward=1"));
}

void check_forwarding(const struct probe *probe)
{
	if (!probe_sysctl("net/ipv4/ip_forward"))
		check_forwarding_of(probe, false);
	if (!probe_sysctl("net/ipv6/conf/all/forwarding"))
		check_forwarding_of(probe, true);
}

void check_eapol(const struct probe *probe)
{
	const struct bridge *bridge;
	unsigned int i;

	for (i = 0; i < probe->bridges; i++) {
		bridge = &probe->bridge[i];
		if (!(bridge->group_fwd_mask & EAPOL))
			found(DOUBTFUL, "eapol",
			      format("%s does not forward 802.1X frames",
				     bridge->name),
			      format("ip link set dev %s type bridge group_fwd_mask 0x%x",
				     bridge->name,
				     bridge->group_fwd_mask | EAPOL));
	}
}

/* It was set up so that it may. */
static bool may_talk(const char *bridge)
{
	json_t *state = state_load(bridge);
	bool talk = json_is_true(json_object_get(json_object_get(state, "config"),
						 "talk"));

	json_decref(state);
	return talk;
}

static void check_noisy_of(const char *bridge, bool ipv6)
{
	struct own_address own = own_address(bridge);
	bool host = own.text && !own.learned;

	free(own.text);
	if (host || may_talk(bridge))
		return;
	if (!guards_have(bridge))
		found(WRONG, "noisy",
		      format("frames with MACs of this box leave by the ports of %s",
			     bridge),
		      format("mackeep silence add%s %s", ipv6 ? " -6" : "", bridge));
	else if (!probe_sysctl("net/ipv6/conf/%s/disable_ipv6", bridge) &&
		 probe_sysctl("net/ipv6/conf/%s/accept_ra", bridge) > 0)
		found(DOUBTFUL, "noisy",
		      format("%s takes an address from any router that offers one",
			     bridge),
		      format("mackeep silence add%s %s", ipv6 ? " -6" : "", bridge));
}

void check_noisy(const struct probe *probe)
{
	bool ipv6 = false;
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++)
		ipv6 = ipv6 || probe->tproxy[i].family == AF_INET6;
	for (i = 0; i < probe->bridges; i++)
		check_noisy_of(probe->bridge[i].name, ipv6);
}
