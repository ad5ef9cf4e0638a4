/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands that mend what "mackeep up" has set up */
#ifndef _TOOLS_MEND_H
#define _TOOLS_MEND_H

#include "probe.h"

/*
 * The command that sets a bridge up again if "mackeep up" did it: it knows ports,
 * marks and programs that a rule of our own would have to guess. Else otherwise,
 * which is taken.
 */
char *mend_by_up(const struct probe *probe, char *otherwise);

#endif /* _TOOLS_MEND_H */
