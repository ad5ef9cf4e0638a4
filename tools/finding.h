/* SPDX-License-Identifier: GPL-2.0-only */
/* What "mackeep check" has found, and the report of it. */
#ifndef _TOOLS_FINDING_H
#define _TOOLS_FINDING_H

/* Worst first */
enum rank { BROKEN, WRONG, DOUBTFUL };

/* Takes text and remedy, the command that mends it. */
void found(enum rank rank, const char *id, char *text, char *remedy);

/* Prints what was found, with OUT_JSON in out as JSON; returns the exit status. */
int finding_report(unsigned int out);

#endif /* _TOOLS_FINDING_H */
