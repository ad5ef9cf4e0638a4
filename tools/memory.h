/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module knows in this network namespace, and what was set there: read
 * before it goes, written when it is back.
 */
#ifndef _TOOLS_MEMORY_H
#define _TOOLS_MEMORY_H

#include <jansson.h>
#include <stdio.h>

/* Guards, sysctls, services and the default policy, as an object */
json_t *memory_settings(void);
/* Back: what has to be there before the first rule, services in bypass */
void memory_settings_back(const json_t *settings);
/* And what needs all else: services as they were */
void memory_services_back(const json_t *settings);

/*
 * Pairs and records, as text that memory_known_back() takes. The flows of UDP go
 * to a file as elements of sets of nft, see curtain.c.
 */
struct known {
	char *text;
	unsigned int pairs, records;
	char *udp4, *udp6;
};

void memory_known(struct known *known);
/* age: milliseconds since. Returns how many of them are not back. */
unsigned int memory_known_back(const char *text, unsigned int age);

#endif /* _TOOLS_MEMORY_H */
