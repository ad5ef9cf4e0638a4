/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who goes past the proxy on a bridge: a text file with a line for each, such as
 *
 *	src 192.0.2.0/24 dst 203.0.113.7 mac 02:00:00:00:00:01  # why
 *
 * of which any of the three may be missing, but not all. Lines are kept as they are
 * written.
 */
#ifndef _TOOLS_EXEMPTION_H
#define _TOOLS_EXEMPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXEMPT_MAX	1000000

/* What one says. The first four bytes are its shape; memcmp() sorts by that first. */
struct exemption_key {
	uint8_t family;			/* 4, 6; 0: no address */
	uint8_t src_len, dst_len;	/* of the prefix; 0: any */
	uint8_t has_mac;
	uint8_t src[16], dst[16];
	uint8_t mac[6];
};

#define EXEMPTION_SHAPE	4

struct exemption {
	struct exemption_key key;	/* all 0: the line says nothing */
	char *text;			/* the line */
};

struct exemptions {
	size_t n, room;
	struct exemption *one;
};

/* Takes a word and its value into a key; where is what an error begins with. */
void exemption_take(struct exemption_key *key, const char *where,
		    const char *word, const char *value);
/* False: it says nothing. */
bool exemption_says(const struct exemption_key *key);
/* The line of a key, allocated; comment may be NULL */
char *exemption_text(const struct exemption_key *key, const char *comment);
/* src, dst, mac, comment, as many as there are */
json_t *exemption_json(const struct exemption *one);

/* The bridge's file in /etc/mackeep; valid until the next call */
const char *exemptions_path(const char *bridge);
/* "-": standard input. No such file: none, unless must is set. */
void exemptions_read(struct exemptions *all, const char *path, bool must);
/* The file is whole or as it was before. */
void exemptions_write(const struct exemptions *all, const char *path);
/* Takes text. */
void exemptions_add(struct exemptions *all, const struct exemption_key *key,
		    char *text);
/* Takes out the lines that say the same; how many. */
size_t exemptions_del(struct exemptions *all, const struct exemption_key *key);
/* One that says the same, or NULL */
struct exemption *exemptions_find(const struct exemptions *all,
				  const struct exemption_key *key);
/* What they say, sorted and each once; allocated, *n of them */
struct exemption_key *exemptions_keys(const struct exemptions *all, size_t *n);

#endif /* _TOOLS_EXEMPTION_H */
