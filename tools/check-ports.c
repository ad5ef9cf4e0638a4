// SPDX-License-Identifier: GPL-2.0-only
/* Findings about the ports of a bridge, and what it learns: hub, hairpin, isolated. */
#include "checks.h"
#include "finding.h"
#include "text.h"

static json_t *port_data(const json_t *link)
{
	return json_object_get(json_object_get(link, "linkinfo"),
			       "info_slave_data");
}

static bool port_has(const json_t *link, const char *flag)
{
	return json_is_true(json_object_get(port_data(link), flag));
}

/* A locked port, of 802.1X, learns nothing on purpose. */
static void check_port(const json_t *link, const char *bridge)
{
	const char *port = json_get_text(link, "ifname");

	if (json_is_false(json_object_get(port_data(link), "learning")) &&
	    !port_has(link, "locked"))
		found(DOUBTFUL, "hub",
		      format("%s does not learn who is at port %s, so what is for them leaves by each port",
			     bridge, port),
		      format("bridge link set dev %s learning on", port));
	if (port_has(link, "hairpin"))
		found(WRONG, "hairpin",
		      format("port %s of %s sends frames back where they came from, those of the proxy in a station's name too: a switch there takes the station for moved",
			     port, bridge),
		      format("bridge link set dev %s hairpin off", port));
}

/* One port that is not isolated is the way out of the others. */
static void check_isolated(const struct probe *probe, const char *bridge)
{
	unsigned int isolated = 0, ports = 0;
	const char *last = "";
	const json_t *link;
	size_t i;

	json_array_foreach(probe->links, i, link) {
		if (!json_is(link, "master", bridge))
			continue;
		ports++;
		if (!port_has(link, "isolated"))
			continue;
		isolated++;
		last = json_get_text(link, "ifname");
	}
	if (ports > 1 && isolated == ports)
		found(BROKEN, "isolated",
		      format("all ports of %s are isolated from each other, so nothing crosses it; the one to the servers must not be",
			     bridge),
		      format("bridge link set dev %s isolated off", last));
}

static void check_hub(const struct probe *probe, const char *bridge)
{
	const json_t *link, *data;
	size_t i;

	json_array_foreach(probe->links, i, link) {
		if (!json_is(link, "ifname", bridge))
			continue;
		data = json_object_get(json_object_get(link, "linkinfo"),
				       "info_data");
		data = json_object_get(data, "ageing_time");
		if (json_is_integer(data) && !json_integer_value(data))
			found(DOUBTFUL, "hub",
			      format("%s forgets at once who is where (ageing_time 0), so each frame leaves by each port",
				     bridge),
			      format("ip link set dev %s type bridge ageing_time 30000",
				     bridge));
	}
}

void check_ports(const struct probe *probe)
{
	const char *bridge;
	const json_t *link;
	unsigned int i;
	size_t j;

	for (i = 0; i < probe->bridges; i++) {
		bridge = probe->bridge[i].name;
		check_hub(probe, bridge);
		json_array_foreach(probe->links, j, link)
			if (json_is(link, "master", bridge))
				check_port(link, bridge);
		check_isolated(probe, bridge);
	}
}
