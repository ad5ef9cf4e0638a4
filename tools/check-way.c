// SPDX-License-Identifier: GPL-2.0-only
/* What the doctor looks for on a packet's way: to the proxy, in, and out. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* --- from TPROXY to the proxy ---------------------------------------------------- */

static const char *ip_of(int family)
{
	return family == AF_INET6 ? "ip -6" : "ip";
}

/* "" or the table of a rule for this mark */
static const char *mark_table(int family, uint32_t mark, uint32_t *of)
{
	json_t *rules = RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j",
				 "rule", "show"), *one;
	static char table[32];
	const char *text;
	uint32_t want, mask;
	size_t i;

	*table = '\0';
	json_array_foreach(rules, i, one) {
		text = json_string_value(json_object_get(one, "fwmark"));
		if (!text)
			continue;
		want = strtoul(text, NULL, 0);
		text = json_string_value(json_object_get(one, "fwmask"));
		mask = text ? strtoul(text, NULL, 0) : UINT32_MAX;
		text = json_string_value(json_object_get(one, "table"));
		if (!text || (mark && (mark & mask) != want))
			continue;
		snprintf(table, sizeof(table), "%s", text);
		*of = want;
		break;
	}
	json_decref(rules);
	return table;
}

static bool table_local(int family, const char *table)
{
	json_t *routes = RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j",
				  "route", "show", "table", table), *one;
	bool there = false;
	size_t i;

	json_array_foreach(routes, i, one)
		there = there || (nft_is(one, "type", "local") &&
				  nft_is(one, "dst", "default"));
	json_decref(routes);
	return there;
}

void check_tproxy(const struct probe *probe)
{
	uint32_t mark = 1;
	uint16_t port;

	if (probe->tproxies)
		return;
	port = probe_any_listener();
	mark_table(AF_INET, 0, &mark);
	found(BROKEN, "tproxy",
	      format("no TPROXY rule hands lifted packets to a proxy"),
	      format("iptables -t mangle -A PREROUTING -i %s -p tcp --dport 443 -j TPROXY --on-port %u --tproxy-mark 0x%x",
		     our_device(probe), port ?: 3129, mark));
}

static bool diverts(const struct probe *probe, int family)
{
	const char *program = family == AF_INET6 ? "ip6" : "iptables";
	json_t *one, *part, *left;
	unsigned int k;
	size_t i, j;

	for (k = 0; k < probe->rules; k++)
		if (!strncmp(probe->saved[k].program, program, strlen(program)) &&
		    strstr(probe->saved[k].text, " -m socket --transparent"))
			return true;
	json_array_foreach(probe->nft, i, one) {
		if (nft_is(nft_rule(one), "family",
			   family == AF_INET6 ? "ip" : "ip6"))
			continue;
		json_array_foreach(json_object_get(nft_rule(one), "expr"), j, part) {
			left = json_object_get(json_object_get(part, "match"), "left");
			if (nft_is(json_object_get(left, "socket"), "key",
				   "transparent"))
				return true;
		}
	}
	return false;
}

static void divert_missing(bool v6, uint32_t mark)
{
	found(BROKEN, "divert",
	      format("no rule marks what servers send to the proxy's own connections"),
	      format("%s -t mangle -I PREROUTING -m socket --transparent -j MARK --set-mark 0x%x",
		     v6 ? "ip6tables" : "iptables", mark));
}

/* What servers send to the proxy's own connections has no port of a rule. */
void check_divert(const struct probe *probe)
{
	static const int family[] = { AF_INET, AF_INET6 };
	unsigned int i, j;

	for (j = 0; j < 2; j++)
		for (i = 0; i < probe->tproxies; i++) {
			if (probe->tproxy[i].family != family[j])
				continue;
			if (!diverts(probe, family[j]))
				divert_missing(j, probe->tproxy[i].mark ?: 1);
			break;
		}
}

/* Whether an earlier rule has been checked for the same */
static bool again(const struct probe *probe, unsigned int i, bool mark)
{
	const struct tproxy *one = &probe->tproxy[i], *other;
	unsigned int j;

	for (j = 0; j < i; j++) {
		other = &probe->tproxy[j];
		if (other->family == one->family &&
		    (mark ? other->mark == one->mark :
			    other->to == one->to && other->proto == one->proto))
			return true;
	}
	return false;
}

void check_listeners(const struct probe *probe)
{
	const struct tproxy *one;
	const char *proto;
	unsigned int i;
	int there;

	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (!one->to || again(probe, i, false))
			continue;
		there = probe_listener(one->family, one->proto, one->to);
		if (there == 2)
			continue;
		proto = one->proto == IPPROTO_UDP ? "UDP" : "TCP";
		found(BROKEN, "listener",
		      there ? format("who listens on %s port %u has not set IP_TRANSPARENT",
				     proto, one->to) :
			      format("nobody listens on %s port %u, where TPROXY sends packets",
				     proto, one->to),
		      format("start the proxy; in haproxy.cfg: bind %s:%u transparent",
			     one->family == AF_INET6 ? "[::]" : "", one->to));
	}
}

void check_policy(const struct probe *probe)
{
	const struct tproxy *one;
	const char *table, *ip;
	uint32_t of;
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (!one->mark || again(probe, i, true))
			continue;
		ip = ip_of(one->family);
		table = mark_table(one->family, one->mark, &of);
		if (!*table)
			found(BROKEN, "policy",
			      format("packets with TPROXY's mark 0x%x are not routed to this machine",
				     one->mark),
			      format("%s rule add fwmark 0x%x lookup 100 && %s route replace local default dev lo table 100",
				     ip, one->mark, ip));
		else if (!table_local(one->family, table))
			found(BROKEN, "policy",
			      format("table %s, for TPROXY's mark 0x%x, has no local route",
				     table, one->mark),
			      format("%s route add local default dev lo table %s",
				     ip, table));
	}
}

/* --- the way in and out ------------------------------------------------------------ */

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

/* Of default routes the first one with the least metric is taken. */
static void check_upstream_of(const struct probe *probe, int family)
{
	json_t *routes = RUN_JSON("ip", family == AF_INET6 ? "-6" : "-4", "-j",
				  "route", "show"), *one;
	const char *taken = NULL, *device;
	json_int_t metric, least = 0;
	size_t i;

	json_array_foreach(routes, i, one) {
		device = json_string_value(json_object_get(one, "dev")) ?: "";
		/* What an address alone brings says nothing of the servers. */
		if (nft_is(one, "protocol", "kernel"))
			continue;
		metric = json_integer_value(json_object_get(one, "metric"));
		if (nft_is(one, "dst", "default")) {
			if (!taken || metric < least) {
				taken = device;
				least = metric;
			}
		} else if (probe_is_ours(probe, device)) {
			goto out;
		}
	}
	if (taken && probe_is_ours(probe, taken))
		goto out;
	if (taken)
		found(BROKEN, "upstream",
		      format("what the proxy sends to %s servers leaves by %s, not by the bridge",
			     family == AF_INET6 ? "IPv6" : "IPv4", taken),
		      family == AF_INET6 ?
		      format("ip -6 route add default dev %s metric 1",
			     our_device(probe)) :
		      format("ip route prepend default dev %s",
			     our_device(probe)));
	else
		found(BROKEN, "upstream",
		      format("there is no %s route for what the proxy sends",
			     family == AF_INET6 ? "IPv6" : "IPv4"),
		      format("%s route add default dev %s", ip_of(family),
			     our_device(probe)));
out:
	json_decref(routes);
}

/* IPv6 only where it is proxied */
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

void check_eapol(const struct probe *probe)
{
	const struct bridge *bridge;
	unsigned int i;

	for (i = 0; i < probe->bridges; i++) {
		bridge = &probe->bridge[i];
		if (!(bridge->group_fwd_mask & 1 << 3))
			found(DOUBTFUL, "eapol",
			      format("%s does not forward 802.1X frames",
				     bridge->name),
			      format("ip link set dev %s type bridge group_fwd_mask 0x%x",
				     bridge->name,
				     bridge->group_fwd_mask | 1 << 3));
	}
}
