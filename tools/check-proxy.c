// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings on the way from TPROXY to the proxy: tproxy, divert, listener, port-taken,
 * bypass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mackeep.h>

#include "checks.h"
#include "finding.h"
#include "listener.h"
#include "mend.h"
#include "nft.h"
#include "numbers.h"
#include "program.h"
#include "rule.h"
#include "services.h"
#include "text.h"

/* The port of the proxy for what has this mark; services know it. */
static uint16_t port_of(const json_t *services, int proto, uint32_t mark)
{
	json_t *one;
	size_t i;

	json_array_foreach(services, i, one)
		if (json_get_int(one, "proto") == proto &&
		    json_get_int(one, "mark") == mark)
			return json_get_int(one, "port");
	return listener_any() ?: 3129;
}

/*
 * One of the commands for missing rules, behind those before, which it takes. What is
 * for this machine, as an admin's ssh, is left to it.
 */
static char *tproxy_rule(const struct probe *probe, char *before, bool v6,
			 int proto, unsigned int first, unsigned int last,
			 uint16_t to, uint32_t mark)
{
	char *text;

	text = format("%s%s%s -t mangle -A PREROUTING -i %s -p %s --dport %u:%u -m addrtype ! --dst-type LOCAL -j TPROXY --on-port %u --tproxy-mark 0x%x",
		      before ?: "", before ? " && " : "",
		      v6 ? "ip6tables" : "iptables", probe_device(probe),
		      proto == IPPROTO_UDP ? "udp" : "tcp", first, last, to, mark);
	free(before);
	return text;
}

/* For the ports of the frames that are marked; if there are none, for HTTPS */
void check_tproxy(const struct probe *probe)
{
	json_t *services;
	uint32_t mark = FWMARK;
	char *remedy = NULL;
	unsigned int i, j;

	if (probe->tproxies)
		return;
	services = services_read();
	rule_table(AF_INET, 0, &mark);
	for (i = 0; i < probe->lifts; i++) {
		const struct lift *one = &probe->lift[i];

		for (j = 0; j < one->dports.n; j++)
			remedy = tproxy_rule(probe, remedy, one->v6, one->proto,
					     one->dports.range[j].first,
					     one->dports.range[j].last,
					     port_of(services, one->proto,
						     one->mark), mark);
	}
	if (!remedy)
		remedy = tproxy_rule(probe, NULL, false, IPPROTO_TCP, 443, 443,
				     port_of(services, IPPROTO_TCP,
					     probe->lift_mark), mark);
	json_decref(services);
	found(BROKEN, "tproxy",
	      format("no TPROXY rule hands lifted packets to a proxy"),
	      mend_by_up(probe, remedy));
}

static bool diverts(const struct probe *probe, int family)
{
	const char *program = family == AF_INET6 ? "ip6" : "iptables";
	json_t *one, *part, *left;
	unsigned int k;
	size_t i, j;

	for (k = 0; k < probe->rules; k++)
		if (!strncmp(probe->saved[k].program, program, strlen(program)) &&
		    strstr(probe->saved[k].text, " -m socket --transparent"))
			return true;
	json_array_foreach(probe->nft, i, one) {
		if (json_is(nft_rule(one), "family",
			    family == AF_INET6 ? "ip" : "ip6"))
			continue;
		json_array_foreach(json_object_get(nft_rule(one), "expr"), j, part) {
			left = json_object_get(json_object_get(part, "match"), "left");
			if (json_is(json_object_get(left, "socket"), "key",
				    "transparent"))
				return true;
		}
	}
	return false;
}

/* What multiport takes; a range counts for two. */
#define MULTIPORT	15

/* The ports of the family's TPROXY rules for UDP as multiport has them; "": all */
static char *udp_ports(const struct probe *probe, int family, bool *any)
{
	char *text = format("%s", ""), *more;
	unsigned int i, j, n = 0;

	for (i = 0; i < probe->tproxies; i++) {
		const struct tproxy *one = &probe->tproxy[i];

		if (one->family != family || one->proto != IPPROTO_UDP)
			continue;
		*any = true;
		if (!one->dports.n)
			n = MULTIPORT + 1;
		for (j = 0; j < one->dports.n; j++, n += 2) {
			more = format(one->dports.range[j].first ==
				      one->dports.range[j].last ?
				      "%s%s%u" : "%s%s%u:%u", text,
				      *text ? "," : "",
				      one->dports.range[j].first,
				      one->dports.range[j].last);
			free(text);
			text = more;
		}
	}
	if (n > MULTIPORT)
		*text = '\0';
	return text;
}

/*
 * What clients send by UDP to a port of the proxy is left to TPROXY: a socket that
 * the proxy answers from, with the server's address, would take it.
 */
static void divert_missing(const struct probe *probe, int family, uint32_t mark)
{
	const char *program = family == AF_INET6 ? "ip6tables" : "iptables";
	bool udp = false;
	char *ports = udp_ports(probe, family, &udp), *remedy, *more;

	remedy = format("%s -t mangle -I PREROUTING %s-m socket --transparent -j MARK --set-mark 0x%x",
			program, udp ? "-p tcp " : "", mark);
	if (*ports) {
		more = format("%s && %s -t mangle -I PREROUTING -p udp -m multiport ! --dports %s -m socket --transparent -j MARK --set-mark 0x%x",
			      remedy, program, ports, mark);
		free(remedy);
		remedy = more;
	}
	free(ports);
	found(BROKEN, "divert",
	      format("no rule marks what servers send to the proxy's own connections"),
	      mend_by_up(probe, remedy));
}

/* Packets from servers to the proxy have no port that a TPROXY rule names. */
void check_divert(const struct probe *probe)
{
	static const int family[] = { AF_INET, AF_INET6 };
	unsigned int i, j;

	for (j = 0; j < 2; j++)
		for (i = 0; i < probe->tproxies; i++) {
			if (probe->tproxy[i].family != family[j])
				continue;
			if (!diverts(probe, family[j]))
				divert_missing(probe, family[j],
					       probe->tproxy[i].mark ?: FWMARK);
			break;
		}
}

/* True if an earlier rule has the same port of the proxy. */
static bool again(const struct probe *probe, unsigned int i)
{
	const struct tproxy *one = &probe->tproxy[i], *other;
	unsigned int j;

	for (j = 0; j < i; j++) {
		other = &probe->tproxy[j];
		if (other->family == one->family && other->to == one->to &&
		    other->proto == one->proto)
			return true;
	}
	return false;
}

/* The service of a TPROXY rule, or NULL */
static json_t *service_of(const struct probe *probe, const json_t *services,
			  const struct tproxy *rule)
{
	json_t *one;
	size_t i;

	json_array_foreach(services, i, one)
		if (json_get_int(one, "proto") == rule->proto &&
		    json_get_int(one, "port") == rule->to &&
		    (json_get_int(one, "mark") & probe->lift_mask) ==
			    probe->lift_mark)
			return one;
	return NULL;
}

/* How the program, or any, gets a transparent listener on the rule's port */
static char *start_proxy(const struct tproxy *rule, const struct program *program)
{
	const char *host = rule->family == AF_INET6 ? "[::]" : "";

	if (!strcmp(program->name, "squid"))
		return format("in squid.conf: http_port %s%s%u tproxy", host,
			      *host ? ":" : "", rule->to);
	if (program->pid && strcmp(program->name, "haproxy"))
		return format("stop %s (pid %d) and start the proxy, in haproxy.cfg: bind %s:%u transparent; or have it set IP_TRANSPARENT, if it is the proxy",
			      program->name, program->pid, host, rule->to);
	return format("start the proxy; in haproxy.cfg: bind %s:%u transparent",
		      host, rule->to);
}

static char *listener_text(const struct tproxy *rule, const struct listeners *there,
			   const struct program *program)
{
	const char *proto = rule->proto == IPPROTO_UDP ? "UDP" : "TCP";
	const char *family = rule->family == AF_INET6 ? "IPv6" : "IPv4";

	if (!there->best)
		return format("nobody listens on %s port %u for %s, where TPROXY sends packets",
			      proto, rule->to, family);
	if (!program->pid)
		return format("who listens on %s port %u has not set IP_TRANSPARENT",
			      proto, rule->to);
	return format("%s (pid %d), which listens on %s port %u, has not set IP_TRANSPARENT",
		      program->name, program->pid, proto, rule->to);
}

/* Without a service all is lost; one that fails open has it go past the proxy. */
static void listener_missing(const struct tproxy *rule,
			     const struct listeners *there, const json_t *service)
{
	struct program program = program_of(there->opaque);
	char *text = listener_text(rule, there, &program);
	char *remedy = start_proxy(rule, &program);

	if (!service)
		found(BROKEN, "listener", text, remedy);
	else if (json_get_int(service, "fail") == MACKEEP_FAIL_CLOSED)
		found(BROKEN, "listener",
		      format("%s, so new connections are dropped", text), remedy);
	else
		found(WRONG, "listener",
		      format("%s, so new connections are bridged past it", text),
		      remedy);
}

/* The kernel shares connections out among those that listen side by side. */
static void port_taken(const struct tproxy *rule, uint32_t inode)
{
	const char *proto = rule->proto == IPPROTO_UDP ? "UDP" : "TCP";
	struct program program = program_of(inode);

	found(BROKEN, "port-taken",
	      format("%s (pid %d) listens on %s port %u beside the proxy and has not set IP_TRANSPARENT: what it gets is lost",
		     program.pid ? program.name : "a program", program.pid, proto,
		     rule->to),
	      format("stop %s (pid %d), or give one of the two another port",
		     program.pid ? program.name : "it", program.pid));
}

static void check_bypass(const json_t *services)
{
	json_t *one, *frames;
	size_t i;
	bool udp;

	json_array_foreach(services, i, one) {
		frames = json_object_get(one, "frames");
		if (!json_get_int(one, "bypass"))
			continue;
		udp = json_get_int(one, "proto") == IPPROTO_UDP;
		found(DOUBTFUL, "bypass",
		      format("new %s connections go past the proxy on port %d: its service is in bypass, %llu frames went by",
			     udp ? "UDP" : "TCP",
			     (int)json_get_int(one, "port"),
			     (unsigned long long)json_get_int(frames, "bypass")),
		      format("mackeep services set --mark 0x%x --proto %s --bypass off",
			     (unsigned int)json_get_int(one, "mark"),
			     udp ? "udp" : "tcp"));
	}
}

void check_listeners(const struct probe *probe)
{
	json_t *services = services_read();
	const struct tproxy *one;
	unsigned int i;
	struct listeners there;

	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (!one->to || again(probe, i))
			continue;
		there = listeners_find(one->family, one->proto, one->to);
		if (there.best != LISTENER_TRANSPARENT)
			listener_missing(one, &there,
					 service_of(probe, services, one));
		else if (there.beside)
			port_taken(one, there.beside);
	}
	check_bypass(services);
	json_decref(services);
}
