/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of mackeep(8) share.
 *
 *   mackeep.c	options and commands; values.c parses values
 *   genl.c	the kernel module, by generic netlink
 *   flow.c	a conntrack entry and its record: parse, filter, print
 *   line.c	the line that is printed of it
 *   list.c monitor.c pairs.c stat.c	commands
 *   plan.c	what a bridge takes, as steps that can be done and undone
 *   up.c	commands up and down; the state in /run/mackeep
 *   check*.c	the doctor; probe.c is how it looks
 *   run.c	programs, started without a shell
 */
#ifndef _TOOLS_MACKEEP_H
#define _TOOLS_MACKEEP_H

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/mackeep.h>
#include <linux/netfilter/xt_MACKEEP.h>

#include "run.h"
#include "say.h"
#include "text.h"

/* -o */
enum {
	OUT_EXTENDED	= 1 << 0,
	OUT_ID		= 1 << 1,
	OUT_JSON	= 1 << 2,
	OUT_TIMESTAMP	= 1 << 3,
};

struct address {
	int family;			/* 0: not given */
	unsigned int prefix;
	union {
		struct in_addr in;
		struct in6_addr in6;
	};
};

#define PORTS_MAX	64

/* "80,443,8000-8010" */
struct ports {
	unsigned int n;
	struct { uint16_t first, last; } range[PORTS_MAX];
};

enum backend { BACKEND_NFT, BACKEND_IPTABLES };

struct args {
	const char *netns;
	unsigned int out;

	/* filters */
	int family;			/* AF_UNSPEC: both */
	int proto;			/* 0: all */
	struct address src, dst, addr;
	bool by_mac;
	uint8_t mac[6];
	unsigned int ifindex;		/* 0: any */
	int zone;			/* -1: any */

	double interval;		/* -w, seconds; 0: once */
	unsigned int buffer;		/* -b, bytes; 0: the system's */

	/* up, down, check */
	const char *bridge;
	struct ports tcp, udp;
	uint16_t to;
	unsigned int vlan;		/* 0: none */
	bool ipv6;
	enum backend backend;
	uint32_t fwmark;
	uint32_t table;
	bool strict;
	bool last_hop;
	bool dry_run;
};

/* --- mackeep.c -------------------------------------------------------------- */

/* Reads /etc/mackeep/BRIDGE.conf, or FILE, as options of up. */
void config_read(struct args *args, const char *name);

/* --- values.c: the value of an option, or the end with what is wrong with it --- */

void value_bad(const char *option, const char *value, const char *want)
	__attribute__((noreturn));
unsigned long value_number(const char *option, const char *text,
			   unsigned long min, unsigned long max);
struct address value_address(const char *option, const char *text, bool net);
void value_mac(const char *option, const char *text, uint8_t *mac);
/* A port or a range of them, with commas between */
struct ports value_ports(const char *option, const char *text);
/* Whether it can be a device: it goes into rules and file names. */
const char *value_bridge(const char *name);

/* --- genl.c ------------------------------------------------------------------ */

struct module {
	char version[32];
	uint32_t rules, pairs, pair_max;
};

/* 0, or -ENOENT: the module is not there */
int genl_module(struct module *module);
struct mnl_socket *genl_open(void);	/* dies without the module */
struct nlmsghdr *genl_message(void *buf, uint8_t cmd, uint16_t flags);
/* Sends and has each answer handed to cb; dies, saying what, on errors. */
void genl_talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	       void *data);
/* All answers until done; false: the table changed on the way. */
bool netlink_receive(struct mnl_socket *nl, unsigned int seq, mnl_cb_t cb,
		     void *data);

/* --- flow.c ------------------------------------------------------------------- */

struct flow {
	const struct nf_conntrack *ct;
	enum nf_conntrack_msg_type type;
	struct mackeep_info info;
};

/* Whether it is a kept flow, with its record in flow->info */
bool flow_kept(struct flow *flow);
bool flow_match(const struct args *args, const struct flow *flow);
void flow_print(const struct args *args, const struct flow *flow);
/* Calls each(ct, data) for every entry whose flow has a helper. */
void flow_dump(int family, void (*each)(struct nf_conntrack *, void *),
	       void *data);

/* --- line.c --------------------------------------------------------------------- */

/* As conntrack -L has it, or 0 when there is something that only that knows */
unsigned int line_conntrack(char *line, const struct nf_conntrack *ct);
/* Appends " smac=.." and so on; returns the end. */
char *line_record(char *at, const struct mackeep_info *info);

/* --- commands ------------------------------------------------------------------- */

int cmd_list(struct args *args);
int cmd_monitor(struct args *args);
int cmd_pairs(struct args *args);
int cmd_flush(struct args *args);
int cmd_stat(struct args *args);
int cmd_up(struct args *args);
int cmd_down(struct args *args);
int cmd_check(struct args *args);

/* stat.c: a counter of this namespace, all processors together */
uint64_t stat_value(const char *name);

/* --- plan.c ----------------------------------------------------------------------- */

/* The device that packets of the proxied flows come in by */
const char *plan_device(const struct args *args);
json_t *plan_make(const struct args *args);
bool step_there(const json_t *step);
/* Prints as a shell would take it. */
void command_print(FILE *file, const json_t *argv, const char *input);
/* Shell words of ports; for nft and for iptables */
const char *ports_text(const struct ports *ports, char separator);

/* "" in the first namespace, else "@4097" */
const char *namespace_suffix(void);
/* The state files of this namespace; each(name, state, data) */
void state_each(void (*each)(const char *, json_t *, void *), void *data);

#endif /* _TOOLS_MACKEEP_H */
