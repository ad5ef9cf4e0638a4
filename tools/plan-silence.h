/* SPDX-License-Identifier: GPL-2.0-only */
/* What it takes that a bridge does not talk with MACs of its own, as steps. */
#ifndef _TOOLS_PLAN_SILENCE_H
#define _TOOLS_PLAN_SILENCE_H

#include <jansson.h>
#include <stdbool.h>

/* An address that makes a host of a bridge */
struct own_address {
	char *text;		/* with its device; NULL: there is none */
	bool learned;		/* by the kernel, from a router: the guard's no */
};

struct own_address own_address(const char *bridge);

/* Appends the steps for a device and, if it is a bridge, its ports. */
void plan_silence(json_t *plan, const char *device, bool ipv6);
/* Those of a bridge or of a VLAN device on it, which may come later */
void plan_silence_upper(json_t *plan, const char *device, bool ipv6);
/* That of a port */
void plan_silence_port(json_t *plan, const char *port);

#endif /* _TOOLS_PLAN_SILENCE_H */
