/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of iptables and ebtables, as their programs save them. */
#ifndef _TOOLS_SAVED_H
#define _TOOLS_SAVED_H

struct saved {
	const char *program;		/* that can delete it */
	char table[16];
	char *text;			/* without "-A" */
};

/* All rules of all programs; returns how many. */
unsigned int saved_load(struct saved **rules);
/* What follows an option in the text; "" when it is not there */
const char *saved_option(const struct saved *rule, const char *option);
/*
 * The policy of a built-in chain of iptables, "-" of another one. NULL: there is no
 * such chain, or saved_load() has not been called.
 */
const char *saved_policy(const char *program, const char *table,
			 const char *chain);
/* The command that deletes a rule */
char *saved_delete(const struct saved *rule);

#endif /* _TOOLS_SAVED_H */
