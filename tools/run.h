/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs, started without a shell. */
#ifndef _TOOLS_RUN_H
#define _TOOLS_RUN_H

#include <jansson.h>

struct result {
	int status;		/* exit status; 127: there is no such program */
	char *out;		/* what it wrote to stdout */
	char *err;		/* and to stderr */
};

/* argv ends in NULL; input is for stdin and may be NULL. "mackeep" is this program. */
struct result run(const char *const *argv, const char *input);
/* The same for a JSON array of words */
struct result run_words(const json_t *words, const char *input);
void run_free(struct result *result);

/* The JSON that a program prints; NULL when it fails or prints something else */
json_t *run_json(const char *const *argv);

#define RUN(...)	run((const char *const[]){ __VA_ARGS__, NULL }, NULL)
#define RUN_JSON(...)	run_json((const char *const[]){ __VA_ARGS__, NULL })

#endif /* _TOOLS_RUN_H */
