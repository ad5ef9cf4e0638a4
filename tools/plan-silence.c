// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard comes first: from then on nothing leaves. The rest is for what it
 * cannot do: an address from a router's advertisement must not be taken.
 * Snooping would keep reports of members from switches on the other side, and
 * query in a voice that nobody hears; STP keeps frames of other switches, and
 * would wait for answers to its own.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan-silence.h"
#include "plan-text.h"
#include "run.h"
#include "step.h"
#include "text.h"

/* --- addresses ------------------------------------------------------------------ */

/* As the kernel module sees it */
static bool is_own(const json_t *address)
{
	const char *text = json_get_text(address, "local");

	return !json_is(address, "scope", "link") &&
	       !json_is(address, "scope", "host") &&
	       strncmp(text, "169.254.", 8);
}

static bool is_learned(const json_t *address)
{
	return json_is_true(json_object_get(address, "mngtmpaddr")) ||
	       json_is_true(json_object_get(address, "temporary"));
}

struct own_address own_address(const char *bridge)
{
	json_t *links = RUN_JSON("ip", "-j", "address", "show"), *link, *address;
	struct own_address own = { NULL, false };
	const char *name, *under;
	size_t i, j;

	json_array_foreach(links, i, link) {
		name = json_get_text(link, "ifname");
		under = json_get_text(link, "link");
		if (strcmp(name, bridge) && strcmp(under, bridge) &&
		    (!*under || !plan_is_port(links, under, bridge)))
			continue;
		json_array_foreach(json_object_get(link, "addr_info"), j, address) {
			if (!is_own(address) ||
			    (own.text && (!own.learned || is_learned(address))))
				continue;
			free(own.text);
			own.learned = is_learned(address);
			own.text = format("%s%s%s",
					  json_get_text(address, "local"),
					  strcmp(name, bridge) ? " on " : "",
					  strcmp(name, bridge) ? name : "");
		}
	}
	json_decref(links);
	return own;
}

/* --- steps ----------------------------------------------------------------------- */

static void plan_guard(json_t *plan, const char *device)
{
	step_add(plan, WORDS("mackeep", "silence", "add", "--guard", device),
		 WORDS("mackeep", "silence", "del", device),
		 WORDS("mackeep", "silence", "list", device));
}

static json_t *plan_ipv6(json_t *plan, const char *device, const char *key,
			 const char *value, const char *missing)
{
	char name[128];

	snprintf(name, sizeof(name), "net/ipv6/conf/%s/%s", device, key);
	return step_sysctl(plan, name, value, missing);
}

void plan_silence_port(json_t *plan, const char *port)
{
	json_t *one = plan_ipv6(plan, port, "disable_ipv6", "1", NULL);

	if (one)
		json_int(one, "ifindex", if_nametoindex(port));
}

/* With IPv6, but without any address */
void plan_silence_upper(json_t *plan, const char *device, bool ipv6)
{
	bool later = !if_nametoindex(device);

	if (!ipv6) {
		plan_ipv6(plan, device, "disable_ipv6", "1", later ? "0" : NULL);
		return;
	}
	plan_ipv6(plan, device, "accept_ra", "0", later ? "1" : NULL);
	plan_ipv6(plan, device, "autoconf", "0", later ? "1" : NULL);
	plan_ipv6(plan, device, "addr_gen_mode", "1", later ? "0" : NULL);
	plan_ipv6(plan, device, "accept_dad", "0", later ? "1" : NULL);
	plan_ipv6(plan, device, "router_solicitations", "0", later ? "-1" : NULL);
}

/* An option of the bridge that has to be 0 */
static void plan_off(json_t *plan, const char *bridge, const json_t *data,
		     const char *option)
{
	json_t *one;

	if (!json_integer_value(json_object_get(data, option)))
		return;
	one = step_add(plan, WORDS("ip", "link", "set", "dev", bridge, "type",
				   "bridge", option, "0"),
		       WORDS("ip", "link", "set", "dev", bridge, "type",
			     "bridge", option, "1"),
		       WORDS("ip", "-d", "-o", "link", "show", "dev", bridge));
	json_object_set_new(one, "expect", json_sprintf("%s 0 ", option));
}

void plan_silence(json_t *plan, const char *device, bool ipv6)
{
	json_t *links = RUN_JSON("ip", "-d", "-j", "link", "show"), *link, *info;
	const char *name;
	size_t i;

	plan_guard(plan, device);
	json_array_foreach(links, i, link) {
		name = json_get_text(link, "ifname");
		info = json_object_get(link, "linkinfo");
		if (json_is(link, "master", device)) {
			plan_silence_port(plan, name);
		} else if (strcmp(name, device)) {
			continue;
		} else if (!json_is(info, "info_kind", "bridge")) {
			plan_silence_port(plan, name);
		} else {
			info = json_object_get(info, "info_data");
			plan_silence_upper(plan, name, ipv6);
			plan_off(plan, name, info, "mcast_snooping");
			plan_off(plan, name, info, "stp_state");
		}
	}
	json_decref(links);
}
