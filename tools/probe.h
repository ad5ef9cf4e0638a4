/* SPDX-License-Identifier: GPL-2.0-only */
/* What the checks look at: the bridges, the devices and the rules that exist. */
#ifndef _TOOLS_PROBE_H
#define _TOOLS_PROBE_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "saved.h"
#include "values.h"

#define MANY	64

/* A TPROXY rule, of nft or of iptables */
struct tproxy {
	int family;
	int proto;
	struct ports dports;		/* none: any */
	uint16_t to;
	uint32_t mark;			/* 0: sets none */
	uint32_t mask;			/* of the mark */
	char device[IF_NAMESIZE];	/* that packets come in by; "": any */
};

/* What a rule of the bridge marks to be lifted */
struct lift {
	uint32_t mark;
	int proto;
	bool v6;			/* only of IPv6 */
	struct ports dports;
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
	unsigned int lifts;
	struct lift lift[MANY];
};

/* bridge: look at this one. NULL: at those that are up, or all with ports. */
void probe_make(struct probe *probe, const char *bridge);
/* The device that the rules of a remedy are for */
const char *probe_device(const struct probe *probe);
/* True for a bridge, a VLAN on it or a port of it. */
bool probe_is_ours(const struct probe *probe, const char *device);
/* True if a TPROXY rule names the port. */
bool probe_is_proxied(const struct probe *probe, int proto, uint16_t port);
/* A file below /proc/sys as a number; -1: there is none. */
long probe_sysctl(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* _TOOLS_PROBE_H */
