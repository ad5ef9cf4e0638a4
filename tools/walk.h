/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of a packet in the rules that there are. What a rule asks of it that
 * cannot be told counts as not met: so it is dropped only where it is for sure.
 */
#ifndef _TOOLS_WALK_H
#define _TOOLS_WALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "probe.h"

struct packet {
	int family;
	uint8_t proto;
	uint16_t sport, dport;
	uint32_t mark;
	const char *in;			/* the device; of a frame the bridge */
	const char *out;		/* NULL: it is for this machine */
	bool established;		/* of a connection that has seen an answer */
	bool frame;			/* of the bridge still */
};

struct fate {
	bool dropped;
	bool kept;			/* a rule that keeps MACs may have seen it */
};

/* What rules say of a packet */
enum verdict { GOES_ON, RETURNS, ACCEPTED, DROPPED };

#define WALK_DEPTH	16		/* of chains that call each other */

/* Whether a rule asks for something that the packet has */
enum match { NO, MAYBE, YES };

static inline enum match match_if(bool yes)
{
	return yes ? YES : NO;
}

static inline enum match match_not(enum match match)
{
	return YES - match;
}

/* A name of a device, that may end as in "br+" or "br*" */
bool match_device(const char *pattern, const char *device);

/* Through a built-in chain of iptables */
struct fate walk_saved(const struct probe *probe, const char *program,
		       const char *table, const char *chain,
		       const struct packet *packet);
/* Through a base chain of nft */
struct fate walk_nft(const struct probe *probe, const json_t *chain,
		     const struct packet *packet);

#endif /* _TOOLS_WALK_H */
