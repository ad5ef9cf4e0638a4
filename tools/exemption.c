// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exemption.h"
#include "say.h"
#include "state.h"
#include "text.h"
#include "values.h"

#define DIRECTORY	"/etc/mackeep"

static const struct exemption_key nothing;

bool exemption_says(const struct exemption_key *key)
{
	return memcmp(key, &nothing, sizeof(nothing));
}

/* --- a line ---------------------------------------------------------------------- */

static bool is_name(const char *text)
{
	bool letters = false;

	for (; *text && *text != '/'; text++) {
		if (*text == ':')
			return false;
		letters = letters || isalpha((unsigned char)*text);
	}
	return letters;
}

/* Clears the bits behind a prefix. */
static void mask(uint8_t *addr, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < 16; i++, len -= len < 8 ? len : 8)
		addr[i] &= len < 8 ? 0xff00 >> len : 0xff;
}

/* The prefix, or 0 */
static unsigned int prefix(const char *text, unsigned int max)
{
	unsigned long len;
	char *end;

	len = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
	return len && !*end && len <= max ? len : 0;
}

static void take_address(struct exemption_key *key, const char *where,
			 const char *word, const char *value, uint8_t *addr,
			 uint8_t *len)
{
	char host[64], *slash;
	unsigned int max;
	uint8_t family;

	snprintf(host, sizeof(host), "%s", value);
	slash = strchr(host, '/');
	if (slash)
		*slash++ = '\0';
	family = inet_pton(AF_INET, host, addr) == 1 ? 4 :
		 inet_pton(AF_INET6, host, addr) == 1 ? 6 : 0;
	if (!family && is_name(value))
		die(BAD_ARGS, "%s%s %s: it is a name, and names are not looked up; resolve it with what you like, and give the addresses",
		    where, word, value);
	if (!family)
		die(BAD_ARGS, "%s%s %s: it is no IPv4 or IPv6 address", where,
		    word, value);
	if (key->family && key->family != family)
		die(BAD_ARGS, "%s%s %s: one of src and dst is of IPv4 and one of IPv6; make two exemptions of it",
		    where, word, value);
	max = family == 4 ? 32 : 128;
	key->family = family;
	*len = slash ? prefix(slash, max) : max;
	if (slash && !strcmp(slash, "0"))
		die(BAD_ARGS, "%s%s %s: that is everybody; leave %s out, or see mackeep bypass",
		    where, word, value, word);
	if (!*len)
		die(BAD_ARGS, "%s%s %s: the prefix is not a number from 1 to %u",
		    where, word, value, max);
	mask(addr, *len);
}

void exemption_take(struct exemption_key *key, const char *where,
		    const char *word, const char *value)
{
	bool src = !strcmp(word, "src"), dst = !strcmp(word, "dst");
	const char *want;

	if (!src && !dst && strcmp(word, "mac"))
		die(BAD_ARGS, "%s%s: it is not src, dst or mac", where, word);
	if (!value)
		die(BAD_ARGS, "%s%s: it needs an address", where, word);
	if (src ? key->src_len : dst ? key->dst_len : key->has_mac)
		die(BAD_ARGS, "%s%s %s: there is another %s; make two exemptions of it",
		    where, word, value, word);
	if (src) {
		take_address(key, where, word, value, key->src, &key->src_len);
	} else if (dst) {
		take_address(key, where, word, value, key->dst, &key->dst_len);
	} else {
		want = mac_read(value, key->mac);
		if (want)
			die(BAD_ARGS, "%smac %s: it is not %s", where, value, want);
		key->has_mac = 1;
	}
}

static void line_take(struct exemption_key *key, const char *where,
		      const char *line)
{
	char *copy = strndup(line, strcspn(line, "#")), *word, *save;

	if (!copy)
		out_of_memory();
	for (word = strtok_r(copy, " \t\r", &save); word;
	     word = strtok_r(NULL, " \t\r", &save))
		exemption_take(key, where, word, strtok_r(NULL, " \t\r", &save));
	free(copy);
}

/* Appends " WORD ADDRESS/N"; without the prefix when it is one address. */
static int put_address(char *at, const char *word, uint8_t family,
		       const uint8_t *addr, unsigned int len)
{
	char text[INET6_ADDRSTRLEN];
	int n;

	if (!len)
		return 0;
	inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	n = sprintf(at, " %s %s", word, text);
	if (len != (family == 4 ? 32 : 128))
		n += sprintf(at + n, "/%u", len);
	return n;
}

char *exemption_text(const struct exemption_key *key, const char *comment)
{
	char line[256];
	int n;

	n = put_address(line, "src", key->family, key->src, key->src_len);
	n += put_address(line + n, "dst", key->family, key->dst, key->dst_len);
	if (key->has_mac)
		sprintf(line + n, " mac %s", mac_text(key->mac));
	return format("%s%s%s", line + 1, comment ? "  # " : "", comment ?: "");
}

static void json_address(json_t *object, const char *word, uint8_t family,
			 const uint8_t *addr, unsigned int len)
{
	char text[64];

	if (put_address(text, "", family, addr, len))
		json_text(object, word, text + 2);
}

json_t *exemption_json(const struct exemption *one)
{
	const struct exemption_key *key = &one->key;
	const char *comment = strchr(one->text, '#');
	json_t *object = json_object();

	json_address(object, "src", key->family, key->src, key->src_len);
	json_address(object, "dst", key->family, key->dst, key->dst_len);
	if (key->has_mac)
		json_text(object, "mac", mac_text(key->mac));
	if (comment)
		json_text(object, "comment", comment + 1 + strspn(comment + 1, " \t"));
	return object;
}

/* --- all of them ------------------------------------------------------------------- */

void exemptions_add(struct exemptions *all, const struct exemption_key *key,
		    char *text)
{
	if (all->n == EXEMPT_MAX)
		die(FAILED, "exemptions: more than %d lines; join addresses to networks",
		    EXEMPT_MAX);
	if (all->n == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->one = realloc(all->one, all->room * sizeof(*all->one));
		if (!all->one)
			out_of_memory();
	}
	all->one[all->n++] = (struct exemption){ .key = *key, .text = text };
}

size_t exemptions_del(struct exemptions *all, const struct exemption_key *key)
{
	size_t i, n = 0, gone;

	for (i = 0; i < all->n; i++)
		if (memcmp(&all->one[i].key, key, sizeof(*key)))
			all->one[n++] = all->one[i];
		else
			free(all->one[i].text);
	gone = all->n - n;
	all->n = n;
	return gone;
}

struct exemption *exemptions_find(const struct exemptions *all,
				  const struct exemption_key *key)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (!memcmp(&all->one[i].key, key, sizeof(*key)))
			return &all->one[i];
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct exemption_key));
}

struct exemption_key *exemptions_keys(const struct exemptions *all, size_t *n)
{
	struct exemption_key *keys = calloc(all->n + 1, sizeof(*keys));
	size_t i, m = 0;

	if (!keys)
		out_of_memory();
	for (i = 0; i < all->n; i++)
		if (exemption_says(&all->one[i].key))
			keys[m++] = all->one[i].key;
	qsort(keys, m, sizeof(*keys), compare);
	*n = 0;
	for (i = 0; i < m; i++)
		if (!i || compare(&keys[i], &keys[i - 1]))
			keys[(*n)++] = keys[i];
	return keys;
}

/* --- files ------------------------------------------------------------------------- */

const char *exemptions_path(const char *bridge)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), DIRECTORY "/%s%s.exempt", bridge,
		 namespace_name());
	return path;
}

void exemptions_read(struct exemptions *all, const char *path, bool must)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL, where[PATH_MAX + 32];
	struct exemption_key key;
	size_t size = 0;
	ssize_t len;

	*all = (struct exemptions){ .n = 0 };
	if (!file && errno == ENOENT && !must)
		return;
	if (!file)
		die(FAILED, "%s: %s; - stands for standard input", path,
		    strerror(errno));
	while ((len = getline(&line, &size, file)) > 0) {
		line[len - (line[len - 1] == '\n')] = '\0';
		snprintf(where, sizeof(where), "%s line %zu: ",
			 file == stdin ? "standard input" : path, all->n + 1);
		key = nothing;
		line_take(&key, where, line);
		exemptions_add(all, &key, format("%s", line));
	}
	if (ferror(file))
		die(FAILED, "%s: %s", path, strerror(errno));
	free(line);
	if (file != stdin)
		fclose(file);
}

void exemptions_write(const struct exemptions *all, const char *path)
{
	char *new = format("%s.new", path);
	bool written;
	FILE *file;
	size_t i;

	mkdir(DIRECTORY, 0755);
	file = fopen(new, "we");
	for (i = 0; file && i < all->n; i++)
		fprintf(file, "%s\n", all->one[i].text);
	written = file && !fflush(file) && !ferror(file) && !fsync(fileno(file));
	if (file)
		written = !fclose(file) && written;
	if (!written || rename(new, path) < 0)
		die(FAILED, "%s: %s; it is as it was before", path, strerror(errno));
	free(new);
}
