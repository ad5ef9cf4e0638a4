// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/mackeep.h>

#include "config.h"
#include "text.h"

json_t *config_json(const struct args *args)
{
	json_t *config = json_pack("{s:o, s:i, s:b, s:b, s:i, s:i, s:i, s:i}",
				   "services", groups_json(&args->groups),
				   "vlan", args->vlan,
				   "ipv4", args->family != AF_INET6,
				   "ipv6", args->family != AF_INET,
				   "backend", args->backend,
				   "fwmark", args->fwmark, "table", args->table,
				   "order", args->order);
	json_t *policy = policy_json(&args->policy);
	char *vlans;

	json_object_update(config, policy);
	json_decref(policy);

	/* Only what is said: the files of older versions have none. */
	if (args->fail == MACKEEP_FAIL_CLOSED)
		json_text(config, "fail", "closed");
	if (args->rehearse)
		json_object_set_new(config, "rehearse", json_true());
	if (vlans_given(&args->vlans)) {
		vlans = vlans_text(&args->vlans);
		json_text(config, "vlans", vlans);
		free(vlans);
	}
	if (args->talk)
		json_object_set_new(config, "talk", json_true());
	if (args->feed_neigh)
		json_object_set_new(config, "feed_neigh", json_true());
	if (args->follow_link)
		json_object_set_new(config, "follow_link", json_true());
	if (args->firewall)
		json_object_set_new(config, "firewall", json_true());
	return config;
}

static void read_groups(struct groups *groups, const json_t *services)
{
	const json_t *service;
	struct group *group;
	size_t i;

	json_array_foreach(services, i, service) {
		if (i == GROUPS_MAX)
			break;
		group = &groups->group[i];
		group->to = json_get_int(service, "to");
		group->mark = json_get_int(service, "mark");
		group->ports[0] = group_ports(service, false);
		group->ports[1] = group_ports(service, true);
		groups->n = i + 1;
	}
}

static bool is_true(const json_t *config, const char *key)
{
	return json_is_true(json_object_get(config, key));
}

bool config_args(struct args *args, const json_t *config)
{
	json_t *same;
	bool read;

	read_groups(&args->groups, json_object_get(config, "services"));
	args->vlan = json_get_int(config, "vlan");
	if (json_object_get(config, "vlans"))
		args->vlans = value_vlans("vlan", json_get_text(config, "vlans"));
	args->family = !is_true(config, "ipv6") ? AF_INET :
		       !is_true(config, "ipv4") ? AF_INET6 : AF_UNSPEC;
	args->backend = json_get_int(config, "backend");
	args->fwmark = json_get_int(config, "fwmark");
	args->table = json_get_int(config, "table");
	args->order = json_get_int(config, "order");
	args->policy = policy_of_json(config);
	args->fail = json_is(config, "fail", "closed") ? MACKEEP_FAIL_CLOSED : -1;
	args->rehearse = is_true(config, "rehearse");
	args->talk = is_true(config, "talk");
	args->feed_neigh = is_true(config, "feed_neigh");
	args->follow_link = is_true(config, "follow_link");
	args->firewall = is_true(config, "firewall");

	same = config_json(args);
	read = json_equal(same, config);
	json_decref(same);
	return read;
}
