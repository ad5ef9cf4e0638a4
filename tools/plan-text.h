/* SPDX-License-Identifier: GPL-2.0-only */
/* Names, numbers and rules as a plan's commands have them. */
#ifndef _TOOLS_PLAN_TEXT_H
#define _TOOLS_PLAN_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "args.h"

/* The device that packets of the proxied flows come in by */
const char *plan_device(const struct args *args);
/* The name of a bridge's tables and chains; valid until the next call */
const char *plan_name(const char *bridge);
/* Whether the device is a port of the bridge; links: of "ip -j link show" */
bool plan_is_port(const json_t *links, const char *name, const char *bridge);
/* Valid for seven more calls */
const char *plan_number(const char *format, unsigned int value);

/* Text that grows. The stream keeps pointers to the struct: do not copy it. */
struct text {
	char *text;
	size_t size;
	FILE *file;
};

FILE *text_open(struct text *text);
/* Closes the text; a step's command is to read it. */
void text_close(struct text *text, json_t *step, const char *key);

#endif /* _TOOLS_PLAN_TEXT_H */
