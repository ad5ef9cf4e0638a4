/* SPDX-License-Identifier: GPL-2.0-only */
/* mackeep repair --stay */
#ifndef _TOOLS_STAY_H
#define _TOOLS_STAY_H

/* Repairs a bridge whenever it has to be, until a signal ends it; the exit status. */
int stay(const char *bridge);

#endif /* _TOOLS_STAY_H */
