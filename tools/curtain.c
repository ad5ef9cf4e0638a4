// SPDX-License-Identifier: GPL-2.0-only
/*
 * What would go wrong without the curtain, while the module is away:
 *
 * - A frame for a socket of the proxy is bridged on to the real peer, which knows
 *   of no such connection and resets it. So frames of known flows are dropped
 *   before they are bridged. Those of new connections pass and stay without the
 *   proxy, if there is a service, which will know them again. If there is none,
 *   they would come to the proxy in the middle: they are dropped as well.
 * - What the proxy sends leaves with the box's MAC, and asks for neighbours. So
 *   packets go no further than POST_ROUTING, where nobody has looked for a
 *   neighbour yet: an answer that is waited for would be asked for again later.
 *   They are queued to nobody. This tells senders nothing, while a drop is EPERM
 *   to a socket of UDP.
 * - The bridge and agents send by themselves. The bridge's OUTPUT drops all, and
 *   from Linux 5.16 on each port drops frames with a MAC of this box.
 *
 * Later fragments have no ports and pass; without the first they are nothing. So do
 * ICMP errors about the box's flows: no other station has such a flow.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mackeep.h>

#include "curtain.h"
#include "file.h"
#include "run.h"
#include "say.h"
#include "text.h"

#define TABLE		"mackeep_reload"
#define NOBODY		"65535"		/* a queue that nobody listens to */

/* Bridges, what is on top of them, and their ports; "br0", "br0.5" */
struct links {
	char *devices, *ports, *macs;
};

static const char *kind(const json_t *link)
{
	return json_get_text(json_object_get(link, "linkinfo"), "info_kind");
}

static const json_t *by_name(const json_t *links, const char *name)
{
	const json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
		if (*name && json_is(link, "ifname", name))
			return link;
	return NULL;
}

static bool is_bridge(const json_t *link)
{
	return link && !strcmp(kind(link), "bridge");
}

static struct links links_read(void)
{
	json_t *links = RUN_JSON("ip", "-d", "-j", "link", "show"), *link;
	FILE *devices, *ports, *macs;
	struct links found;
	bool port, device;
	size_t i, size;

	devices = open_memstream(&found.devices, &size);
	ports = open_memstream(&found.ports, &size);
	macs = open_memstream(&found.macs, &size);
	if (!devices || !ports || !macs)
		out_of_memory();
	json_array_foreach(links, i, link) {
		port = is_bridge(by_name(links, json_get_text(link, "master")));
		device = is_bridge(link) ||
			 (!strcmp(kind(link), "vlan") &&
			  is_bridge(by_name(links, json_get_text(link, "link"))));
		if (port)
			fprintf(ports, "\"%s\",", json_get_text(link, "ifname"));
		if (device)
			fprintf(devices, "\"%s\",", json_get_text(link, "ifname"));
		if (port || device)
			fprintf(macs, "%s,", json_get_text(link, "address"));
	}
	fclose(devices);
	fclose(ports);
	fclose(macs);
	json_decref(links);
	return found;
}

static void links_free(struct links *links)
{
	free(links->devices);
	free(links->ports);
	free(links->macs);
}

void curtain_check(void)
{
	struct result result = RUN("nft", "--version");
	struct links links;

	if (result.status)
		die(FAILED, "nft: it has to hold frames back while the module is away, and is not there; run: apt install nftables");
	run_free(&result);
	links = links_read();
	if (!*links.devices)
		die(FAILED, "bridge: there is none here; \"rmmod xt_MACKEEP && modprobe mackeep\" does the same without one");
	links_free(&links);
}

static int nft(char *rules)
{
	struct result result = run((const char *const[]){ "nft", "-f", "-", NULL },
				   rules);
	int status = result.status;

	if (status)
		complain("nft: %s", *result.err ? result.err : "it does not work");
	run_free(&result);
	free(rules);
	return status;
}

/* "value/mask" as "meta mark and MASK == VALUE" */
static char *marked(const json_t *settings)
{
	const char *text = json_get_text(json_object_get(settings, "sysctls"),
					 "lift_mark");
	unsigned int mark = 0, mask = 0;

	if (sscanf(text, "%x/%x", &mark, &mask) != 2 || !mask)
		return format("%s", "");
	return format("meta mark and 0x%x == 0x%x drop\n", mask, mark);
}

/* New connections of services that fail open pass. */
static char *services(const json_t *settings)
{
	const json_t *service;
	char *text;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		out_of_memory();
	json_array_foreach(json_object_get(settings, "services"), i, service)
		if (json_integer_value(json_object_get(service, "fail")) ==
		    MACKEEP_FAIL_OPEN)
			fprintf(file, "meta mark 0x%llx meta l4proto %lld accept\n",
				json_integer_value(json_object_get(service, "mark")),
				json_integer_value(json_object_get(service, "proto")));
	fclose(file);
	return text;
}

/*
 * With br_netfilter bridged frames pass POST_ROUTING of IP as well, and look there
 * as if the bridge had sent them.
 */
static const char *hook(void)
{
	char ip[8] = "", ip6[8] = "";

	file_line("/proc/sys/net/bridge/bridge-nf-call-iptables", ip, sizeof(ip));
	file_line("/proc/sys/net/bridge/bridge-nf-call-ip6tables", ip6,
		  sizeof(ip6));
	return *ip == '1' || *ip6 == '1' ? "output" : "postrouting";
}

/* A table that is not there cannot be deleted, and that would undo all. */
#define GONE	"table bridge " TABLE "\ntable inet " TABLE "\n"		\
		"delete table bridge " TABLE "\ndelete table inet " TABLE "\n"
#define PORTS_GONE	"table netdev " TABLE "\ndelete table netdev " TABLE "\n"

/* A kernel before 5.16 has no such hook. */
static void draw_ports(const struct links *links)
{
	char *rules;

	if (!*links->ports)
		return;
	rules = format(PORTS_GONE "table netdev " TABLE " {\nchain ports {\n"
		       "type filter hook egress devices = { %s } priority 0; policy accept;\n"
		       "ether saddr { %s } drop\n}\n}\n", links->ports,
		       links->macs);
	struct result result = run((const char *const[]){ "nft", "-f", "-", NULL },
				   rules);
	run_free(&result);
	free(rules);
}

int curtain_draw(const json_t *settings)
{
	struct links links = links_read();
	char *pass = services(settings), *drop = marked(settings);
	int status;

	/* It holds back nothing that anybody waits for. */
	draw_ports(&links);
	status = nft(format(GONE
		"table bridge " TABLE " {\n"
		"set flows4 { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service; }\n"
		"set flows6 { type inet_proto . ipv6_addr . inet_service . ipv6_addr . inet_service; }\n"
		"chain frames {\n"
		"type filter hook prerouting priority 1000; policy accept;\n"
		"meta protocol ip meta l4proto . ip saddr . th sport . ip daddr . th dport @flows4 drop\n"
		"meta protocol ip6 meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport @flows6 drop\n"
		"%s%s}\n"
		"chain output {\n"
		"type filter hook output priority 1000; policy accept;\ndrop\n}\n}\n"
		"table inet " TABLE " {\n"
		"chain sent {\n"
		"type filter hook %s priority 1000; policy accept;\n"
		"oifname { %s } queue num " NOBODY "\n}\n}\n",
		pass, drop, hook(), links.devices));
	links_free(&links);
	free(pass);
	free(drop);
	return status;
}

/* --- flows ------------------------------------------------------------------------- */

/* 8 digits of /proc/net/tcp: as the machine has an address in memory */
static void address_word(const char *digits, uint8_t *bytes)
{
	char text[9];
	uint32_t word;

	snprintf(text, sizeof(text), "%.8s", digits);
	word = strtoul(text, NULL, 16);
	memcpy(bytes, &word, sizeof(word));
}

static const char *address(const char *digits, bool v6, char *text)
{
	uint8_t bytes[16];
	int i;

	for (i = 0; i < (v6 ? 4 : 1); i++)
		address_word(digits + 8 * i, bytes + 4 * i);
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, INET6_ADDRSTRLEN);
	return text;
}

#define MAPPED	"0000000000000000FFFF0000"	/* IPv4 on a socket of IPv6 */

/* What comes in for each connection of TCP, TIME_WAIT included */
static void sockets(const char *path, FILE *flows4, FILE *flows6)
{
	char local[33], remote[33], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	FILE *table = fopen(path, "re");
	unsigned int lport, rport;
	char line[512];
	size_t skip;
	bool v6;

	while (table && fgets(line, sizeof(line), table)) {
		if (sscanf(line, " %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x", local,
			   &lport, remote, &rport) != 4 || !rport)
			continue;
		skip = strncmp(remote, MAPPED, strlen(MAPPED)) ? 0 : strlen(MAPPED);
		v6 = !skip && strlen(remote) > 8;
		fprintf(v6 ? flows6 : flows4, "tcp . %s . %u . %s . %u,\n",
			address(remote + skip, v6, from), rport,
			address(local + skip, v6, to), lport);
	}
	if (table)
		fclose(table);
}

static char *elements(const char *set, const char *text)
{
	if (!*text)
		return format("%s", "");
	return format("add element bridge " TABLE " %s {\n%s}\n", set, text);
}

int curtain_flows(const char *udp4, const char *udp6)
{
	char *text4, *text6, *add4, *add6;
	size_t size;
	FILE *flows4 = open_memstream(&text4, &size);
	FILE *flows6 = open_memstream(&text6, &size);
	int status;

	if (!flows4 || !flows6)
		out_of_memory();
	sockets("/proc/net/tcp", flows4, flows6);
	sockets("/proc/net/tcp6", flows4, flows6);
	fputs(udp4, flows4);
	fputs(udp6, flows6);
	fclose(flows4);
	fclose(flows6);
	add4 = elements("flows4", text4);
	add6 = elements("flows6", text6);
	status = nft(format("%s%s", add4, add6));
	free(text4);
	free(text6);
	free(add4);
	free(add6);
	return status;
}

/* --- its end ----------------------------------------------------------------------- */

/* Whoever the box is, it may say; whom it speaks for, nobody may hear. */
int curtain_fail(void)
{
	struct links links = links_read();
	int status;

	status = nft(format(GONE PORTS_GONE
		"table inet " TABLE " {\nchain sent {\n"
		"type filter hook %s priority 1000; policy accept;\n"
		"oifname { %s } meta l4proto { tcp, udp } fib saddr type != local queue num %s\n}\n}\n",
		hook(), links.devices, NOBODY));
	links_free(&links);
	return status;
}

int curtain_open(void)
{
	return nft(format("%s", GONE PORTS_GONE));
}
