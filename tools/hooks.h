/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are told of each service's state. One that takes long holds up
 * nobody: it is told of the last state when it is done, and of none in between.
 */
#ifndef _TOOLS_HOOKS_H
#define _TOOLS_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct service;

/*
 * directory: its executable files are the hooks; timeout: milliseconds that one
 * may run. Signals that the caller blocks are not blocked for them.
 */
void hooks_open(const char *directory, int64_t timeout);
/* A service's state of IPv4 or IPv6: MACKEEP_SERVICE_* or SERVICE_GONE */
void hooks_tell(const struct service *service, bool v6, uint8_t state);
/*
 * Starts, ends and buries what there is. Call it after SIGCHLD and hooks_tell(),
 * and at the time that it returns.
 */
int64_t hooks_run(void);
/* True: each hook has ended and knows each state. */
bool hooks_idle(void);
/* Kills those that run. */
void hooks_kill(void);

#endif /* _TOOLS_HOOKS_H */
