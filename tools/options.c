// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "genl.h"
#include "numbers.h"
#include "options.h"
#include "say.h"

enum {
	OPT_TCP = 256, OPT_UDP, OPT_TO, OPT_VLAN, OPT_BACKEND, OPT_FWMARK,
	OPT_TABLE, OPT_STRICT, OPT_LAST_HOP, OPT_DRY_RUN, OPT_BRIDGE, OPT_ZONE,
	OPT_CONFIG, OPT_MARK, OPT_FAIL, OPT_BYPASS, OPT_SYNPROXY, OPT_SERVICES,
	OPT_SETTLE, OPT_EARLY, OPT_DRAIN, OPT_ON_IP, OPT_HOOKS, OPT_HOOK_TIMEOUT,
	OPT_FEED_NEIGH, OPT_FOLLOW_LINK, OPT_HOLD, OPT_WAIT,
	OPT_PORTS, OPT_TALK, OPT_GUARD, OPT_UDEV,
	OPT_FORCE, OPT_FAMILY, OPT_KEEP, OPT_REFRESH, OPT_NEXT_HOP, OPT_ORIG_MARK,
	OPT_REPLY_MARK, OPT_FIREWALL, OPT_WATCH, OPT_STAY, OPT_COMMENT,
	OPT_REHEARSE, OPT_LEFT,
};

/* What --help prints and getopt_long() takes; a key below 256 is a letter. */
static const struct option_text {
	int key;
	const char *name;
	const char *arg;		/* NULL: takes none */
	unsigned int commands;
	const char *help;
} options[] = {
	{ '4', "ipv4", NULL, FILTERED | UP, "only IPv4" },
	{ '6', "ipv6", NULL, FILTERED | UP | SILENCE,
	  "only IPv6; silence: IPv6 as well" },
	{ OPT_FAMILY, "family", "ipv4|ipv6|both", UP, "both if not given" },
	{ 'p', "proto", "PROTOCOL", LIST | MONITOR | SERVICES,
	  "only tcp, udp or a number" },
	{ 's', "src", "ADDRESS[/N]", LIST | MONITOR | EXEMPT,
	  "only from this client or network" },
	{ 'd', "dst", "ADDRESS[/N]", LIST | MONITOR | EXEMPT,
	  "only to this server or network" },
	{ 'a', "addr", "ADDRESS", PAIRS | FLUSH, "only with this address, of either end" },
	{ 'm', "mac", "MAC", FILTERED | EXEMPT,
	  "only with this MAC, of either end; exempt: from it" },
	{ OPT_COMMENT, "comment", "TEXT", EXEMPT, "why, for who reads the list" },
	{ 'i', "dev", "DEVICE", FILTERED, "only learned on this device; ifN: number N" },
	{ OPT_ZONE, "zone", "ZONE", LIST | MONITOR, "only of this conntrack zone" },
	{ OPT_LEFT, "left", NULL, LIST,
	  "only those of which a packet was left alone" },
	{ 'o', "output", "FORMAT,...",
	  FILTERED | STAT | CHECK | SERVICES | SILENCE | POLICY | EXEMPT,
	  "json; flows: extended, id, timestamp; stat:\n"
	  "                              openmetrics, prometheus" },
	{ 'b', "buffer-size", "BYTES", MONITOR, "of the socket that events come by" },
	{ 'w', "watch", "SECONDS", STAT, "again and again, with rates" },
	{ OPT_WATCH, "watch", NULL, CHECK, "stay, and tell of findings that come and go" },
	{ OPT_BRIDGE, "bridge", "BRIDGE", BRIDGED, "the bridge" },
	{ OPT_TCP, "tcp", "PORTS", UP, "proxy these ports: 80,443,8000-8010" },
	{ OPT_UDP, "udp", "PORTS", UP, "the same for UDP" },
	{ OPT_TO, "to", "PORT", UP | SERVICES, "the port that the proxy listens on" },
	{ OPT_MARK, "mark", "MARK", SERVICES, "of the frames that are for it" },
	{ OPT_FAIL, "fail", "open|closed", SERVICES | UP,
	  "frames it does not take are bridged, or dropped" },
	{ OPT_BYPASS, "bypass", "on|off", SERVICES, "what is new goes past the proxy" },
	{ OPT_SYNPROXY, "synproxy", NULL, SERVICES, "SYNPROXY answers in its place" },
	{ OPT_REHEARSE, "rehearse", NULL, SERVICES | UP,
	  "lift nothing, count what would be" },
	{ OPT_SETTLE, "settle", "SECONDS", SERVICES | UP,
	  "flows of UDP are taken for older so long" },
	{ OPT_ON_IP, "on-ip", "ADDRESS", SERVICES, "that of the TPROXY rule; one of each family" },
	{ OPT_SERVICES, "services", NULL, MONITOR, "instead: services that open or close" },
	{ OPT_HOOKS, "hooks", "DIRECTORY", MONITOR, "with --services: tell the programs in it" },
	{ OPT_HOOK_TIMEOUT, "hook-timeout", "SECONDS", MONITOR,
	  "that each may take; " NUMBER_TEXT(HOOK_TIMEOUT) " if not given" },
	{ OPT_VLAN, "vlan", "ID|IDS|all", UP,
	  "of this VLAN; of these, like 10,20-29,untagged" },
	{ OPT_BACKEND, "backend", "nft|iptables", UP, "what to make rules with; nft if not given" },
	{ OPT_FWMARK, "fwmark", "MARK", UP,
	  "mark for policy routing; " NUMBER_TEXT(FWMARK) " if not given" },
	{ OPT_TABLE, "table", "TABLE", UP,
	  "routing table for it; " NUMBER_TEXT(TABLE) " if not given" },
	{ OPT_KEEP, "keep", "both|src|dst", UP | POLICY, "which of the MACs; both if not given" },
	{ OPT_REFRESH, "refresh", "last|first", UP | POLICY,
	  "follow the MACs of later frames, or not; last" },
	{ OPT_NEXT_HOP, "next-hop", "learned|route", UP | POLICY,
	  "of a proxy that goes elsewhere; learned" },
	{ OPT_LAST_HOP, "last-hop", NULL, UP | POLICY, "answers need no route" },
	{ OPT_STRICT, "strict", NULL, UP | POLICY, "drop what cannot be kept" },
	{ OPT_ORIG_MARK, "orig-mark", "MARK[/M]", UP | POLICY,
	  "keep only packets with it, client to server" },
	{ OPT_REPLY_MARK, "reply-mark", "MARK[/M]", UP | POLICY,
	  "keep only packets with it, server to client" },
	{ OPT_EARLY, "early", NULL, UP, "the bridge gets its ports later" },
	{ OPT_FEED_NEIGH, "feed-neigh", NULL, UP, "clients appear in the neighbour table" },
	{ OPT_FOLLOW_LINK, "follow-link", NULL, UP, "ports go down with each other; by systemd" },
	{ OPT_HOLD, "hold", "SECONDS", FOLLOW,
	  "that carriers have to last; " NUMBER_TEXT(HOLD) " if not given" },
	{ OPT_WAIT, "wait", "SECONDS", FOLLOW,
	  "that one may take to come; " NUMBER_TEXT(WAIT) " if not given" },
	{ OPT_PORTS, "ports", "DEVICE,...", UP, "silent from boot on, see mackeep(8)" },
	{ OPT_TALK, "talk", NULL, UP, "the box may talk with its own MACs" },
	{ OPT_FIREWALL, "firewall", NULL, UP, "let it pass this machine's firewalls" },
	{ OPT_GUARD, "guard", NULL, SILENCE, "the guard alone, leave sysctls as they are" },
	{ OPT_UDEV, "udev", "DEVICE", SILENCE, "what /etc/mackeep says, for udev(7)" },
	{ OPT_STAY, "stay", NULL, REPAIR, "and do so whenever something is taken away" },
	{ OPT_CONFIG, "config", "FILE", UP, "read options from FILE" },
	{ OPT_DRAIN, "drain", "SECONDS", DOWN | BYPASS,
	  "wait for the connections of the proxy" },
	{ OPT_DRY_RUN, "dry-run", NULL, UP | DOWN, "print the commands only" },
	{ OPT_FORCE, "force", NULL, RELOAD, "also if the installed one is loaded" },
	{ 'n', "netns", "NETNS", ALL, "work in this network namespace" },
	{ 'h', "help", NULL, ALL, "print this" },
	{ 'V', "version", NULL, ALL, "print the versions of tool and module" },
};

#define OPTIONS		(sizeof(options) / sizeof(*options))

/* --- help ------------------------------------------------------------------------ */

static void usage(const struct command *command)
{
	char left[64], letter[8];
	unsigned int i;

	printf("Usage: mackeep %s [OPTION...]%s\n\n%c%s.\n\n", command->name,
	       command->bit == BYPASS ? " BRIDGE [on|off|status]" :
	       command->bit & BRIDGED ? " [BRIDGE]" :
	       command->bit == SERVICES ? " [list|add|set|del|rehearsed]" :
	       command->bit == POLICY ? " [show|set|reset]" :
	       command->bit == EXEMPT ? " add|del|list|load BRIDGE [FILE]" :
	       command->bit == SILENCE ? " [list|add|del] [DEVICE...]" : "",
	       toupper(command->help[0]), command->help + 1);
	for (i = 0; i < OPTIONS; i++) {
		if (!(options[i].commands & command->bit))
			continue;
		snprintf(letter, sizeof(letter),
			 options[i].key < 256 ? "-%c, " : "    ",
			 options[i].key);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter,
			 options[i].name, options[i].arg ? " " : "",
			 options[i].arg ?: "");
		printf("  %-27s %s\n", left, options[i].help);
	}
	if (command->bit == UP)
		puts("\nWith BRIDGE alone the options come from /etc/mackeep/BRIDGE.conf.");
}

void options_versions(void)
{
	struct module module;

	printf("mackeep %s (module %s)\n", MACKEEP_VERSION,
	       genl_module(&module) ? module.version : "not loaded");
}

/* --- options that are more than a value ------------------------------------------- */

/* The formats in "a,b", as bits */
static unsigned int output(const char *text, unsigned int bit)
{
	static const struct { const char *word; unsigned int bit, commands; } words[] = {
		{ "json", OUT_JSON, ALL },
		{ "extended", OUT_EXTENDED, LIST | MONITOR },
		{ "id", OUT_ID, LIST | MONITOR },
		{ "timestamp", OUT_TIMESTAMP, LIST | MONITOR },
		{ "openmetrics", OUT_OPENMETRICS, STAT },
		{ "prometheus", OUT_PROMETHEUS, STAT },
	};
	const unsigned int n = sizeof(words) / sizeof(*words);
	char *copy = strdup(text), *word, *save;
	unsigned int out = 0, i;

	if (!copy)
		out_of_memory();
	for (word = strtok_r(copy, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < n; i++)
			if (!strcmp(word, words[i].word) && words[i].commands & bit)
				break;
		if (i == n)
			value_bad("output", word, bit & (LIST | MONITOR) ?
				  "json, extended, id or timestamp" : bit & STAT ?
				  "json, openmetrics or prometheus" : "json");
		out |= words[i].bit;
	}
	free(copy);
	if (!out)
		value_bad("output", text, "a format");
	if (bit & STAT && out & (out - 1))
		value_bad("output", text, "one of json, openmetrics and prometheus");
	return out;
}

/* One of each family */
static void set_on_ip(struct args *args, const char *value)
{
	struct address addr = value_address("on-ip", value, false);

	if (addr.family == AF_INET)
		args->on4 = addr;
	else
		args->on6 = addr;
}

/* One VLAN gets a device, as it always did. */
static void set_vlan(struct args *args, const char *value)
{
	if (value[strspn(value, "0123456789")])
		args->vlans = value_vlans("vlan", value);
	else
		args->vlan = value_number("vlan", value, 1, 4094);
	if (args->vlan && vlans_given(&args->vlans))
		die(BAD_ARGS, "--vlan: it is given twice; make one list of it, like 10,20-29,untagged");
}

static void in_namespace(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s%s",
		 strchr(name, '/') ? "" : "/run/netns/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(FAILED, "network namespace %s: %s; \"ip netns list\" tells which there are",
		    name, strerror(errno));
	if (setns(fd, CLONE_NEWNET) < 0)
		die(FAILED, "network namespace %s: %s; run it as root", name,
		    strerror(errno));
	close(fd);
}

/* For the namespace that -n names: call it after in_namespace(). */
static unsigned int device(const char *name)
{
	unsigned int ifindex = if_nametoindex(name);
	char rest;

	if (!ifindex && sscanf(name, "if%u%c", &ifindex, &rest) != 1)
		ifindex = 0;
	if (!ifindex)
		die(FAILED, "device %s: no such device; \"ip link\" tells which there are, ifN takes the number of one that is gone",
		    name);
	return ifindex;
}

/* --- options -------------------------------------------------------------------------- */

static const char *device_name, *config_name;

/* False: the key is that of another option. */
static bool set_policy(struct policy *policy, int key, const char *value)
{
	switch (key) {
	case OPT_KEEP:
		policy->keep = policy_keep(value);
		break;
	case OPT_REFRESH:
		policy->refresh = policy_refresh(value);
		break;
	case OPT_NEXT_HOP:
		policy->next_hop = policy_next_hop(value);
		break;
	case OPT_LAST_HOP:
		policy->last_hop = true;
		break;
	case OPT_STRICT:
		policy->strict = true;
		break;
	case OPT_ORIG_MARK:
		policy->orig = value_mark("orig-mark", value);
		break;
	case OPT_REPLY_MARK:
		policy->reply = value_mark("reply-mark", value);
		break;
	default:
		return false;
	}
	policy->given = true;
	return true;
}

static void set_option(struct args *args, int key, const char *value,
		       unsigned int bit)
{
	char *end;

	if (set_policy(&args->policy, key, value))
		return;
	switch (key) {
	case '4':
		args->family = AF_INET;
		break;
	case '6':
		args->family = AF_INET6;
		break;
	case OPT_FAMILY:
		if (!strcmp(value, "both"))
			args->family = AF_UNSPEC;
		else if (!strcmp(value, "ipv4") || !strcmp(value, "ipv6"))
			args->family = value[3] == '4' ? AF_INET : AF_INET6;
		else
			value_bad("family", value, "ipv4, ipv6 or both");
		break;
	case 'p':
		args->proto = !strcmp(value, "tcp") ? IPPROTO_TCP :
			      !strcmp(value, "udp") ? IPPROTO_UDP :
			      (int)value_number("proto", value, 1, 255);
		break;
	case 's':
		args->exempt.src = value;
		if (bit != EXEMPT)
			args->src = value_address("src", value, true);
		break;
	case 'd':
		args->exempt.dst = value;
		if (bit != EXEMPT)
			args->dst = value_address("dst", value, true);
		break;
	case 'a':
		args->addr = value_address("addr", value, false);
		break;
	case 'm':
		args->exempt.mac = value;
		if (bit != EXEMPT)
			value_mac("mac", value, args->mac);
		args->by_mac = true;
		break;
	case OPT_COMMENT:
		args->exempt.comment = value;
		break;
	case 'i':
		device_name = value;
		break;
	case OPT_ZONE:
		args->zone = value_number("zone", value, 0, 65535);
		break;
	case 'o':
		args->out |= output(value, bit);
		break;
	case 'b':
		args->buffer = value_number("buffer-size", value, 4096, INT_MAX / 2);
		break;
	case 'w':
		args->interval = strtod(value, &end);
		if (*end || !(args->interval >= 0.1 && args->interval <= 86400))
			value_bad("watch", value, "seconds, 0.1 to 86400");
		break;
	case OPT_BRIDGE:
		args->bridge = value_bridge(value);
		break;
	case OPT_TCP:
		groups_ports(&args->groups, false, value);
		break;
	case OPT_UDP:
		groups_ports(&args->groups, true, value);
		break;
	case OPT_TO:
		args->to = value_number("to", value, 1, 65535);
		if (bit == UP)
			groups_to(&args->groups, args->to);
		break;
	case OPT_MARK:
		args->mark = value_number("mark", value, 0, UINT32_MAX);
		args->marked = true;
		break;
	case OPT_FAIL:
		if (!strcmp(value, "open"))
			args->fail = MACKEEP_FAIL_OPEN;
		else if (!strcmp(value, "closed"))
			args->fail = MACKEEP_FAIL_CLOSED;
		else
			value_bad("fail", value, "open or closed");
		break;
	case OPT_BYPASS:
		if (!strcmp(value, "on") || !strcmp(value, "off"))
			args->bypass = value[1] == 'n';
		else
			value_bad("bypass", value, "on or off");
		break;
	case OPT_SYNPROXY:
		args->synproxy = true;
		break;
	case OPT_LEFT:
		args->left = true;
		break;
	case OPT_REHEARSE:
		args->rehearse = true;
		break;
	case OPT_SETTLE:
		args->settle = value_number("settle", value, 0, 3600);
		break;
	case OPT_DRAIN:
		args->drain = value_number("drain", value, 0, 86400);
		break;
	case OPT_EARLY:
		args->early = true;
		break;
	case OPT_ON_IP:
		set_on_ip(args, value);
		break;
	case OPT_SERVICES:
		args->services = true;
		break;
	case OPT_HOOKS:
		args->hooks = value;
		break;
	case OPT_HOOK_TIMEOUT:
		args->hook_timeout = value_number("hook-timeout", value, 1, 86400);
		break;
	case OPT_VLAN:
		set_vlan(args, value);
		break;
	case OPT_BACKEND:
		if (!strcmp(value, "nft"))
			args->backend = BACKEND_NFT;
		else if (!strcmp(value, "iptables"))
			args->backend = BACKEND_IPTABLES;
		else
			value_bad("backend", value, "nft or iptables");
		break;
	case OPT_FWMARK:
		args->fwmark = value_number("fwmark", value, 1, UINT32_MAX);
		break;
	case OPT_TABLE:
		args->table = value_number("table", value, 1, UINT32_MAX);
		break;
	case OPT_FEED_NEIGH:
		args->feed_neigh = true;
		break;
	case OPT_FOLLOW_LINK:
		args->follow_link = true;
		break;
	case OPT_HOLD:
		args->hold = value_number("hold", value, 0, 3600);
		break;
	case OPT_WAIT:
		args->wait = value_number("wait", value, 1, 3600);
		break;
	case OPT_PORTS:
		value_devices("ports", value);
		break;
	case OPT_TALK:
		args->talk = true;
		break;
	case OPT_FIREWALL:
		args->firewall = true;
		break;
	case OPT_GUARD:
		args->guard_only = true;
		break;
	case OPT_UDEV:
		args->udev = value;
		break;
	case OPT_CONFIG:
		config_name = value;
		break;
	case OPT_DRY_RUN:
		args->dry_run = true;
		break;
	case OPT_FORCE:
		args->force = true;
		break;
	case OPT_WATCH:
		args->watch = true;
		break;
	case OPT_STAY:
		args->stay = true;
		break;
	case 'n':
		args->netns = value;
		break;
	}
}

/*
 * A line is an option of up, without its dashes, and its value; # begins a comment.
 * An empty line ends the ports of a proxy. "ipv6" has always meant both families.
 */
static void config_read(struct args *args, const char *name)
{
	FILE *file = fopen(name, "r");
	char *line = NULL, *word, *value, *save;
	unsigned int i, at = 0;
	size_t size = 0;
	bool comment;

	if (!file)
		die(FAILED, "%s: %s; write one, or give --bridge, --tcp and --to",
		    name, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		at++;
		comment = strchr(line, '#');
		line[strcspn(line, "#")] = '\0';
		word = strtok_r(line, " \t\n", &save);
		if (!word && !comment)
			groups_next(&args->groups);
		if (!word)
			continue;
		value = strtok_r(NULL, " \t\n", &save);
		for (i = 0; i < OPTIONS; i++)
			if (options[i].commands & UP && options[i].key != 'n' &&
			    options[i].key != 'h' && options[i].key != 'V' &&
			    options[i].key != OPT_CONFIG &&
			    options[i].key != OPT_DRY_RUN &&
			    !strcmp(options[i].name, word))
				break;
		if (i == OPTIONS)
			die(BAD_ARGS, "%s line %u: \"%s\" is not an option of up; see mackeep(8)",
			    name, at, word);
		if (!value != !options[i].arg || strtok_r(NULL, " \t\n", &save))
			die(BAD_ARGS, "%s line %u: \"%s\" takes %s value", name,
			    at, word, options[i].arg ? "one" : "no");
		if (options[i].key == '6')
			note("%s line %u: \"ipv6\" can go, both families are proxied; for IPv6 alone: family ipv6",
			     name, at);
		else
			set_option(args, options[i].key,
				   value ? strdup(value) : NULL, UP);
	}
	free(line);
	fclose(file);
}

static void parse(struct args *args, const struct command *command, int argc,
		  char **argv)
{
	struct option longs[OPTIONS + 1];
	char shorts[2 * OPTIONS + 2] = ":";
	unsigned int i, n = 0, m = 1;
	const char *given;
	int key;

	memset(longs, 0, sizeof(longs));
	for (i = 0; i < OPTIONS; i++) {
		if (!(options[i].commands & command->bit))
			continue;
		longs[n].name = options[i].name;
		longs[n].has_arg = options[i].arg ? required_argument : no_argument;
		longs[n++].val = options[i].key;
		if (options[i].key < 256) {
			shorts[m++] = options[i].key;
			if (options[i].arg)
				shorts[m++] = ':';
		}
	}

	opterr = 0;
	while ((key = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (key) {
		case 'h':
			usage(command);
			exit(DONE);
		case 'V':
			options_versions();
			exit(DONE);
		case ':':
			die(BAD_ARGS, "%s: it needs a value; see mackeep %s --help",
			    argv[optind - 1], command->name);
		case '?':
			die(BAD_ARGS, "%s: it is no option of this command; see mackeep %s --help",
			    argv[optind - 1], command->name);
		default:
			set_option(args, key, optarg, command->bit);
			if (key == OPT_TO)
				groups_next(&args->groups);
		}
	}

	if (optind < argc && command->bit & BRIDGED &&
	    !(command->bit == BYPASS && args->bridge)) {
		if (args->bridge)
			die(BAD_ARGS, "%s: the bridge is given twice", argv[optind]);
		args->bridge = value_bridge(argv[optind]);
		if (command->bit == UP && groups_empty(&args->groups) && !config_name &&
		    asprintf((char **)&config_name, "/etc/mackeep/%s.conf",
			     args->bridge) < 0)
			out_of_memory();
		optind++;
	}
	if (optind < argc &&
	    command->bit & (SERVICES | BYPASS | SILENCE | POLICY | EXEMPT))
		args->verb = argv[optind++];
	if (optind < argc && command->bit == EXEMPT)
		args->bridge = value_bridge(argv[optind++]);
	if (optind < argc && command->bit == EXEMPT)
		args->exempt.file = argv[optind++];
	if (command->bit == SILENCE) {
		args->devices = argv + optind;
		optind = argc;
	}
	if (optind < argc)
		die(BAD_ARGS, "%s: an argument too many; see mackeep %s --help",
		    argv[optind], command->name);
	if (!config_name)
		return;
	given = args->bridge;
	config_read(args, config_name);
	if (given && strcmp(given, args->bridge))
		die(BAD_ARGS, "%s: it is for bridge %s, not %s; give one of the two only",
		    config_name, args->bridge, given);
}

void options_parse(struct args *args, const struct command *command, int argc,
		   char **argv)
{
	parse(args, command, argc, argv);
	if (args->netns)
		in_namespace(args->netns);
	if (device_name)
		args->ifindex = device(device_name);
}
