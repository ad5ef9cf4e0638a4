// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "values.h"

void value_bad(const char *option, const char *value, const char *want)
{
	die(BAD_ARGS, "--%s \"%s\": it is not %s; see mackeep %s --help", option,
	    value, want, command_name);
}

unsigned long value_number(const char *option, const char *text,
			   unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end, want[64];

	errno = 0;
	value = strtoul(text, &end, 0);
	if (isdigit((unsigned char)*text) && !*end && !errno && value >= min &&
	    value <= max)
		return value;
	snprintf(want, sizeof(want), "a number from %lu to %lu", min, max);
	value_bad(option, text, want);
}

struct address value_address(const char *option, const char *text, bool net)
{
	struct address addr = { .family = AF_INET };
	unsigned long max;
	char host[64];
	char *slash;

	snprintf(host, sizeof(host), "%s", text);
	slash = strchr(host, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, host, &addr.in) != 1) {
		addr.family = AF_INET6;
		if (inet_pton(AF_INET6, host, &addr.in6) != 1)
			value_bad(option, text, "an IPv4 or IPv6 address");
	}
	max = addr.family == AF_INET ? 32 : 128;
	if (slash && !net)
		value_bad(option, text, "a single address");
	addr.prefix = slash ? value_number(option, slash, 0, max) : max;
	return addr;
}

struct mark value_mark(const char *option, const char *text)
{
	struct mark mark = { .mask = UINT32_MAX };
	char value[64];
	char *slash;

	snprintf(value, sizeof(value), "%s", text);
	slash = strchr(value, '/');
	if (slash)
		*slash++ = '\0';
	mark.value = value_number(option, value, 0, UINT32_MAX);
	if (slash)
		mark.mask = value_number(option, slash, 0, UINT32_MAX);
	if (!mark.mask)
		die(BAD_ARGS, "--%s \"%s\": mask 0 compares no bit, every packet would match; leave the option out to mean that",
		    option, text);
	if (mark.value & ~mark.mask)
		die(BAD_ARGS, "--%s \"%s\": the value has bits outside the mask and could never match; give 0x%x/0x%x or 0x%x/0x%x",
		    option, text, mark.value & mark.mask, mark.mask, mark.value,
		    mark.value | mark.mask);
	return mark;
}

const char *mac_read(const char *text, uint8_t *mac)
{
	char rest;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0],
		   &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &rest) != 6)
		return "a MAC address like 02:00:00:00:00:01";
	if (mac[0] & 1 || !memcmp(mac, "\0\0\0\0\0", 6))
		return "the address of one station";
	return NULL;
}

void value_mac(const char *option, const char *text, uint8_t *mac)
{
	const char *want = mac_read(text, mac);

	if (want)
		value_bad(option, text, want);
}

/* One word of a list: a number or a range; want says what the whole should be. */
static void add_range(struct ports *ports, const char *option, const char *text,
		      char *word, unsigned int max, const char *want)
{
	char *dash = strchr(word, '-');

	if (ports->n == PORTS_MAX)
		die(BAD_ARGS, "--%s: more than %d numbers and ranges; join some to ranges",
		    option, PORTS_MAX);
	if (dash)
		*dash++ = '\0';
	ports->range[ports->n].first = value_number(option, word, 1, max);
	ports->range[ports->n].last = value_number(option, dash ?: word, 1, max);
	if (ports->range[ports->n].first > ports->range[ports->n].last)
		value_bad(option, text, want);
	ports->n++;
}

struct ports value_ports(const char *option, const char *text)
{
	static const char want[] = "ports like 80,443,8000-8010";
	struct ports ports = { .n = 0 };
	char *copy = strdup(text), *word, *save;

	if (!copy)
		out_of_memory();
	for (word = strtok_r(copy, ", ", &save); word;
	     word = strtok_r(NULL, ", ", &save))
		add_range(&ports, option, text, word, 65535, want);
	free(copy);
	if (!ports.n)
		value_bad(option, text, want);
	return ports;
}

struct vlans value_vlans(const char *option, const char *text)
{
	static const char want[] = "all, or VLANs like 10,20-29,untagged";
	struct vlans vlans = { .all = !strcmp(text, "all") };
	char *copy = strdup(text), *word, *save;

	if (!copy)
		out_of_memory();
	for (word = strtok_r(copy, ",", &save); word && !vlans.all;
	     word = strtok_r(NULL, ",", &save))
		if (!strcmp(word, "untagged"))
			vlans.untagged = true;
		else
			add_range(&vlans.ids, option, text, word, 4094, want);
	free(copy);
	if (!vlans_given(&vlans))
		value_bad(option, text, want);
	return vlans;
}

void value_devices(const char *option, const char *text)
{
	const char *c = text;
	size_t len;

	for (;; c += len + 1) {
		len = strcspn(c, ",");
		if (!len || len >= IF_NAMESIZE || memchr(c, '/', len))
			value_bad(option, text, "devices like eth0,eth1");
		if (!c[len])
			return;
	}
}

const char *value_bridge(const char *name)
{
	const char *c;

	if (!*name || strlen(name) >= IF_NAMESIZE)
		value_bad("bridge", name, "the name of a device");
	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
			value_bad("bridge", name, "a name of letters, digits, _, - and .");
	if (!strcmp(name, ".") || !strcmp(name, "..") || *name == '-')
		value_bad("bridge", name, "the name of a device");
	return name;
}

const char *ports_text(const struct ports *ports)
{
	static char text[PORTS_MAX * 13];
	unsigned int i;
	int n = 0;

	*text = '\0';
	for (i = 0; i < ports->n; i++) {
		n += sprintf(text + n, "%s%u", i ? ", " : "",
			     ports->range[i].first);
		if (ports->range[i].last != ports->range[i].first)
			n += sprintf(text + n, "-%u", ports->range[i].last);
	}
	return text;
}

bool ports_have(const struct ports *ports, unsigned int port)
{
	unsigned int i;

	for (i = 0; i < ports->n; i++)
		if (port >= ports->range[i].first && port <= ports->range[i].last)
			return true;
	return false;
}

bool vlans_given(const struct vlans *vlans)
{
	return vlans->all || vlans->untagged || vlans->ids.n;
}

char *vlans_text(const struct vlans *vlans)
{
	char *text = NULL, *at;
	const char *c;

	if (vlans->all)
		text = strdup("all");
	else if (asprintf(&text, "%s%s%s", ports_text(&vlans->ids),
			  vlans->ids.n && vlans->untagged ? "," : "",
			  vlans->untagged ? "untagged" : "") < 0)
		text = NULL;
	if (!text)
		out_of_memory();
	for (c = at = text; *c; c++)
		if (*c != ' ')
			*at++ = *c;
	*at = '\0';
	return text;
}
