/* SPDX-License-Identifier: GPL-2.0-only */
/* The VLAN of a flow or pair, as the module shows it: with its tag, or a device's. */
#ifndef _TOOLS_TAG_H
#define _TOOLS_TAG_H

#include <jansson.h>
#include <stdint.h>

/* vlan and proto as in struct mackeep_info */
struct tag {
	uint16_t vlan;
	uint16_t proto;
};

unsigned int tag_id(struct tag tag);
/* Appends " vlan=10", and what else the tag says; returns the end. */
char *tag_put(char *at, struct tag tag);
/* The same as keys of an object */
void tag_json(json_t *object, struct tag tag);

#endif /* _TOOLS_TAG_H */
