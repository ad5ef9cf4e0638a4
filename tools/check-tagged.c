// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about tagged frames: tagged, twin, beyond. A bridge passes up the frames
 * of a VLAN only by a device of that VLAN, or if up was told so; others pass the
 * proxy by.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"
#include "counters.h"
#include "finding.h"
#include "plan-text.h"
#include "state.h"
#include "tagged.h"
#include "text.h"

/* The VLANs that up lifts without a device */
static struct vlans lifted_vlans(const char *bridge)
{
	json_t *state = state_load(bridge);
	const json_t *config = json_object_get(state, "config");
	struct vlans vlans = { .all = false };

	if (json_object_get(config, "vlans"))
		vlans = value_vlans("vlan", json_get_text(config, "vlans"));
	json_decref(state);
	return vlans;
}

/* True if packets of the VLAN go to a proxy. */
static bool is_proxied(const struct probe *probe, const char *bridge,
		       const struct vlans *vlans, json_int_t id)
{
	const json_t *link, *info;
	unsigned int i;
	size_t j;

	if (vlans->all || ports_have(&vlans->ids, id))
		return true;

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

/* What --vlan shall be, with this VLAN as well */
static char *with_vlan(const struct vlans *vlans, json_int_t id)
{
	char *text, *more;

	if (!vlans_given(vlans))
		return format("%d", (int)id);
	text = vlans_text(vlans);
	more = format("%s,%d", text, (int)id);
	free(text);
	return more;
}

static bool says_vlan(const char *file)
{
	FILE *config = fopen(file, "re");
	char *line = NULL;
	bool says = false;
	size_t size = 0;

	while (config && getline(&line, &size, config) > 0)
		says = says || (!strncmp(line, "vlan", 4) && isspace(line[4]));
	free(line);
	if (config)
		fclose(config);
	return says;
}

/* The command that takes the VLAN; from the bridge's file, if it has one */
static char *up_vlan(const struct probe *probe, const char *bridge,
		     const struct vlans *vlans, json_int_t id)
{
	char *file = format("/etc/mackeep/%s.conf", bridge), *text, *more;
	bool there = !access(file, F_OK), v4 = false, v6 = false;
	char *value = with_vlan(vlans, id);
	const struct tproxy *one;
	unsigned int i;

	if (there && vlans_given(vlans) && says_vlan(file))
		text = format("sed -i 's/^vlan\\b.*/vlan\\t%s/' %s && mackeep up %s",
			      value, file, bridge);
	else if ((there && !vlans_given(vlans)) || !probe->tproxies)
		text = format("mackeep up %s --vlan %s", bridge, value);
	else
		text = NULL;
	free(file);
	if (text) {
		free(value);
		return text;
	}
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
	more = format("%s --vlan %s", text, value);
	free(text);
	free(value);
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
	struct vlans vlans = lifted_vlans(bridge);
	json_int_t id;
	char *rules;
	size_t i;

	json_array_foreach(json_object_get(set, "elem"), i, one) {
		elem = json_object_get(one, "elem");
		id = json_is_integer(one) ? json_integer_value(one) :
					    json_get_int(elem, "val");
		if (!is_proxied(probe, bridge, &vlans, id))
			found(DOUBTFUL, "tagged",
			      format("frames of VLAN %d for the proxy's ports pass %s without it",
				     (int)id, bridge),
			      up_vlan(probe, bridge, &vlans, id));
	}
	if (set || vlans_given(&vlans) || !counter_value("novlan"))
		return;
	rules = rules_for(probe, bridge);
	found(DOUBTFUL, "tagged",
	      format("%llu tagged frames had the mark, but their VLAN has no device on %s; once these are noted, check tells the VLAN",
		     (unsigned long long)counter_value("novlan"), bridge),
	      format("nft '%s'", rules));
	free(rules);
}

/* Clients that cannot be told apart by their address */
static void check_twin(void)
{
	uint64_t twin = counter_value("twin");

	if (twin)
		found(DOUBTFUL, "twin",
		      format("%llu frames passed without the proxy, as another VLAN has a client of the same address; with a device for each VLAN both are proxied",
			     (unsigned long long)twin),
		      format("mackeep pairs"));
}

/* What no proxy can get, whatever the rules say */
static void check_beyond(void)
{
	uint64_t qinq = counter_value("qinq"), pppoe = counter_value("pppoe");
	uint64_t mpls = counter_value("mpls");

	if (qinq || pppoe || mpls)
		found(DOUBTFUL, "beyond",
		      format("frames passed whose packets cannot be proxied: %llu with two tags, %llu of PPPoE, %llu with MPLS labels",
			     (unsigned long long)qinq, (unsigned long long)pppoe,
			     (unsigned long long)mpls),
		      format("mackeep stat"));
}

void check_tagged(const struct probe *probe)
{
	unsigned int i;

	for (i = 0; i < probe->bridges; i++)
		check_tagged_of(probe, probe->bridge[i].name);
	check_twin();
	check_beyond();
}
