// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

int counters_read(struct counters *counters)
{
	FILE *file = fopen("/proc/net/stat/mackeep", "r");
	char *line = NULL, *word, *save;
	size_t size = 0;
	unsigned int i;

	counters->n = 0;
	if (!file)
		return -1;
	if (getline(&line, &size, file) > 0)
		for (word = strtok_r(line, " \n", &save);
		     word && counters->n < COUNTERS_MAX;
		     word = strtok_r(NULL, " \n", &save)) {
			i = counters->n++;
			snprintf(counters->name[i], sizeof(counters->name[i]),
				 "%s", word);
			counters->value[i] = 0;
		}
	while (getline(&line, &size, file) > 0)
		for (i = 0, word = strtok_r(line, " \n", &save);
		     word && i < counters->n;
		     i++, word = strtok_r(NULL, " \n", &save))
			counters->value[i] += strtoull(word, NULL, 10);
	free(line);
	fclose(file);
	return 0;
}

int counters_find(const struct counters *counters, const char *name)
{
	unsigned int i;

	for (i = 0; i < counters->n; i++)
		if (!strcmp(counters->name[i], name))
			return i;
	return -1;
}

const struct counters *counters_now(void)
{
	static struct counters counters;

	if (!counters.n)
		counters_read(&counters);
	return &counters;
}

uint64_t counter_value(const char *name)
{
	const struct counters *counters = counters_now();
	int i = counters_find(counters, name);

	return i < 0 ? 0 : counters->value[i];
}
