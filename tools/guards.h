/* SPDX-License-Identifier: GPL-2.0-only */
/* The guards of the kernel module */
#ifndef _TOOLS_GUARDS_H
#define _TOOLS_GUARDS_H

#include <stdbool.h>
#include <stdint.h>

struct guard {
	const char *name;
	uint64_t dropped;	/* frames */
	unsigned int ports;	/* that it has now */
	bool whole;		/* it sees what is sent on the ports themselves */
};

/* Calls each(guard, data) for every guard; dies without the module. */
void guards_each(void (*each)(const struct guard *, void *), void *data);
bool guards_have(const char *name);
void guards_add(const char *name);
void guards_del(const char *name);

#endif /* _TOOLS_GUARDS_H */
