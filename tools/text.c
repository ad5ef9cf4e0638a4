// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/xt_MACKEEP.h>

#include "say.h"
#include "text.h"

char *format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		out_of_memory();
	va_end(args);
	return text;
}

const char *mac_text(const uint8_t *mac)
{
	static const char digit[] = "0123456789abcdef";
	static char text[4][18];
	static unsigned int turn;
	char *s = text[turn++ % 4];
	int i;

	for (i = 0; i < 6; i++) {
		s[i * 3] = digit[mac[i] >> 4];
		s[i * 3 + 1] = digit[mac[i] & 15];
		s[i * 3 + 2] = i < 5 ? ':' : '\0';
	}
	return s;
}

/* Keeps the names: a million flows have a few devices. */
const char *device_text(unsigned int ifindex)
{
	static struct { unsigned int ifindex; char name[IF_NAMESIZE]; } cache[64];
	unsigned int slot = ifindex % 64;

	if (!ifindex)
		return "any";
	if (cache[slot].ifindex != ifindex) {
		cache[slot].ifindex = ifindex;
		if (!if_indextoname(ifindex, cache[slot].name))
			snprintf(cache[slot].name, sizeof(cache[slot].name),
				 "if%u", ifindex);
	}
	return cache[slot].name;
}

const char *via_text(unsigned int via)
{
	static const char *const text[] = {
		[MACKEEP_VIA_NONE]	= "none",
		[MACKEEP_VIA_LEARNED]	= "learned",
		[MACKEEP_VIA_PAIR]	= "pair",
		[MACKEEP_VIA_REVERSE]	= "reverse",
		[MACKEEP_VIA_CLIENT]	= "client",
		[MACKEEP_VIA_NEIGH]	= "neigh",
		[MACKEEP_VIA_RESTORED]	= "restored",
		[MACKEEP_VIA_ROUTER]	= "router",
	};

	return via <= MACKEEP_VIA_MAX ? text[via] : "unknown";
}

const char *tcp_text(unsigned int state)
{
	static const char *const text[] = {
		"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
		"CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
	};

	return state < sizeof(text) / sizeof(*text) ? text[state] : NULL;
}

/* --- lines ----------------------------------------------------------------------- */

/* The values of MACs, devices and origins in colour */
static void print_word(const char *word)
{
	const char *equal = strchr(word, '=');

	if (equal && (!strncmp(word, "smac=", 5) || !strncmp(word, "dmac=", 5)))
		printf("%.*s%s%s%s", (int)(equal + 1 - word), word, green,
		       equal + 1, plain);
	else if (equal && (!strncmp(word, "via=", 4) || !strncmp(word, "dev=", 4)))
		printf("%.*s%s%s%s", (int)(equal + 1 - word), word, cyan,
		       equal + 1, plain);
	else
		fputs(word, stdout);
}

void print_line(char *line)
{
	unsigned int at = 0, len;
	char *word, *save;

	if (!terminal) {
		puts(line);
		return;
	}
	for (word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		len = strlen(word);
		if (at && at + 1 + len > columns)
			at = printf("\n    ") - 1;
		else if (at)
			at += printf(" ");
		print_word(word);
		at += len;
	}
	putchar('\n');
}

/* --- JSON ------------------------------------------------------------------------ */

void json_int(json_t *object, const char *key, json_int_t value)
{
	json_object_set_new(object, key, json_integer(value));
}

void json_text(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

const char *json_get_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

json_int_t json_get_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool json_is(const json_t *object, const char *key, const char *value)
{
	return !strcmp(json_get_text(object, key), value);
}

static bool json_list;			/* inside of an array */
static bool json_first;			/* nothing is in it yet */

void json_begin(void)
{
	putchar('[');
	json_list = true;
	json_first = true;
}

void json_print(json_t *object)
{
	if (json_list)
		puts(json_first ? "" : ",");
	json_first = false;
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (!json_list)
		putchar('\n');
	json_decref(object);
}

void json_end(void)
{
	puts(json_first ? "]" : "\n]");
}
