/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a bridge: those of a plan that are not done, for up and repair. */
#ifndef _TOOLS_STEPS_H
#define _TOOLS_STEPS_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Calls tell(step), which may be NULL, for each step of the plan that is not done,
 * and does it unless it is a dry run. The state learns of it before. 0, or one has
 * failed, and those behind it are not done.
 */
int steps_do(const char *bridge, json_t *state, const json_t *plan,
	     void (*tell)(const json_t *step), bool dry_run);

#endif /* _TOOLS_STEPS_H */
