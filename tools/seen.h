/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module has counted since "mackeep check" looked last. Counters only
 * grow, so a finding is what came since then.
 */
#ifndef _TOOLS_SEEN_H
#define _TOOLS_SEEN_H

#include <stdint.h>

/* How much a counter has grown; a new module begins at 0. */
uint64_t seen_since(const char *name);
/* From here on they are looked at. */
void seen_save(void);

#endif /* _TOOLS_SEEN_H */
