/* SPDX-License-Identifier: GPL-2.0-only */
/* The services of a bridge that is up: past them, and back. */
#ifndef _TOOLS_BYPASS_H
#define _TOOLS_BYPASS_H

#include <jansson.h>
#include <stdbool.h>

/* Those of a bridge with this state that exist, as services_read() has them */
json_t *bypass_services(const json_t *state);
void bypass_set(const json_t *services, bool bypass);
/* Those that are still there, for other bridges, go on as they were. */
void bypass_restore(const json_t *services);
/*
 * Waits for the sessions that their proxies have, and says each second how many are
 * left. Returns how many are when the seconds are over.
 */
unsigned long bypass_drain(const json_t *state, unsigned int seconds);

#endif /* _TOOLS_BYPASS_H */
