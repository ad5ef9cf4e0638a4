/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The services that up is asked for: ports, and the port of the proxy that takes
 * them. On the command line each --to ends a group, in a file each empty line.
 */
#ifndef _TOOLS_GROUP_H
#define _TOOLS_GROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "values.h"

#define GROUPS_MAX	64

struct group {
	struct ports ports[2];		/* TCP, UDP; none: that is not proxied */
	uint16_t to;			/* 0: not said yet */
	uint32_t mark;			/* of the frames that are for it */
};

struct groups {
	unsigned int n;			/* that have ended */
	struct group group[GROUPS_MAX + 1];	/* one more is being read */
};

/* The protocols by the index of ports[] */
extern const struct proto { const char *name; int number; } group_proto[2];

void groups_ports(struct groups *groups, bool udp, const char *value);
void groups_to(struct groups *groups, uint16_t to);
void groups_next(struct groups *groups);
/* Nothing was said. */
bool groups_empty(const struct groups *groups);
/* Ends the last; dies unless each has ports, a proxy and ports of its own. */
void groups_finish(struct groups *groups);
/* Whether any has ports of that protocol */
bool groups_have(const struct groups *groups, bool udp);

/*
 * Gives each group a mark that no other bridge uses, the one it had in state, which
 * may be NULL, if its proxy is the same.
 */
void groups_mark(struct groups *groups, const char *bridge, const json_t *state);

/* As the state file has them: an array of to, mark, tcp, udp */
json_t *groups_json(const struct groups *groups);
/* One of them: its ports of a protocol; none: it is not proxied */
struct ports group_ports(const json_t *service, bool udp);

#endif /* _TOOLS_GROUP_H */
