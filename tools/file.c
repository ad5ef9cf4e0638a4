// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "file.h"

char *file_line(const char *name, char *text, size_t size)
{
	FILE *file = fopen(name, "re");

	if (!file)
		return NULL;
	if (!fgets(text, size, file))
		*text = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}
