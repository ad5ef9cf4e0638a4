/* SPDX-License-Identifier: GPL-2.0-only */
/* The services of the module, and how they open and close */
#ifndef _TOOLS_SERVICES_H
#define _TOOLS_SERVICES_H

#include <jansson.h>
#include <stdbool.h>

struct args;

/*
 * The services, as objects with their mark, proto, port, fail and bypass as
 * numbers, and the states ipv4 and ipv6 as words; none without the module.
 */
json_t *services_read(void);
/* Puts one of these into bypass, or takes it out. */
void services_bypass(const json_t *service, bool bypass);

int services_monitor(const struct args *args);

#endif /* _TOOLS_SERVICES_H */
