// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exemptions with the same shape, which is what they name and the lengths of their
 * prefixes, are the elements of one set, and a rule looks up the masked addresses in
 * it. So sets have no intervals: a network and an address in it are both there and
 * can both be deleted, an element is added or deleted in no time however many there
 * are, and 100,000 are loaded in a fraction of the time.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exempt-nft.h"
#include "numbers.h"
#include "plan-text.h"
#include "run.h"
#include "say.h"
#include "text.h"

/* Each is a lookup for each frame that is for the proxy. */
#define SHAPES_MAX	256

/* What an nft script changes */
struct script {
	const char *table;
	unsigned int shapes;		/* that there are afterwards */
	bool reshaped;
	struct text change, rules, gone;
};

/* Keys of one shape, or all */
struct keys {
	const struct exemption_key *one;
	size_t n;
};

/* No bridge has a "/" in its name. */
const char *exempt_table(const char *bridge)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s/exempt", plan_name(bridge));
	return name;
}

bool exempt_table_there(const char *bridge)
{
	struct result result = RUN("nft", "list", "tables", "bridge");
	char line[80];
	bool there;

	snprintf(line, sizeof(line), "table bridge %s\n", exempt_table(bridge));
	there = !result.status && strstr(result.out, line);
	run_free(&result);
	return there;
}

/* --- shapes ------------------------------------------------------------------------- */

static const char *ip(const struct exemption_key *key)
{
	return key->family == 4 ? "ip" : "ip6";
}

static unsigned int whole(const struct exemption_key *key)
{
	return key->family == 4 ? 32 : 128;
}

/* The parts that a shape has, parted by dots */
static void joined(FILE *file, bool *any, const char *text)
{
	fprintf(file, "%s%s", *any ? " . " : "", text);
	*any = true;
}

static void put_name(FILE *file, const struct exemption_key *key)
{
	fputs(key->family ? ip(key) : "any", file);
	if (key->src_len)
		fprintf(file, "_src%u", key->src_len);
	if (key->dst_len)
		fprintf(file, "_dst%u", key->dst_len);
	if (key->has_mac)
		fputs("_mac", file);
}

static void put_type(FILE *file, const struct exemption_key *key)
{
	const char *type = key->family == 4 ? "ipv4_addr" : "ipv6_addr";
	bool any = false;

	if (key->src_len)
		joined(file, &any, type);
	if (key->dst_len)
		joined(file, &any, type);
	if (key->has_mac)
		joined(file, &any, "ether_addr");
}

static const char *address(const struct exemption_key *key, const uint8_t *addr)
{
	static char text[INET6_ADDRSTRLEN];

	return inet_ntop(key->family == 4 ? AF_INET : AF_INET6, addr, text,
			 sizeof(text));
}

static void put_element(FILE *file, const struct exemption_key *key)
{
	bool any = false;

	if (key->src_len)
		joined(file, &any, address(key, key->src));
	if (key->dst_len)
		joined(file, &any, address(key, key->dst));
	if (key->has_mac)
		joined(file, &any, mac_text(key->mac));
}

/* One field of the packet, masked */
static void put_field(FILE *file, const struct exemption_key *key, bool *any,
		      const char *field, unsigned int len)
{
	uint8_t mask[16] = { 0 };
	char text[96];
	unsigned int i;
	int n;

	n = snprintf(text, sizeof(text), "%s %s", ip(key), field);
	for (i = 0; i < len; i++)
		mask[i / 8] |= 0x80 >> i % 8;
	if (len < whole(key))
		snprintf(text + n, sizeof(text) - n, " & %s", address(key, mask));
	joined(file, any, text);
}

static void put_rule(struct script *script, const struct exemption_key *key)
{
	FILE *file = script->rules.file;
	bool any = false;

	fprintf(file, "add rule bridge %s entries ", script->table);
	/* Of frames with a tag too, which nft's "ether type" is not */
	if (key->family)
		fprintf(file, "meta protocol %s ", ip(key));
	if (key->src_len)
		put_field(file, key, &any, "saddr", key->src_len);
	if (key->dst_len)
		put_field(file, key, &any, "daddr", key->dst_len);
	if (key->has_mac)
		joined(file, &any, "ether saddr");
	fputs(" @", file);
	put_name(file, key);
	fputs(" meta mark set 0x0\n", file);
}

/* --- the script ------------------------------------------------------------------------ */

/* A line that adds or deletes those that are not among others; both are sorted. */
static void put_elements(struct script *script, const char *verb, struct keys keys,
			 struct keys others)
{
	FILE *file = script->change.file;
	size_t i, j = 0, n = 0;
	int order;

	for (i = 0; i < keys.n; i++) {
		order = 1;
		while (j < others.n &&
		       (order = memcmp(&keys.one[i], &others.one[j],
				       sizeof(*keys.one))) > 0)
			j++;
		if (j < others.n && !order)
			continue;
		if (!n++) {
			fprintf(file, "%s element bridge %s ", verb, script->table);
			put_name(file, keys.one);
		}
		fputs(n == 1 ? " { " : ", ", file);
		put_element(file, &keys.one[i]);
	}
	if (n)
		fputs(" }\n", file);
}

static void put_shape(struct script *script, struct keys before, struct keys now)
{
	if (!before.n) {
		fprintf(script->change.file, "add set bridge %s ", script->table);
		put_name(script->change.file, now.one);
		fputs(" { type ", script->change.file);
		put_type(script->change.file, now.one);
		fputs("; }\n", script->change.file);
	}
	put_elements(script, "add", now, before);
	if (now.n) {
		put_elements(script, "delete", before, now);
		put_rule(script, now.one);
		script->shapes++;
	} else {
		fprintf(script->gone.file, "delete set bridge %s ", script->table);
		put_name(script->gone.file, before.one);
		putc('\n', script->gone.file);
	}
	script->reshaped = script->reshaped || !before.n || !now.n;
}

/* Takes those of one shape from the front. */
static struct keys take(struct keys *keys, const struct exemption_key *shape)
{
	struct keys taken = { keys->one, 0 };

	while (taken.n < keys->n &&
	       !memcmp(&keys->one[taken.n], shape, EXEMPTION_SHAPE))
		taken.n++;
	keys->one += taken.n;
	keys->n -= taken.n;
	return taken;
}

static void put_shapes(struct script *script, struct keys before, struct keys now)
{
	const struct exemption_key *shape;
	struct keys old;

	while (before.n || now.n) {
		if (!before.n || (now.n && memcmp(now.one, before.one,
						  EXEMPTION_SHAPE) < 0))
			shape = now.one;
		else
			shape = before.one;
		old = take(&before, shape);
		put_shape(script, old, take(&now, shape));
	}
}

/* The hook comes with the first and goes with the last. */
static void put_hook(FILE *file, const char *table, const char *bridge, bool there)
{
	if (there)
		fprintf(file, "add chain bridge %s lifted { type filter hook prerouting priority -299; policy accept; }\n"
			"add rule bridge %s lifted meta ibrname \"%s\" meta mark & 0x%x == 0x%x goto entries\n",
			table, table, bridge, LIFT_MASK, LIFT_MARK);
	else
		fprintf(file, "flush chain bridge %s lifted\ndelete chain bridge %s lifted\n",
			table, table);
}

static char *stream_end(struct text *text)
{
	fclose(text->file);
	return text->text;
}

/* The whole script, to be freed */
static char *write_script(const char *bridge, bool anew, struct keys before,
			  struct keys now)
{
	struct script script = { .table = exempt_table(bridge) };
	struct text all;
	char *rules, *gone, *change;

	text_open(&script.change);
	text_open(&script.rules);
	text_open(&script.gone);
	put_shapes(&script, before, now);
	if (script.shapes > SHAPES_MAX)
		die(FAILED, "exemptions: they have more than %d lengths of prefixes and combinations, and each costs time for each frame; use fewer lengths",
		    SHAPES_MAX);
	change = stream_end(&script.change);
	rules = stream_end(&script.rules);
	gone = stream_end(&script.gone);

	text_open(&all);
	if (anew)
		fprintf(all.file, "add table bridge %s\ndelete table bridge %s\n"
			"add table bridge %s\nadd chain bridge %s entries\n",
			script.table, script.table, script.table, script.table);
	fputs(change, all.file);
	if (script.reshaped)
		fprintf(all.file, "flush chain bridge %s entries\n%s%s",
			script.table, rules, gone);
	if (!before.n != !now.n)
		put_hook(all.file, script.table, bridge, now.n);
	free(change);
	free(rules);
	free(gone);
	return stream_end(&all);
}

/* 0, or it failed; why is *error then, to be freed. */
static int run_script(char *script, char **error)
{
	struct result result = run((const char *const[]){ "nft", "-f", "-", NULL },
				   script);

	free(script);
	free(result.out);
	*error = result.err;
	return result.status;
}

void exempt_table_set(const char *bridge, const struct exemptions *before,
		      const struct exemptions *now)
{
	struct keys old = { NULL, 0 }, new;
	char *error = NULL;
	int failed = 1;

	new.one = exemptions_keys(now, &new.n);
	if (before)
		old.one = exemptions_keys(before, &old.n);
	if (before)
		failed = run_script(write_script(bridge, false, old, new), &error);
	/* Somebody else has changed the table. */
	if (failed) {
		free(error);
		failed = run_script(write_script(bridge, true,
						 (struct keys){ NULL, 0 }, new),
				    &error);
	}
	if (failed)
		die(FAILED, "bridge %s: nft does not take the exemptions: %.400s",
		    bridge, error);
	free(error);
	free((void *)old.one);
	free((void *)new.one);
}
