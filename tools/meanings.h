/* SPDX-License-Identifier: GPL-2.0-only */
/* What the counters mean; see meanings.c. */
#ifndef _TOOLS_MEANINGS_H
#define _TOOLS_MEANINGS_H

#include <stdbool.h>

struct meaning {
	const char *name;		/* NULL: a heading */
	const char *text;
};

/* In the order to be shown; one without a text ends them. */
extern const struct meaning meanings[];

bool meaning_known(const char *name);

#endif /* _TOOLS_MEANINGS_H */
