// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about tagged frames: tagged. A bridge passes up the frames of a VLAN only
 * by a device of that VLAN; without one they pass the proxy by.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "counters.h"
#include "finding.h"
#include "plan-text.h"
#include "tagged.h"
#include "text.h"

/* True if packets of the VLAN go to a proxy. */
static bool is_proxied(const struct probe *probe, const char *bridge, json_int_t id)
{
	const json_t *link, *info;
	unsigned int i;
	size_t j;

	json_array_foreach(probe->links, j, link) {
		info = json_object_get(link, "linkinfo");
		if (!json_is(link, "link", bridge) ||
		    !json_is(info, "info_kind", "vlan") ||
		    json_get_int(json_object_get(info, "info_data"), "id") != id)
			continue;
		for (i = 0; i < probe->tproxies; i++)
			if (!*probe->tproxy[i].device ||
			    json_is(link, "ifname", probe->tproxy[i].device))
				return true;
	}
	return false;
}

static const char *proto_of(const struct tproxy *tproxy)
{
	return tproxy->proto == IPPROTO_UDP ? "udp" : "tcp";
}

/* True if an earlier rule is for the same, of the other family. */
static bool again(const struct probe *probe, unsigned int i)
{
	const struct tproxy *one = &probe->tproxy[i], *other;

	for (other = probe->tproxy; other < one; other++)
		if (other->proto == one->proto && other->to == one->to &&
		    !memcmp(&other->dports, &one->dports, sizeof(one->dports)))
			return true;
	return false;
}

/* The command that takes the VLAN; from the bridge's file, if it has one */
static char *up_vlan(const struct probe *probe, const char *bridge, json_int_t id)
{
	char *file = format("/etc/mackeep/%s.conf", bridge), *text, *more;
	bool there = !access(file, F_OK), v4 = false, v6 = false;
	const struct tproxy *one;
	unsigned int i;

	free(file);
	if (there || !probe->tproxies)
		return format("mackeep up %s --vlan %d", bridge, (int)id);
	for (i = 0; i < probe->tproxies; i++) {
		v4 = v4 || probe->tproxy[i].family == AF_INET;
		v6 = v6 || probe->tproxy[i].family == AF_INET6;
	}
	text = format("mackeep up%s --bridge %s", v4 && v6 ? "" : v6 ? " -6" : " -4",
		      bridge);
	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (!one->dports.n || again(probe, i))
			continue;
		more = format("%s --%s '%s' --to %u", text, proto_of(one),
			      ports_text(&one->dports), one->to);
		free(text);
		text = more;
	}
	more = format("%s --vlan %d", text, (int)id);
	free(text);
	return more;
}

static char *rules_for(const struct probe *probe, const char *bridge)
{
	char *text = NULL;
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++)
		if (!again(probe, i))
			tagged_rule(&text, bridge, proto_of(&probe->tproxy[i]),
				    &probe->tproxy[i].dports);
	return tagged_rules(text, bridge);
}

static const json_t *set_of(const struct probe *probe, const char *bridge)
{
	const json_t *one, *set;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		set = json_object_get(one, "set");
		if (json_is(set, "name", "vlans") &&
		    (json_is(set, "table", tagged_table(bridge)) ||
		     json_is(set, "table", plan_name(bridge))))
			return set;
	}
	return NULL;
}

static void check_tagged_of(const struct probe *probe, const char *bridge)
{
	const json_t *set = set_of(probe, bridge), *one, *elem;
	json_int_t id;
	char *rules;
	size_t i;

	json_array_foreach(json_object_get(set, "elem"), i, one) {
		elem = json_object_get(one, "elem");
		id = json_is_integer(one) ? json_integer_value(one) :
					    json_get_int(elem, "val");
		if (!is_proxied(probe, bridge, id))
			found(DOUBTFUL, "tagged",
			      format("frames of VLAN %d for the proxy's ports pass %s without it",
				     (int)id, bridge),
			      up_vlan(probe, bridge, id));
	}
	if (set || !counter_value("novlan"))
		return;
	rules = rules_for(probe, bridge);
	found(DOUBTFUL, "tagged",
	      format("%llu tagged frames had the mark, but their VLAN has no device on %s; once these are noted, check tells the VLAN",
		     (unsigned long long)counter_value("novlan"), bridge),
	      format("nft '%s'", rules));
	free(rules);
}

void check_tagged(const struct probe *probe)
{
	unsigned int i;

	for (i = 0; i < probe->bridges; i++)
		check_tagged_of(probe, probe->bridge[i].name);
}
