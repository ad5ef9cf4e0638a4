// SPDX-License-Identifier: GPL-2.0-only
/* The Makefile makes stat-meanings.h from the comments in kmod/stat-names.h. */
#include <stddef.h>
#include <string.h>

#include "meanings.h"

const struct meaning meanings[] = {
	{ NULL, "the pair cache" },
	{ "pairs", "entries it has now" },
#define GROUP(text)		{ NULL, text },
#define COUNTER(name, text)	{ name, text },
#include "stat-meanings.h"
	{ NULL, NULL },
};

bool meaning_known(const char *name)
{
	const struct meaning *meaning;

	for (meaning = meanings; meaning->text; meaning++)
		if (meaning->name && !strcmp(meaning->name, name))
			return true;
	return false;
}
