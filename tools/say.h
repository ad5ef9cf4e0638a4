/* SPDX-License-Identifier: GPL-2.0-only */
/* What the user is told: errors and counts on stderr, colours on a terminal. */
#ifndef _TOOLS_SAY_H
#define _TOOLS_SAY_H

#include <stdbool.h>

/* Exit status */
enum { DONE = 0, FAILED = 1, BAD_ARGS = 2 };

/* The command that errors name; NULL until it is known */
extern const char *command_name;

/* Escape sequences; "" when the output has no colours */
extern const char *bold, *red, *green, *yellow, *cyan, *plain;
extern bool terminal;			/* stdout is a terminal */
extern unsigned int columns;		/* its width */

/* Looks at the terminal; call it before anything is printed. */
void screen(void);

/* An error: "mackeep: COMMAND: thing: reason; remedy" */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
#define out_of_memory()	die(FAILED, "memory: none left")

/* No error: "mackeep vVERSION: text" */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* _TOOLS_SAY_H */
