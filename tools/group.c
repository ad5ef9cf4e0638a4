// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "group.h"
#include "numbers.h"
#include "say.h"
#include "state.h"
#include "text.h"

const struct proto group_proto[2] = {
	{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
};

static struct group *reading(struct groups *groups)
{
	return &groups->group[groups->n];
}

static bool has_ports(const struct group *group)
{
	return group->ports[0].n || group->ports[1].n;
}

static void ports_append(struct ports *ports, const struct ports *more, bool udp)
{
	if (ports->n + more->n > PORTS_MAX)
		die(BAD_ARGS, "--%s: more than %d ports and ranges for one proxy; join some to ranges",
		    group_proto[udp].name, PORTS_MAX);
	memcpy(&ports->range[ports->n], more->range, more->n * sizeof(*more->range));
	ports->n += more->n;
}

void groups_ports(struct groups *groups, bool udp, const char *value)
{
	struct ports ports = value_ports(group_proto[udp].name, value);

	ports_append(&reading(groups)->ports[udp], &ports, udp);
}

void groups_to(struct groups *groups, uint16_t to)
{
	if (reading(groups)->to)
		die(BAD_ARGS, "to %u: \"to %u\" is in the same paragraph; put an empty line between two services",
		    to, reading(groups)->to);
	reading(groups)->to = to;
}

void groups_next(struct groups *groups)
{
	if (!reading(groups)->to && !has_ports(reading(groups)))
		return;
	if (++groups->n > GROUPS_MAX)
		die(BAD_ARGS, "--to: more than %d proxies; join ports that go to the same one",
		    GROUPS_MAX);
}

bool groups_empty(const struct groups *groups)
{
	return !groups->n && !groups->group[0].to && !has_ports(&groups->group[0]);
}

static void group_join(struct group *group, const struct group *other)
{
	ports_append(&group->ports[0], &other->ports[0], false);
	ports_append(&group->ports[1], &other->ports[1], true);
}

/* Those with one proxy are one service. */
static void join_same(struct groups *groups)
{
	unsigned int i, j, n = 0;

	for (i = 0; i < groups->n; i++) {
		for (j = 0; j < n; j++)
			if (groups->group[j].to == groups->group[i].to)
				break;
		if (j < n)
			group_join(&groups->group[j], &groups->group[i]);
		else
			groups->group[n++] = groups->group[i];
	}
	groups->n = n;
}

/* With one --to alone all ports are for it, wherever it stands. */
static void only_one(struct groups *groups)
{
	unsigned int i, to = 0;

	for (i = 0; i < groups->n; i++) {
		if (to && groups->group[i].to)
			return;
		to = to ?: groups->group[i].to;
	}
	if (!to)
		die(BAD_ARGS, "--to: the proxy's port is not given; for instance --to 3129");
	for (i = 0; i < groups->n; i++)
		groups->group[i].to = to;
}

static bool overlap(const struct ports *a, const struct ports *b, uint16_t *port)
{
	unsigned int i, j;

	for (i = 0; i < a->n; i++)
		for (j = 0; j < b->n; j++) {
			*port = a->range[i].first > b->range[j].first ?
				a->range[i].first : b->range[j].first;
			if (*port <= a->range[i].last && *port <= b->range[j].last)
				return true;
		}
	return false;
}

static void check_group(const struct groups *groups, unsigned int i)
{
	const struct group *group = &groups->group[i], *other;
	uint16_t port;
	int udp;

	for (udp = 0; udp < 2 && !group->to; udp++)
		if (group->ports[udp].n)
			die(BAD_ARGS, "--%s %s: no --to follows that says which proxy it is for",
			    group_proto[udp].name, ports_text(&group->ports[udp]));
	if (!has_ports(group))
		die(BAD_ARGS, "--%s: nothing is to be proxied%s; give --tcp or --udp with ports",
		    groups->n > 1 ? "to" : "tcp", groups->n > 1 ? " by one of them" : "");
	for (other = groups->group; other < group; other++)
		for (udp = 0; udp < 2; udp++)
			if (overlap(&group->ports[udp], &other->ports[udp], &port))
				die(BAD_ARGS, "--%s %u: two proxies cannot both have it, on port %u and on port %u; leave it to one",
				    group_proto[udp].name, port, other->to, group->to);
}

void groups_finish(struct groups *groups)
{
	unsigned int i;

	groups_next(groups);
	only_one(groups);
	join_same(groups);
	for (i = 0; i < groups->n; i++)
		check_group(groups, i);
}

bool groups_have(const struct groups *groups, bool udp)
{
	unsigned int i;

	for (i = 0; i < groups->n; i++)
		if (groups->group[i].ports[udp].n)
			return true;
	return false;
}

/* --- marks ------------------------------------------------------------------------- */

struct taken {
	const char *besides;		/* this bridge */
	bool slot[LIFT_SLOTS];
};

static void take(struct taken *taken, uint32_t mark)
{
	if ((mark & LIFT_MASK) == LIFT_MARK)
		taken->slot[LIFT_SLOT(mark)] = true;
}

static void take_marks(const char *bridge, json_t *state, void *data)
{
	struct taken *taken = data;
	json_t *service;
	size_t i;

	if (!strcmp(bridge, taken->besides))
		return;
	json_array_foreach(state_services(state), i, service) {
		take(taken, json_get_int(service, "mark"));
	}
}

/* The mark that its proxy has in a state, or 0 */
static uint32_t mark_before(const json_t *state, uint16_t to)
{
	const json_t *service;
	size_t i;

	json_array_foreach(state_services(state), i, service)
		if (json_get_int(service, "to") == to)
			return json_get_int(service, "mark");
	return 0;
}

void groups_mark(struct groups *groups, const char *bridge, const json_t *state)
{
	struct taken taken = { .besides = bridge };
	struct group *group, *end = groups->group + groups->n;
	unsigned int slot = 0;

	state_each(take_marks, &taken);
	for (group = groups->group; group < end; group++) {
		group->mark = mark_before(state, group->to);
		if (group->mark)
			take(&taken, group->mark);
	}
	for (group = groups->group; group < end; group++) {
		if (group->mark)
			continue;
		while (slot < LIFT_SLOTS && taken.slot[slot])
			slot++;
		if (slot == LIFT_SLOTS)
			die(FAILED, "bridge %s: all %d marks for services are in use; take another bridge down",
			    bridge, LIFT_SLOTS);
		group->mark = LIFT_MARK | slot++ << LIFT_SHIFT;
	}
}

/* --- in the state file ----------------------------------------------------------------- */

json_t *groups_json(const struct groups *groups)
{
	json_t *services = json_array(), *one;
	const struct group *group;
	int udp;

	for (group = groups->group; group < groups->group + groups->n; group++) {
		one = json_object();
		json_int(one, "to", group->to);
		json_int(one, "mark", group->mark);
		for (udp = 0; udp < 2; udp++)
			json_text(one, group_proto[udp].name,
				  ports_text(&group->ports[udp]));
		json_array_append_new(services, one);
	}
	return services;
}

struct ports group_ports(const json_t *service, bool udp)
{
	const char *text = json_get_text(service, group_proto[udp].name);

	return *text ? value_ports(group_proto[udp].name, text) :
		       (struct ports){ .n = 0 };
}
