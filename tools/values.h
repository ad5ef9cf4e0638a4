/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values of options. A function gets the option's name as well: when the
 * value is bad it says what is wrong, and the program ends.
 */
#ifndef _TOOLS_VALUES_H
#define _TOOLS_VALUES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct address {
	int family;			/* 0: not given */
	unsigned int prefix;
	union {
		struct in_addr in;
		struct in6_addr in6;
	};
};

struct mark {
	uint32_t value;
	uint32_t mask;			/* 0: no packet is asked for a mark */
};

#define PORTS_MAX	64

/* "80,443,8000-8010" */
struct ports {
	unsigned int n;
	struct { uint16_t first, last; } range[PORTS_MAX];
};

/* The VLANs of a trunk: "all", or "10,20-29,untagged" */
struct vlans {
	bool all;			/* untagged frames as well */
	bool untagged;
	struct ports ids;
};

/* Says that a value is not what is wanted. */
void value_bad(const char *option, const char *value, const char *want)
	__attribute__((noreturn));
unsigned long value_number(const char *option, const char *text,
			   unsigned long min, unsigned long max);
/* net: ADDRESS/N is allowed. */
struct address value_address(const char *option, const char *text, bool net);
/* VALUE[/MASK], as the iptables plugin takes it */
struct mark value_mark(const char *option, const char *text);
void value_mac(const char *option, const char *text, uint8_t *mac);
/* NULL, or what the text should have been */
const char *mac_read(const char *text, uint8_t *mac);
struct ports value_ports(const char *option, const char *text);
/* As above; not a single number */
struct vlans value_vlans(const char *option, const char *text);
/* "eth0,eth1": dies unless these are names of devices. */
void value_devices(const char *option, const char *text);
/* The name of a bridge, fit for rules and file names */
const char *value_bridge(const char *name);

/* "80, 443, 8000-8010"; valid until the next call */
const char *ports_text(const struct ports *ports);
bool ports_have(const struct ports *ports, unsigned int port);

bool vlans_given(const struct vlans *vlans);
/* As value_vlans() takes it, to be freed */
char *vlans_text(const struct vlans *vlans);

#endif /* _TOOLS_VALUES_H */
