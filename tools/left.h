/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows of which a packet was left alone, as the module notes them. */
#ifndef _TOOLS_LEFT_H
#define _TOOLS_LEFT_H

#include <jansson.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <stdbool.h>
#include <stdint.h>

struct left {
	uint32_t id;			/* of the flow */
	uint32_t seconds;		/* since then */
	bool dropped;
	char reason[16];		/* the counter's name */
};

/* Asks for all of them; none without the module, or with an older one. */
void left_read(void);
/* That of a flow, of those that were read, or NULL */
const struct left *left_of(const struct nf_conntrack *ct);
/* Appends " left=.." and returns the end. */
char *left_line(char *at, const struct left *left);
json_t *left_json(const struct left *left);

/*
 * Events: a socket that hears of them while the module is there, and of its coming
 * and going; what a message of it says, as an entry to be destroyed, or NULL if it
 * is about something else. untold: how many were not told before.
 */
struct mnl_socket *left_listen(void);
struct nf_conntrack *left_event(struct mnl_socket *nl,
				const struct nlmsghdr *nlh, struct left *left,
				uint32_t *untold);

#endif /* _TOOLS_LEFT_H */
