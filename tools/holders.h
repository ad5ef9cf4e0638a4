/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules that hold the kernel module: taken out for a while, and put back. */
#ifndef _TOOLS_HOLDERS_H
#define _TOOLS_HOLDERS_H

#include <jansson.h>

/*
 * The rules of this network namespace, as an array of steps: "do" puts some of
 * them in place, "undo" takes them out; all other rules stay where they are.
 * users: how often they hold the module.
 */
json_t *holders_find(unsigned int *users);

/* Dies if another network namespace uses the module. */
void holders_elsewhere(void);

#endif /* _TOOLS_HOLDERS_H */
