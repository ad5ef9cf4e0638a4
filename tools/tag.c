// SPDX-License-Identifier: GPL-2.0-only
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "tag.h"
#include "text.h"

unsigned int tag_id(struct tag tag)
{
	return tag.proto ? tag.vlan & 0xfff : tag.vlan;
}

static const char *tag_kind(struct tag tag)
{
	return tag.proto == ETH_P_8021AD ? "802.1ad" : "802.1Q";
}

/* A line says what is not the usual. */
char *tag_put(char *at, struct tag tag)
{
	if (!tag.vlan)
		return at;
	at += sprintf(at, " vlan=%u", tag_id(tag));
	if (!tag.proto)
		return at;
	at = stpcpy(stpcpy(at, " tag="), tag_kind(tag));
	if (tag.vlan >> 13)
		at += sprintf(at, " pcp=%d", tag.vlan >> 13);
	return tag.vlan & 1 << 12 ? stpcpy(at, " dei=1") : at;
}

void tag_json(json_t *object, struct tag tag)
{
	json_int(object, "vlan", tag_id(tag));
	if (!tag.proto)
		return;
	json_text(object, "tag", tag_kind(tag));
	json_int(object, "pcp", tag.vlan >> 13);
	json_int(object, "dei", tag.vlan >> 12 & 1);
}
