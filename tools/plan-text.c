// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "plan-text.h"
#include "say.h"
#include "text.h"

const char *plan_device(const struct args *args)
{
	static char name[IF_NAMESIZE + 8];

	if (!args->vlan)
		return args->bridge;
	snprintf(name, sizeof(name), "%s.%u", args->bridge, args->vlan);
	if (strlen(name) >= IF_NAMESIZE)
		die(BAD_ARGS, "--vlan %u: the device %s would have too long a name; rename the bridge",
		    args->vlan, name);
	return name;
}

const char *plan_name(const char *bridge)
{
	static char name[IF_NAMESIZE + 16];
	char *c;

	snprintf(name, sizeof(name), "mackeep_%s", bridge);
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

bool plan_is_port(const json_t *links, const char *name, const char *bridge)
{
	const json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
		if (json_is(link, "ifname", name))
			return json_is(link, "master", bridge);
	return false;
}

const char *plan_number(const char *format, unsigned int value)
{
	static char text[8][16];
	static unsigned int turn;
	char *s = text[turn++ % 8];

	snprintf(s, sizeof(text[0]), format, value);
	return s;
}

FILE *text_open(struct text *text)
{
	text->file = open_memstream(&text->text, &text->size);
	if (!text->file)
		out_of_memory();
	return text->file;
}

void text_close(struct text *text, json_t *step, const char *key)
{
	fclose(text->file);
	json_text(step, key, text->text);
	free(text->text);
}
