// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings on the way from TPROXY to the proxy: tproxy, divert, listener, bypass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mackeep.h>

#include "checks.h"
#include "finding.h"
#include "listener.h"
#include "nft.h"
#include "numbers.h"
#include "rule.h"
#include "services.h"
#include "text.h"

void check_tproxy(const struct probe *probe)
{
	uint32_t mark = FWMARK;
	uint16_t port;

	if (probe->tproxies)
		return;
	port = listener_any();
	rule_table(AF_INET, 0, &mark);
	found(BROKEN, "tproxy",
	      format("no TPROXY rule hands lifted packets to a proxy"),
	      format("iptables -t mangle -A PREROUTING -i %s -p tcp --dport 443 -j TPROXY --on-port %u --tproxy-mark 0x%x",
		     probe_device(probe), port ?: 3129, mark));
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

static void divert_missing(bool v6, uint32_t mark)
{
	found(BROKEN, "divert",
	      format("no rule marks what servers send to the proxy's own connections"),
	      format("%s -t mangle -I PREROUTING -m socket --transparent -j MARK --set-mark 0x%x",
		     v6 ? "ip6tables" : "iptables", mark));
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
				divert_missing(j, probe->tproxy[i].mark ?: FWMARK);
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

/* Without a service all is lost; one that fails open has it go past the proxy. */
static void listener_missing(const struct tproxy *rule, enum listener there,
			     const json_t *service)
{
	const char *proto = rule->proto == IPPROTO_UDP ? "UDP" : "TCP";
	char *text, *remedy;

	text = there ?
		format("who listens on %s port %u has not set IP_TRANSPARENT",
		       proto, rule->to) :
		format("nobody listens on %s port %u, where TPROXY sends packets",
		       proto, rule->to);
	remedy = format("start the proxy; in haproxy.cfg: bind %s:%u transparent",
			rule->family == AF_INET6 ? "[::]" : "", rule->to);
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

static void check_bypass(const json_t *services)
{
	json_t *one;
	size_t i;
	bool udp;

	json_array_foreach(services, i, one) {
		if (!json_get_int(one, "bypass"))
			continue;
		udp = json_get_int(one, "proto") == IPPROTO_UDP;
		found(DOUBTFUL, "bypass",
		      format("new %s connections go past the proxy on port %d: its service is in bypass",
			     udp ? "UDP" : "TCP",
			     (int)json_get_int(one, "port")),
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
	enum listener there;

	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (!one->to || again(probe, i))
			continue;
		there = listener_find(one->family, one->proto, one->to);
		if (there != LISTENER_TRANSPARENT)
			listener_missing(one, there,
					 service_of(probe, services, one));
	}
	check_bypass(services);
	json_decref(services);
}
