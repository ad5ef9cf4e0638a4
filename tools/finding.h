/* SPDX-License-Identifier: GPL-2.0-only */
/* What "mackeep check" has found, and the report of it. */
#ifndef _TOOLS_FINDING_H
#define _TOOLS_FINDING_H

#include <jansson.h>
#include <stdbool.h>

/* Worst first */
enum rank { BROKEN, WRONG, DOUBTFUL };

/* Takes text and remedy, the command that mends it. */
void found(enum rank rank, const char *id, char *text, char *remedy);

/* Whether something of that name was found by now */
bool finding_has(const char *id);

/* What was found, the worst first: objects with id, rank, text and remedy */
json_t *finding_list(void);
/* Prints one of these as a line. */
void finding_print(const json_t *finding);
/* Prints what was found, with OUT_JSON in out as JSON; returns the exit status. */
int finding_report(unsigned int out);

#endif /* _TOOLS_FINDING_H */
