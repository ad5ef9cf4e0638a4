// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "args.h"
#include "finding.h"
#include "say.h"
#include "text.h"

struct finding {
	enum rank rank;
	unsigned int order;	/* as found, which follows a packet's way */
	const char *id;
	char *text;
	char *remedy;
};

static struct finding findings[128];
static unsigned int found_count;

void found(enum rank rank, const char *id, char *text, char *remedy)
{
	if (found_count == 128)
		return;
	findings[found_count] = (struct finding){ rank, found_count, id, text,
						  remedy };
	found_count++;
}

static int worse(const void *a, const void *b)
{
	const struct finding *one = a, *other = b;

	return one->rank != other->rank ? (int)one->rank - (int)other->rank :
					  (int)one->order - (int)other->order;
}

int finding_report(unsigned int out)
{
	static const char *const rank[] = { "broken", "wrong", "doubtful" };
	const char *const colour[] = { red, yellow, cyan };
	unsigned int i;

	qsort(findings, found_count, sizeof(*findings), worse);
	if (out & OUT_JSON)
		json_begin();
	for (i = 0; i < found_count; i++) {
		const struct finding *one = &findings[i];

		if (out & OUT_JSON)
			json_print(json_pack("{s:s, s:s, s:s, s:s}", "id",
					     one->id, "rank", rank[one->rank],
					     "text", one->text, "remedy",
					     one->remedy));
		else
			printf("%s%s%s: %s; mend: %s%s%s\n", colour[one->rank],
			       one->id, plain, one->text, bold, one->remedy,
			       plain);
	}
	if (out & OUT_JSON)
		json_end();
	note("%u findings.", found_count);
	return found_count ? FAILED : DONE;
}
