/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A step of "mackeep up": a command, the command that undoes it, and how to see
 * whether it is done. It is a JSON object, which the state file has as it is:
 *
 *   do, undo		a command, as an array of words; undo may be missing
 *   do_more		words that end do, but make no other step of it
 *   do_input, undo_input  what the command reads, if anything
 *   test		the step is done when this command succeeds and prints
 *			"expect", or anything at all if there is no "expect"
 *   whole		and also this; without it there is something to undo all the same
 *   file, value	instead of test: it is done when the file reads so
 *   module		instead of test: it is done when the module is loaded
 *   ifindex		of the device, where another name of it makes no other step
 */
#ifndef _TOOLS_STEP_H
#define _TOOLS_STEP_H

#include <jansson.h>
#include <stdbool.h>

/* An array of words; the last argument is NULL. */
json_t *words(const char *first, ...) __attribute__((sentinel));

#define WORDS(...)	words(__VA_ARGS__, (char *)NULL)

/* Appends a step to a plan and takes all three; undo and test may be NULL. */
json_t *step_add(json_t *plan, json_t *todo, json_t *undo, json_t *test);
/*
 * Appends one that sets a sysctl, and returns it. missing: the value to go back to
 * when there is no such file yet; NULL: leave the step out then, and return NULL.
 */
json_t *step_sysctl(json_t *plan, const char *key, const char *value,
		    const char *missing);
/* True if both are the same command with the same input. */
bool step_same(const json_t *one, const json_t *other);
bool step_done(const json_t *step);
/* True also if somebody has taken a part away. */
bool step_begun(const json_t *step);

/* A command as a shell takes it, to be freed */
char *step_words(const json_t *argv);

/* which: "do" or "undo". Both run or print that command. */

/* 0, or it has said what was wrong. */
int step_run(const json_t *step, const char *which);
/* As a shell takes it, behind a prefix */
void step_print(const json_t *step, const char *which, const char *prefix);

#endif /* _TOOLS_STEP_H */
