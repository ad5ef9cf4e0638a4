// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "nft.h"
#include "numbers.h"
#include "probe.h"
#include "run.h"
#include "say.h"
#include "state.h"
#include "text.h"

long probe_sysctl(const char *format, ...)
{
	char path[256] = "/proc/sys/", text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(path + 10, sizeof(path) - 10, format, args);
	va_end(args);
	return file_line(path, text, sizeof(text)) ? strtol(text, NULL, 0) : -1;
}

/* --- devices --------------------------------------------------------------------- */

static const json_t *info_of(const json_t *link)
{
	return json_object_get(link, "linkinfo");
}

static bool has_ports(const struct probe *probe, const char *bridge)
{
	json_t *link;
	size_t i;

	json_array_foreach(probe->links, i, link)
		if (!strcmp(json_get_text(link, "master"), bridge))
			return true;
	return false;
}

static void add_name(const char *bridge, json_t *state, void *data)
{
	json_t *list = data;

	(void)state;
	json_array_append_new(list, json_string(bridge));
}

static bool listed(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

static void probe_links(struct probe *probe, const char *bridge)
{
	json_t *link, *data, *names = json_array();
	const char *name;
	size_t i;

	probe->links = RUN_JSON("ip", "-d", "-j", "link", "show");
	if (!probe->links)
		die(FAILED, "ip -d -j link: it does not work; install iproute2");
	if (bridge)
		json_array_append_new(names, json_string(bridge));
	else
		state_each(add_name, names);

	json_array_foreach(probe->links, i, link) {
		struct bridge *one = &probe->bridge[probe->bridges];

		name = json_get_text(link, "ifname");
		if (strcmp(json_get_text(info_of(link), "info_kind"), "bridge") ||
		    probe->bridges == MANY ||
		    (json_array_size(names) ? !listed(names, name) :
					      !has_ports(probe, name)))
			continue;
		snprintf(one->name, sizeof(one->name), "%s", name);
		data = json_object_get(info_of(link), "info_data");
		one->group_fwd_mask = strtoul(json_get_text(data, "group_fwd_mask"),
					      NULL, 0);
		snprintf(probe->device[probe->bridges], IF_NAMESIZE, "%s", name);
		probe->bridges++;
	}
	probe->devices = probe->bridges;
	json_decref(names);

	json_array_foreach(probe->links, i, link)
		if (!strcmp(json_get_text(info_of(link), "info_kind"), "vlan") &&
		    probe->devices < MANY &&
		    probe_is_ours(probe, json_get_text(link, "link")))
			snprintf(probe->device[probe->devices++], IF_NAMESIZE,
				 "%s", json_get_text(link, "ifname"));
}

const char *probe_device(const struct probe *probe)
{
	return probe->devices ? probe->device[0] : "br0";
}

bool probe_is_ours(const struct probe *probe, const char *device)
{
	json_t *link;
	unsigned int j;
	size_t i;

	for (j = 0; j < probe->devices; j++)
		if (!strcmp(probe->device[j], device))
			return true;
	json_array_foreach(probe->links, i, link) {
		if (strcmp(json_get_text(link, "ifname"), device))
			continue;
		for (j = 0; j < probe->bridges; j++)
			if (!strcmp(json_get_text(link, "master"), probe->bridge[j].name))
				return true;
	}
	return false;
}

/* --- rules ------------------------------------------------------------------------- */

static void ports_add(struct ports *ports, long first, long last)
{
	if (ports->n == PORTS_MAX)
		return;
	ports->range[ports->n].first = first;
	ports->range[ports->n++].last = last;
}

/* 443, a range, or a set of both */
static void ports_of_nft(json_t *value, struct ports *ports)
{
	json_t *range = json_object_get(value, "range");
	json_t *set = json_object_get(value, "set");
	size_t i;

	if (json_is_integer(value))
		ports_add(ports, json_integer_value(value),
			  json_integer_value(value));
	else if (range)
		ports_add(ports, json_integer_value(json_array_get(range, 0)),
			  json_integer_value(json_array_get(range, 1)));
	for (i = 0; i < json_array_size(set); i++)
		ports_of_nft(json_array_get(set, i), ports);
}

static void tproxy_of_nft(struct probe *probe, json_t *rule)
{
	json_t *tproxy = nft_expression(rule, "tproxy"), *one, *match, *left;
	struct tproxy *found = &probe->tproxy[probe->tproxies];
	size_t i;

	if (!tproxy || probe->tproxies == MANY)
		return;
	memset(found, 0, sizeof(*found));
	found->family = json_is(rule, "family", "ip6") ||
			json_is(tproxy, "family", "ip6") ? AF_INET6 : AF_INET;
	found->to = json_integer_value(json_object_get(tproxy, "port"));
	found->proto = IPPROTO_TCP;
	found->mask = UINT32_MAX;
	nft_mark(rule, &found->mark);
	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		match = json_object_get(one, "match");
		left = json_object_get(match, "left");
		if (json_is(json_object_get(left, "meta"), "key", "iifname"))
			snprintf(found->device, sizeof(found->device), "%s",
				 json_get_text(match, "right"));
		left = json_object_get(left, "payload");
		if (!json_is(left, "field", "dport"))
			continue;
		if (json_is(left, "protocol", "udp"))
			found->proto = IPPROTO_UDP;
		ports_of_nft(json_object_get(match, "right"), &found->dports);
	}
	probe->tproxies++;
}

/* The device is that of the rule, or of one that calls its chain. */
static void device_of_saved(const struct probe *probe, const struct saved *rule,
			    char *device)
{
	const struct saved *call = probe->saved;
	size_t len = strcspn(rule->text, " ");
	const char *target;

	snprintf(device, IF_NAMESIZE, "%s", saved_option(rule, "-i"));
	for (; !*device && call < probe->saved + probe->rules; call++) {
		target = saved_option(call, "-j");
		if (!strcmp(call->program, rule->program) &&
		    !strcmp(call->table, rule->table) && strlen(target) == len &&
		    !strncmp(target, rule->text, len))
			snprintf(device, IF_NAMESIZE, "%s",
				 saved_option(call, "-i"));
	}
}

static void tproxy_of_saved(struct probe *probe, const struct saved *rule)
{
	struct tproxy *found = &probe->tproxy[probe->tproxies];
	unsigned int first, last;
	char *end;
	int n;

	if (strcmp(saved_option(rule, "-j"), "TPROXY") ||
	    probe->tproxies == MANY)
		return;
	memset(found, 0, sizeof(*found));
	found->family = strncmp(rule->program, "ip6", 3) ? AF_INET : AF_INET6;
	found->proto = strcmp(saved_option(rule, "-p"), "udp") ? IPPROTO_TCP :
								 IPPROTO_UDP;
	n = sscanf(saved_option(rule, "--dport"), "%u:%u", &first, &last);
	if (n > 0)
		ports_add(&found->dports, first, n > 1 ? last : first);
	found->to = strtoul(saved_option(rule, "--on-port"), NULL, 0);
	found->mark = strtoul(saved_option(rule, "--tproxy-mark"), &end, 0);
	found->mask = *end == '/' ? strtoul(end + 1, NULL, 0) : UINT32_MAX;
	device_of_saved(probe, rule, found->device);
	probe->tproxies++;
}

static void lift_add(struct probe *probe, uint32_t mark, int proto, bool v6,
		     const struct ports *dports)
{
	if (dports->n && probe->lifts < MANY)
		probe->lift[probe->lifts++] =
			(struct lift){ mark, proto, v6, *dports };
}

static bool is_lift_mark(const struct probe *probe, uint32_t mark)
{
	return (mark & probe->lift_mask) == probe->lift_mark;
}

/* th stands for both. */
static void lift_of_nft(struct probe *probe, json_t *rule)
{
	struct ports tcp = { 0 }, udp = { 0 };
	json_t *one, *match, *left, *right;
	bool v6 = false;
	uint32_t mark;
	size_t i;

	if (!json_is(rule, "family", "bridge") || !nft_mark(rule, &mark) ||
	    !is_lift_mark(probe, mark))
		return;
	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		match = json_object_get(one, "match");
		left = json_object_get(json_object_get(match, "left"), "payload");
		right = json_object_get(match, "right");
		v6 = v6 || (json_is_string(right) &&
			    !strcmp(json_string_value(right), "ip6"));
		if (!json_is(left, "field", "dport"))
			continue;
		if (!json_is(left, "protocol", "udp"))
			ports_of_nft(right, &tcp);
		if (!json_is(left, "protocol", "tcp"))
			ports_of_nft(right, &udp);
	}
	lift_add(probe, mark, IPPROTO_TCP, v6, &tcp);
	lift_add(probe, mark, IPPROTO_UDP, v6, &udp);
}

static void lift_of_saved(struct probe *probe, const struct saved *rule)
{
	bool v6 = *saved_option(rule, "--ip6-dport");
	struct ports dports = { 0 };
	unsigned int first, last;
	uint32_t mark;
	bool udp;
	int n;

	if (strncmp(rule->program, "ebtables", 8) ||
	    strcmp(saved_option(rule, "-j"), "mark"))
		return;
	mark = strtoul(saved_option(rule, "--mark-set"), NULL, 0);
	if (!is_lift_mark(probe, mark))
		return;
	n = sscanf(saved_option(rule, v6 ? "--ip6-dport" : "--ip-dport"), "%u:%u",
		   &first, &last);
	if (n > 0)
		ports_add(&dports, first, n > 1 ? last : first);
	udp = !strcmp(saved_option(rule, v6 ? "--ip6-proto" : "--ip-proto"), "udp");
	lift_add(probe, mark, udp ? IPPROTO_UDP : IPPROTO_TCP, v6, &dports);
}

bool probe_is_proxied(const struct probe *probe, int proto, uint16_t port)
{
	unsigned int i, j;

	for (i = 0; i < probe->tproxies; i++) {
		const struct tproxy *one = &probe->tproxy[i];

		if (one->proto != proto)
			continue;
		for (j = 0; j < one->dports.n; j++)
			if (port >= one->dports.range[j].first &&
			    port <= one->dports.range[j].last)
				return true;
	}
	return false;
}

static void probe_rules(struct probe *probe)
{
	json_t *all = RUN_JSON("nft", "-j", "list", "ruleset");
	unsigned int j;
	size_t i;

	probe->nft = json_incref(json_object_get(all, "nftables"));
	json_decref(all);
	probe->rules = saved_load(&probe->saved);

	for (i = 0; i < json_array_size(probe->nft); i++) {
		tproxy_of_nft(probe, nft_rule(json_array_get(probe->nft, i)));
		lift_of_nft(probe, nft_rule(json_array_get(probe->nft, i)));
	}
	for (j = 0; j < probe->rules; j++) {
		tproxy_of_saved(probe, &probe->saved[j]);
		lift_of_saved(probe, &probe->saved[j]);
	}
}

static void probe_lift(struct probe *probe)
{
	char text[64];

	probe->lift_mark = LIFT_MARK;
	probe->lift_mask = UINT32_MAX;
	if (file_line("/proc/sys/net/netfilter/mackeep_lift_mark", text,
		      sizeof(text)) &&
	    sscanf(text, "%i/%i", (int *)&probe->lift_mark,
		   (int *)&probe->lift_mask) != 2)
		probe->lift_mask = UINT32_MAX;
}

void probe_make(struct probe *probe, const char *bridge)
{
	memset(probe, 0, sizeof(*probe));
	probe_links(probe, bridge);
	probe_lift(probe);
	probe_rules(probe);
}
