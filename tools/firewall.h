/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains of this machine's firewalls that drop what the proxy is to get. */
#ifndef _TOOLS_FIREWALL_H
#define _TOOLS_FIREWALL_H

#include <jansson.h>

#include "probe.h"

/* What is lifted for a service, as it comes to the IP stack with TPROXY's mark */
struct traffic {
	int family;
	int proto;
	const struct ports *ports;	/* none: any */
	const char *bridge;
	const char *device;		/* the bridge, or a VLAN device on it */
	uint32_t mark, mask;
};

/* A chain that drops, and the one rule that lets exactly this pass */
struct wall {
	bool now;			/* false: not as long as all stays as it is */
	char *text;			/* what it drops */
	char *mend;			/* a command; lasts as long as it can */
	json_t *todo, *undo, *test;	/* the rule as a step of up; NULL: up cannot */
	char *expect;			/* of the test */
};

struct walls {
	unsigned int n;
	struct wall *wall;
};

/* Adds those that are not in the list yet. */
void firewall_input(const struct probe *probe, const struct traffic *traffic,
		    struct walls *walls);
/* The same for chains of the bridge itself, which the frames pass before */
void firewall_frames(const struct probe *probe, const struct traffic *traffic,
		     struct walls *walls);
/*
 * Frames that just pass the bridge: br_netfilter shows them to the FORWARD of the
 * IP tables, now or, where Docker is, once it is loaded.
 */
void firewall_forward(const struct probe *probe, const char *bridge, int family,
		      struct walls *walls);

#endif /* _TOOLS_FIREWALL_H */
