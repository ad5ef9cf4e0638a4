// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet has to be accepted by each base chain on its way, so the rule goes into
 * the chain that drops it. It names the device and TPROXY's mark, which nothing but
 * TPROXY's own rules give: whatever else that chain drops stays dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall.h"
#include "nft.h"
#include "numbers.h"
#include "say.h"
#include "step.h"
#include "text.h"
#include "walk.h"

#define CLIENT_PORT	40000		/* any that no service has */
#define TPROXY_PRIORITY	-150		/* of mangle: TPROXY has set its mark behind it */

static const char *const programs[2][2] = {
	{ "iptables-nft", "iptables-legacy" },
	{ "ip6tables-nft", "ip6tables-legacy" },
};

static struct wall *wall_add(struct walls *walls, char *mend)
{
	struct wall *wall;
	unsigned int i;

	for (i = 0; i < walls->n; i++)
		if (!strcmp(walls->wall[i].mend, mend)) {
			free(mend);
			return NULL;
		}
	walls->wall = realloc(walls->wall, (walls->n + 1) * sizeof(*walls->wall));
	if (!walls->wall)
		out_of_memory();
	wall = &walls->wall[walls->n++];
	*wall = (struct wall){ .now = true, .mend = mend };
	return wall;
}

/* A connection's first packet, a later one, and one of the server */
static bool is_dropped(const struct probe *probe, const struct traffic *traffic,
		       const json_t *nft, const char *program, const char *table)
{
	uint16_t port = traffic->ports->n ? traffic->ports->range[0].first : 443;
	struct packet packet = {
		.family = traffic->family,
		.proto = traffic->proto,
		.sport = CLIENT_PORT,
		.dport = port,
		.mark = traffic->mark,
		.in = traffic->device,
		.frame = nft && json_is(nft, "family", "bridge"),
	};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if ((nft ? walk_nft(probe, nft, &packet) :
			   walk_saved(probe, program, table, "INPUT", &packet)).dropped)
			return true;
		packet.established = true;
		if (i) {
			packet.sport = port;
			packet.dport = CLIENT_PORT;
			/* Servers' frames are lifted for their socket. */
			if (packet.frame)
				packet.mark = 0;
		}
	}
	return false;
}

static char *what_is_lifted(const struct traffic *traffic)
{
	return format("what is lifted off %s for the proxy, %s over IPv%d",
		      traffic->device, traffic->proto == IPPROTO_UDP ? "UDP" : "TCP",
		      traffic->family == AF_INET6 ? 6 : 4);
}

/* --- iptables ---------------------------------------------------------------------- */

/* A rule of firewalld's own is there again when it has reloaded; so is ufw's. */
static char *mend_saved(const char *program, const char *table, const char *rule,
			bool v6)
{
	const char *direct = v6 ? "ipv6" : "ipv4";

	if (!strcmp(table, "filter") &&
	    saved_policy(program, table, v6 ? "ufw6-before-input" : "ufw-before-input"))
		return format("sed -i '0,/^-A ufw%s-before-input/s//-A ufw%s-before-input %s\\n&/' /etc/ufw/before%s.rules && ufw reload",
			      v6 ? "6" : "", v6 ? "6" : "", rule, v6 ? "6" : "");
	if (saved_policy(program, table, "INPUT_direct"))
		return format("firewall-cmd --permanent --direct --add-rule %s %s INPUT 0 %s && firewall-cmd --direct --add-rule %s %s INPUT 0 %s",
			      direct, table, rule, direct, table, rule);
	if (strcmp(table, "filter"))
		return format("%s -t %s -I INPUT %s", program, table, rule);
	return format("%s -I INPUT %s", program, rule);
}

/* The step puts the rule into INPUT itself, which ufw leaves alone. */
static void step_saved(struct wall *wall, const char *program, const char *table,
		       const char *chain, const char *rule)
{
	char *copy = format("%s", rule), *word, *rest;

	wall->todo = WORDS(program, "-t", table, "-I", chain);
	wall->undo = WORDS(program, "-t", table, "-D", chain);
	wall->test = WORDS(program, "-t", table, "-S", chain);
	wall->expect = format("-A %s %s", chain, rule);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		json_array_append_new(wall->todo, json_string(word));
		json_array_append_new(wall->undo, json_string(word));
	}
	free(copy);
}

static void input_saved(const struct probe *probe, const struct traffic *traffic,
			const char *program, struct walls *walls)
{
	static const char *const tables[] = { "mangle", "filter", "security" };
	bool v6 = traffic->family == AF_INET6;
	struct wall *wall;
	unsigned int i;
	char *rule, *what;

	if (traffic->mask == UINT32_MAX)
		rule = format("-i %s -m mark --mark 0x%x -j ACCEPT",
			      traffic->device, traffic->mark);
	else
		rule = format("-i %s -m mark --mark 0x%x/0x%x -j ACCEPT",
			      traffic->device, traffic->mark, traffic->mask);
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (!is_dropped(probe, traffic, NULL, program, tables[i]))
			continue;
		wall = wall_add(walls, mend_saved(program, tables[i], rule, v6));
		if (!wall)
			continue;
		what = what_is_lifted(traffic);
		wall->text = format("chain INPUT of %s, table %s, drops %s",
				    program, tables[i], what);
		free(what);
		step_saved(wall, program, tables[i], "INPUT", rule);
	}
	free(rule);
}

/* --- nft ------------------------------------------------------------------------------ */

/* True if the chain is one of iptables-nft, and seen by that. */
static bool is_of_iptables(const json_t *chain)
{
	unsigned int v6 = json_is(chain, "family", "ip6");

	return (v6 || json_is(chain, "family", "ip")) &&
	       saved_policy(programs[v6][0], json_get_text(chain, "table"),
			    json_get_text(chain, "name"));
}

static bool is_on_way(const json_t *chain, int family, const char *hook)
{
	if (!json_is(chain, "family", "inet") &&
	    !json_is(chain, "family", family == AF_INET6 ? "ip6" : "ip"))
		return false;
	return nft_is_hook(chain, hook) && json_is(chain, "type", "filter") &&
	       !is_of_iptables(chain);
}

/* nft deletes a rule by its handle; our comment tells which it is. */
static void step_nft(struct wall *wall, const json_t *chain, const char *bridge,
		     const char *rule)
{
	const char *family = json_get_text(chain, "family");
	const char *table = json_get_text(chain, "table");
	const char *name = json_get_text(chain, "name");
	char *comment = format("\"mackeep %s\"", bridge), *command;

	wall->todo = WORDS("nft", "insert", "rule", family, table, name, rule,
			   "comment", comment);
	command = format("nft -a list chain %s %s %s | sed -n 's/.* comment %s # handle /delete rule %s %s %s handle /p' | nft -f -",
			 family, table, name, comment, family, table, name);
	wall->undo = WORDS("sh", "-c", command);
	wall->test = WORDS("nft", "list", "chain", family, table, name);
	wall->expect = format("comment %s", comment);
	free(command);
	free(comment);
}

/* Nobody but its owner can change such a table: firewalld, as newer ones are set. */
static bool is_owned(const struct probe *probe, const json_t *chain)
{
	const json_t *one, *table;
	bool owned = false;
	char *flags;
	size_t i;

	json_array_foreach(probe->nft, i, one) {
		table = json_object_get(one, "table");
		if (!json_is(table, "name", json_get_text(chain, "table")) ||
		    !json_is(table, "family", json_get_text(chain, "family")))
			continue;
		flags = json_dumps(json_object_get(table, "flags"),
				   JSON_ENCODE_ANY);
		owned = flags && strstr(flags, "\"owner\"");
		free(flags);
	}
	return owned;
}

static struct wall *wall_nft(const struct probe *probe, struct walls *walls,
			     const json_t *chain, const char *bridge,
			     const char *rule)
{
	bool owned = is_owned(probe, chain);
	struct wall *wall;
	char *mend, *insert;

	mend = format("nft insert rule %s %s %s %s",
		      json_get_text(chain, "family"),
		      json_get_text(chain, "table"),
		      json_get_text(chain, "name"), rule);
	if (owned) {
		insert = mend;
		mend = format("sed -i 's/^#*NftablesTableOwner=.*/NftablesTableOwner=no/' /etc/firewalld/firewalld.conf && firewall-cmd --reload && %s",
			      insert);
		free(insert);
	}
	wall = wall_add(walls, mend);
	if (wall && !owned)
		step_nft(wall, chain, bridge, rule);
	return wall;
}

static void input_nft(const struct probe *probe, const struct traffic *traffic,
		      const json_t *chain, struct walls *walls)
{
	struct wall *wall;
	char *rule, *what;

	if (!is_dropped(probe, traffic, chain, NULL, NULL))
		return;
	if (traffic->mask == UINT32_MAX)
		rule = format("iifname %s meta mark 0x%x accept",
			      traffic->device, traffic->mark);
	else
		rule = format("iifname %s meta mark and 0x%x == 0x%x accept",
			      traffic->device, traffic->mask, traffic->mark);
	wall = wall_nft(probe, walls, chain, traffic->bridge, rule);
	free(rule);
	if (!wall)
		return;
	what = what_is_lifted(traffic);
	wall->text = format("chain %s of nft, table %s %s, drops %s%s",
			    json_get_text(chain, "name"),
			    json_get_text(chain, "family"),
			    json_get_text(chain, "table"), what,
			    json_is(chain, "table", "firewalld") ?
			    " (firewalld forgets such a rule when it reloads)" : "");
	free(what);
}

void firewall_input(const struct probe *probe, const struct traffic *traffic,
		    struct walls *walls)
{
	const json_t *one, *chain;
	unsigned int i;
	size_t j;

	for (i = 0; i < 2; i++)
		input_saved(probe, traffic,
			    programs[traffic->family == AF_INET6][i], walls);
	json_array_foreach(probe->nft, j, one) {
		chain = json_object_get(one, "chain");
		if (is_on_way(chain, traffic->family, "input") ||
		    (is_on_way(chain, traffic->family, "prerouting") &&
		     json_integer_value(json_object_get(chain, "prio")) >
			     TPROXY_PRIORITY))
			input_nft(probe, traffic, chain, walls);
	}
}

/* --- chains of the bridge ------------------------------------------------------------- */

/* Of what is for this machine only lifted frames have the address of another. */
static char *lifted_frames(const struct probe *probe, const char *bridge)
{
	char *text = format("meta ibrname %s meta pkttype host", bridge), *more;
	const json_t *link;
	size_t i;

	json_array_foreach(probe->links, i, link) {
		if (!json_is(link, "ifname", bridge) &&
		    !json_is(link, "master", bridge))
			continue;
		more = format("%s ether daddr != %s", text,
			      json_get_text(link, "address"));
		free(text);
		text = more;
	}
	more = format("%s accept", text);
	free(text);
	return more;
}

static void frames_nft(const struct probe *probe, const struct traffic *traffic,
		       const json_t *chain, struct walls *walls)
{
	char *rule = lifted_frames(probe, traffic->bridge), *what;
	struct wall *wall;

	wall = wall_nft(probe, walls, chain, traffic->bridge, rule);
	free(rule);
	if (!wall)
		return;
	what = what_is_lifted(traffic);
	wall->text = format("chain %s of the bridge, table %s, drops %s",
			    json_get_text(chain, "name"),
			    json_get_text(chain, "table"), what);
	free(what);
}

void firewall_frames(const struct probe *probe, const struct traffic *traffic,
		     struct walls *walls)
{
	struct traffic frames = *traffic;
	const json_t *one, *chain;
	size_t i;

	frames.device = traffic->bridge;
	frames.mark = probe->lift_mark;
	json_array_foreach(probe->nft, i, one) {
		chain = json_object_get(one, "chain");
		if (json_is(chain, "family", "bridge") &&
		    nft_is_hook(chain, "input") &&
		    is_dropped(probe, &frames, chain, NULL, NULL))
			frames_nft(probe, traffic, chain, walls);
	}
}

/* --- frames that pass the bridge ----------------------------------------------------- */

/* Negative: br_netfilter is not loaded, which whoever loads it will turn on */
static int bridge_nf(int family)
{
	return probe_sysctl("net/bridge/bridge-nf-call-%stables",
			    family == AF_INET6 ? "ip6" : "ip");
}

static bool forwards_now(int family)
{
	return bridge_nf(family) == 1;
}

static char *what_passes(const char *bridge, int family)
{
	bool now = forwards_now(family);

	return format("%sdrops what passes %s without the proxy, over IPv%d",
		      now ? "" : "if br_netfilter is loaded, as Docker does it, ",
		      bridge, family == AF_INET6 ? 6 : 4);
}

static void forward_saved(const struct probe *probe, const struct packet *packet,
			  const char *program, struct walls *walls)
{
	const char *docker = saved_policy(program, "filter", "DOCKER-USER");
	const char *chain = docker ? "DOCKER-USER" : "FORWARD";
	struct wall *wall;
	char *rule, *what;

	if (!walk_saved(probe, program, "filter", "FORWARD", packet).dropped ||
	    !(docker ? bridge_nf(packet->family) : forwards_now(packet->family)))
		return;
	rule = format("-i %s -o %s -j ACCEPT", packet->in, packet->out);
	wall = wall_add(walls, format("%s -I %s %s", program, chain, rule));
	if (wall) {
		what = what_passes(packet->in, packet->family);
		wall->text = format("chain FORWARD of %s %s", program, what);
		wall->now = forwards_now(packet->family);
		free(what);
		step_saved(wall, program, "filter", chain, rule);
	}
	free(rule);
}

/* What comes in by the bridge and leaves by it passes from port to port. */
static void forward_nft(const struct probe *probe, const struct packet *packet,
			struct walls *walls)
{
	const json_t *one, *chain;
	struct wall *wall;
	char *rule, *what;
	size_t i;

	if (!forwards_now(packet->family))
		return;
	rule = format("iifname %s oifname %s accept", packet->in, packet->out);
	json_array_foreach(probe->nft, i, one) {
		chain = json_object_get(one, "chain");
		if (!is_on_way(chain, packet->family, "forward") ||
		    !walk_nft(probe, chain, packet).dropped)
			continue;
		wall = wall_nft(probe, walls, chain, packet->in, rule);
		if (!wall)
			continue;
		what = what_passes(packet->in, packet->family);
		wall->text = format("chain %s of nft, table %s %s, %s",
				    json_get_text(chain, "name"),
				    json_get_text(chain, "family"),
				    json_get_text(chain, "table"), what);
		free(what);
	}
	free(rule);
}

void firewall_forward(const struct probe *probe, const char *bridge, int family,
		      struct walls *walls)
{
	const struct packet packet = {
		.family = family,
		.proto = IPPROTO_TCP,
		.sport = CLIENT_PORT,
		.dport = 9,
		.in = bridge,
		.out = bridge,
	};
	unsigned int i;

	for (i = 0; i < 2; i++)
		forward_saved(probe, &packet, programs[family == AF_INET6][i],
			      walls);
	forward_nft(probe, &packet, walls);
}
