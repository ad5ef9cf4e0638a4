// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about rules that see too little: narrow. MACs are learned from what the
 * client sends, so the rule has to see each port that TPROXY takes. Of one for
 * --sport, or for fewer ports, the proxy's first answers have nothing to go by.
 */
#include <stdlib.h>

#include "checks.h"
#include "finding.h"
#include "nft.h"
#include "text.h"
#include "walk.h"

static bool is_on_way(const struct probe *probe, const struct packet *packet)
{
	static const char *const program[2][2] = {
		{ "iptables-nft", "iptables-legacy" },
		{ "ip6tables-nft", "ip6tables-legacy" },
	};
	const json_t *one, *chain;
	unsigned int i;
	size_t j;

	for (i = 0; i < 2; i++)
		if (walk_saved(probe, program[packet->family == AF_INET6][i],
			       "mangle", "PREROUTING", packet).kept)
			return true;
	json_array_foreach(probe->nft, j, one) {
		chain = json_object_get(one, "chain");
		if (nft_is_hook(chain, "prerouting") &&
		    (json_is(chain, "family", "inet") ||
		     json_is(chain, "family",
			     packet->family == AF_INET6 ? "ip6" : "ip")) &&
		    walk_nft(probe, chain, packet).kept)
			return true;
	}
	return false;
}

/* True if the name is that of the module's helper for the protocol. */
static bool is_helper(const struct probe *probe, const json_t *rule,
		      const char *name, const char *proto)
{
	const json_t *one, *helper;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		helper = json_object_get(one, "ct helper");
		if (json_is(helper, "name", name) &&
		    json_is(helper, "type", "mackeep") &&
		    json_is(helper, "protocol", proto) &&
		    json_is(helper, "table", json_get_text(rule, "table")) &&
		    json_is(helper, "family", json_get_text(rule, "family")))
			return true;
	}
	return false;
}

/* The command that adds a rule for all ports, of the kind that is there */
static char *wider(const struct probe *probe, const struct tproxy *tproxy,
		   const char *device)
{
	const char *proto = tproxy->proto == IPPROTO_UDP ? "udp" : "tcp";
	bool v6 = tproxy->family == AF_INET6;
	json_t *one, *rule;
	const char *name;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		rule = nft_rule(one);
		name = json_string_value(nft_expression(rule, "ct helper"));
		if (!name || json_is(rule, "family", v6 ? "ip" : "ip6") ||
		    !is_helper(probe, rule, name, proto))
			continue;
		return format("nft insert rule %s %s %s iifname %s meta l4proto %s ct helper set '\"%s\"'",
			      json_get_text(rule, "family"),
			      json_get_text(rule, "table"),
			      json_get_text(rule, "chain"), device, proto, name);
	}
	return format("%s -t mangle -I PREROUTING -i %s -p %s -j MACKEEP",
		      v6 ? "ip6tables" : "iptables", device, proto);
}

static void check_narrow_of(const struct probe *probe, const struct tproxy *one)
{
	struct packet packet = {
		.family = one->family,
		.proto = one->proto,
		.sport = 40000,
		.mark = probe->lift_mark,
		.in = *one->device ? one->device : probe_device(probe),
	};
	unsigned int i;

	for (i = 0; i < one->dports.n; i++) {
		packet.dport = one->dports.range[i].first;
		if (is_on_way(probe, &packet))
			continue;
		found(BROKEN, "narrow",
		      format("no MACKEEP rule sees what clients send to %s port %u over IPv%d, so what the proxy answers there is not kept",
			     one->proto == IPPROTO_UDP ? "UDP" : "TCP",
			     packet.dport, one->family == AF_INET6 ? 6 : 4),
		      wider(probe, one, packet.in));
		return;
	}
}

void check_narrow(const struct probe *probe, const struct module *module)
{
	unsigned int i;

	/* Without any rule that is said by "rule". */
	for (i = 0; i < probe->tproxies && module->rules; i++)
		check_narrow_of(probe, &probe->tproxy[i]);
}
