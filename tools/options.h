/* SPDX-License-Identifier: GPL-2.0-only */
/* Which options the commands have, and what they make of the command line. */
#ifndef _TOOLS_OPTIONS_H
#define _TOOLS_OPTIONS_H

#include "args.h"

/* The commands, as bits of what an option is for */
enum {
	LIST	= 1 << 0,
	MONITOR	= 1 << 1,
	PAIRS	= 1 << 2,
	FLUSH	= 1 << 3,
	STAT	= 1 << 4,
	UP	= 1 << 5,
	DOWN	= 1 << 6,
	CHECK	= 1 << 7,
	SERVICES = 1 << 8,
	BYPASS	= 1 << 9,
	FOLLOW	= 1 << 10,
	SILENCE	= 1 << 11,
	RELOAD	= 1 << 12,
	POLICY	= 1 << 13,
	REPAIR	= 1 << 14,
	EXEMPT	= 1 << 15,
	BRIDGED	= UP | DOWN | BYPASS | CHECK | FOLLOW | REPAIR,	/* the bridge is an argument */
	FILTERED = LIST | MONITOR | PAIRS | FLUSH,
	ALL	= (1 << 16) - 1,
};

struct command {
	const char *name;
	unsigned int bit;
	int (*run)(struct args *args);
	const char *help;
};

/*
 * Reads the options and arguments of a command, argv[0]; a file, if they name one;
 * and enters the namespace that they name. Prints help and versions, and is not
 * back then.
 */
void options_parse(struct args *args, const struct command *command, int argc,
		   char **argv);
void options_versions(void);

#endif /* _TOOLS_OPTIONS_H */
