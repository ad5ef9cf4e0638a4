// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool finding_has(const char *id)
{
	const struct finding *one;

	for (one = findings; one < findings + found_count; one++)
		if (!strcmp(one->id, id))
			return true;
	return false;
}

static int worse(const void *a, const void *b)
{
	const struct finding *one = a, *other = b;

	return one->rank != other->rank ? (int)one->rank - (int)other->rank :
					  (int)one->order - (int)other->order;
}

json_t *finding_list(void)
{
	static const char *const ranks[] = { "broken", "wrong", "doubtful" };
	json_t *list = json_array();
	const struct finding *one;

	qsort(findings, found_count, sizeof(*findings), worse);
	for (one = findings; one < findings + found_count; one++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}",
						      "id", one->id, "rank",
						      ranks[one->rank], "text",
						      one->text, "remedy",
						      one->remedy));
	return list;
}

void finding_print(const json_t *finding)
{
	const char *colour = json_is(finding, "rank", "broken") ? red :
			     json_is(finding, "rank", "wrong") ? yellow : cyan;

	printf("%s%s%s: %s; mend: %s%s%s\n", colour, json_get_text(finding, "id"),
	       plain, json_get_text(finding, "text"), bold,
	       json_get_text(finding, "remedy"), plain);
}

int finding_report(unsigned int out)
{
	json_t *list = finding_list(), *one;
	size_t i;

	if (out & OUT_JSON)
		json_begin();
	json_array_foreach(list, i, one) {
		if (out & OUT_JSON)
			json_print(json_incref(one));
		else
			finding_print(one);
	}
	if (out & OUT_JSON)
		json_end();
	json_decref(list);
	note("%u findings.", found_count);
	return found_count ? FAILED : DONE;
}
