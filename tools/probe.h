/* SPDX-License-Identifier: GPL-2.0-only */
/* What check.c looks at: the rules, routes, devices and sockets that are. */
#ifndef _TOOLS_PROBE_H
#define _TOOLS_PROBE_H

#include "mackeep.h"

#define MANY	64

/* A TPROXY rule, of nft or of iptables */
struct tproxy {
	int family;
	int proto;
	struct ports dports;		/* none: any */
	uint16_t to;
	uint32_t mark;			/* 0: sets none */
};

/* A rule of iptables or ebtables as the tool saves it, without "-A" */
struct saved {
	const char *program;		/* that can delete it */
	char table[16];
	char *text;
};

struct bridge {
	char name[IF_NAMESIZE];
	uint32_t group_fwd_mask;
};

struct probe {
	json_t *links;			/* ip -d -j link */
	json_t *nft;			/* nft -j list ruleset */
	unsigned int bridges;
	struct bridge bridge[MANY];
	unsigned int devices;		/* bridges, and VLANs on them */
	char device[MANY][IF_NAMESIZE];
	unsigned int rules;
	struct saved *saved;
	unsigned int tproxies;
	struct tproxy tproxy[MANY];
	uint32_t lift_mark, lift_mask;
};

void probe_make(struct probe *probe, const char *bridge);
/* A device of the bridges: itself, a port, a VLAN */
bool probe_is_ours(const struct probe *probe, const char *device);
/* Whether a port is one of those that TPROXY rules name */
bool probe_is_proxied(const struct probe *probe, int proto, uint16_t port);
/* The text of /proc/sys/KEY as a number; -1: there is none */
long probe_sysctl(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 0: nobody listens there; 1: not with IP_TRANSPARENT; 2: with it */
int probe_listener(int family, int proto, uint16_t port);
/* The port of any transparent listener, or 0 */
uint16_t probe_any_listener(void);

/* In the text of a rule, what follows an option; "" when it is not there */
const char *saved_option(const struct saved *rule, const char *option);
json_t *nft_rule(json_t *object);	/* NULL: something else */
json_t *nft_expression(json_t *rule, const char *name);
/* What it sets the packet's mark to; false when it does not */
bool nft_mark(json_t *rule, uint32_t *mark);
bool nft_is(json_t *object, const char *key, const char *value);

#endif /* _TOOLS_PROBE_H */
