// SPDX-License-Identifier: GPL-2.0-only
/*
 * The finding exempt: a rule that lets somebody's packets pass TPROXY. They have left
 * the bridge by then, and nobody takes them, so the connections die.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "exempt-nft.h"
#include "exemption.h"
#include "finding.h"
#include "nft.h"
#include "plan-text.h"
#include "text.h"

/* Chains that call each other go no deeper than this here. */
#define DEPTH		4

/* Whom one rule names: a set of nft makes many of it. */
struct named {
	char place[40];			/* its chain, or its table of nft */
	char device[IF_NAMESIZE];	/* that they come in by; "": any */
	size_t n;
	struct exemption_key key[MANY];
};

/* --- addresses ------------------------------------------------------------------- */

/* Addresses of this machine, loopback and multicast: nothing of them is lifted. */
static bool never_lifted(const char *text)
{
	char host[INET6_ADDRSTRLEN], own[INET6_ADDRSTRLEN];
	struct ifaddrs *all, *one;
	uint8_t addr[16];
	bool ours = false;
	int family;

	snprintf(host, sizeof(host), "%.*s", (int)strcspn(text, "/"), text);
	family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, host, addr) != 1)
		return true;
	if (family == AF_INET ? !addr[0] || addr[0] == 127 || addr[0] >= 224 :
				!addr[0] || addr[0] >= 0xfe)
		return true;
	if (getifaddrs(&all) < 0)
		return false;
	for (one = all; one; one = one->ifa_next)
		if (one->ifa_addr && one->ifa_addr->sa_family == family &&
		    inet_ntop(family, family == AF_INET ?
			      (void *)&((struct sockaddr_in *)one->ifa_addr)->sin_addr :
			      (void *)&((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr,
			      own, sizeof(own)) && !strcmp(own, host))
			ours = true;
	freeifaddrs(all);
	return ours;
}

/* False: it is no prefix that an exemption can have. */
static bool is_prefix(const char *text)
{
	const char *slash = strchr(text, '/');

	return !never_lifted(text) &&
	       (!slash || (slash[1] != '0' && slash[1] &&
			   strspn(slash + 1, "0123456789") == strlen(slash + 1)));
}

/* Each of those before with each of these: the addresses of another match */
static void named_more(struct named *named, const char *word, json_t *addresses)
{
	struct named all = *named;
	const char *text;
	size_t i, j;

	all.n = 0;
	for (i = 0; i < named->n; i++)
		for (j = 0; j < json_array_size(addresses) && all.n < MANY; j++) {
			text = json_string_value(json_array_get(addresses, j));
			if (!is_prefix(text))
				continue;
			all.key[all.n] = named->key[i];
			exemption_take(&all.key[all.n++], "", word, text);
		}
	*named = all;
	json_decref(addresses);
}

/* --- remedies ---------------------------------------------------------------------- */

/* The addresses of a key, each behind the words that match it */
static char *matches(const struct exemption_key *key, const char *src_is,
		     const char *dst_is)
{
	struct exemption one = { .key = *key, .text = "" };
	json_t *said = exemption_json(&one);
	const char *src = json_get_text(said, "src");
	const char *dst = json_get_text(said, "dst");
	char *text;

	text = format("%s%s%s%s", *src ? src_is : "", src, *dst ? dst_is : "", dst);
	json_decref(said);
	return text;
}

static char *by_hand_nft(json_t *rule, const struct exemption_key *key)
{
	bool v6 = key->family == 6;
	char *match, *text;

	match = matches(key, v6 ? " ip6 saddr " : " ip saddr ",
			v6 ? " ip6 daddr " : " ip daddr ");
	text = format("nft insert rule bridge %s %s%s return",
		      json_get_text(rule, "table"), json_get_text(rule, "chain"),
		      match);
	free(match);
	return text;
}

static char *by_hand_saved(const struct saved *rule, const struct exemption_key *key)
{
	bool v6 = key->family == 6;
	char *match, *text;

	match = matches(key, v6 ? " --ip6-src " : " --ip-src ",
			v6 ? " --ip6-dst " : " --ip-dst ");
	text = format("%s -t %s -I %.*s -p %s%s -j ACCEPT", rule->program,
		      rule->table, (int)strcspn(rule->text, " "), rule->text,
		      v6 ? "IPv6" : "IPv4", match);
	free(match);
	return text;
}

static bool lifts(const struct probe *probe, uint32_t mark)
{
	return (mark & probe->lift_mask) == probe->lift_mark;
}

/* A rule in front of one that somebody marks by; NULL: there is none. */
static char *by_hand(const struct probe *probe, const struct exemption_key *key)
{
	const struct saved *saved;
	uint32_t mark;
	json_t *rule;
	size_t i;

	for (i = 0; i < json_array_size(probe->nft); i++) {
		rule = nft_rule(json_array_get(probe->nft, i));
		if (json_is(rule, "family", "bridge") && nft_mark(rule, &mark) &&
		    lifts(probe, mark))
			return by_hand_nft(rule, key);
	}
	for (saved = probe->saved; saved < probe->saved + probe->rules; saved++)
		if (!strncmp(saved->program, "ebtables", 8) &&
		    lifts(probe, strtoul(saved_option(saved, "--mark-set"), NULL, 0)))
			return by_hand_saved(saved, key);
	return NULL;
}

static bool is_exempt(const char *bridge, const struct exemption_key *key)
{
	struct exemptions all;

	exemptions_read(&all, exemptions_path(bridge), false);
	return exemptions_find(&all, key);
}

/* False: the rule is for another bridge. */
static bool concerns(const struct named *named, const char *bridge)
{
	size_t len = strlen(bridge);

	if (!strncmp(named->place, "mackeep_", 8) &&
	    strcmp(named->place, plan_name(bridge)))
		return false;
	return !*named->device ||
	       (!strncmp(named->device, bridge, len) &&
		(!named->device[len] || named->device[len] == '.'));
}

static char *on_bridge(const char *bridge, const struct exemption_key *key)
{
	char *match = matches(key, " --src ", " --dst "), *text;

	text = format("mackeep exempt add %s%s", bridge, match);
	free(match);
	return text;
}

/* Puts a command in front of others, which are behind it when it works. */
static void in_front(char **commands, char *one)
{
	char *all;

	if (!one)
		return;
	all = format("%s%s%s", one, **commands ? " && " : "", *commands);
	free(one);
	free(*commands);
	*commands = all;
}

/* Takes where and remedy, the command that deletes the rule or "". */
static void trap(const struct probe *probe, const struct named *named, char *where,
		 char *remedy)
{
	const struct exemption_key *key;
	bool lifted = false, up;
	const char *bridge;
	unsigned int i;
	char *who;

	for (key = named->key; key < named->key + named->n; key++) {
		for (i = 0; i < probe->bridges; i++) {
			bridge = probe->bridge[i].name;
			up = exempt_table_there(bridge);
			if (!concerns(named, bridge) || (up && is_exempt(bridge, key)))
				continue;
			lifted = true;
			in_front(&remedy, up ? on_bridge(bridge, key) :
					       by_hand(probe, key));
		}
	}
	if (lifted && *remedy) {
		who = exemption_text(named->key, NULL);
		found(BROKEN, "exempt",
		      format("%s lets %s%s pass TPROXY, but that is lifted off the bridge already, and dies",
			     where, who, named->n > 1 ? " and others" : ""), remedy);
		free(who);
	} else {
		free(remedy);
	}
	free(where);
}

/* --- iptables ------------------------------------------------------------------------ */

/* True if packets that get to a rule may get to TPROXY by it. */
static bool saved_leads(const struct probe *probe, const struct saved *rule,
			unsigned int depth)
{
	const struct saved *one;
	char target[64];
	size_t len;

	snprintf(target, sizeof(target), "%s", saved_option(rule, "-j"));
	if (!*target)
		snprintf(target, sizeof(target), "%s", saved_option(rule, "-g"));
	if (!strcmp(target, "TPROXY"))
		return true;
	len = strlen(target);
	for (one = probe->saved; depth && len && one < probe->saved + probe->rules; one++)
		if (!strcmp(one->program, rule->program) &&
		    !strcmp(one->table, rule->table) &&
		    !strncmp(one->text, target, len) && one->text[len] == ' ' &&
		    saved_leads(probe, one, depth - 1))
			return true;
	return false;
}

/* True if what a rule takes would get to TPROXY behind it. */
static bool saved_in_front(const struct probe *probe, const struct saved *rule,
			   bool accepts, unsigned int depth)
{
	size_t len = strcspn(rule->text, " ");
	const struct saved *one;
	const char *target;

	for (one = probe->saved; one < probe->saved + probe->rules; one++) {
		if (strcmp(one->program, rule->program) ||
		    strcmp(one->table, rule->table))
			continue;
		if (one > rule && !strncmp(one->text, rule->text, len + 1) &&
		    saved_leads(probe, one, DEPTH))
			return true;
		target = saved_option(one, "-j");
		if (accepts && depth && strlen(target) == len &&
		    !strncmp(target, rule->text, len) &&
		    saved_in_front(probe, one, true, depth - 1))
			return true;
	}
	return false;
}

/* A rule may take less than it names: then it is for something else. */
static bool saved_takes(const struct probe *probe, const struct saved *rule)
{
	static const char *const fine[] = { "tcp", "udp", "comment" };
	const char *at, *proto = saved_option(rule, "-p"), *device;
	unsigned int i;

	for (at = rule->text; (at = strstr(at, " -m ")); at += 4) {
		for (i = 0; i < 3; i++)
			if (!strncmp(at + 4, fine[i], strlen(fine[i])))
				break;
		if (i == 3)
			return false;
	}
	if (*proto && strcmp(proto, "tcp") && strcmp(proto, "udp"))
		return false;
	i = strcmp(proto, "udp") ? IPPROTO_TCP : IPPROTO_UDP;
	at = saved_option(rule, "--dport");
	if (strstr(rule->text, " --sport ") ||
	    (*at && !probe_is_proxied(probe, i, strtoul(at, NULL, 10))))
		return false;
	device = saved_option(rule, "-i");
	return !*device || probe_is_ours(probe, device);
}

static void saved_name(struct named *named, const struct saved *rule,
		       const char *option, const char *word)
{
	const char *value = saved_option(rule, option);

	if (*value)
		named_more(named, word, json_pack("[s]", value));
}

static void saved_trap(const struct probe *probe, const struct saved *rule)
{
	struct named named = { .n = 1 };
	const char *target = saved_option(rule, "-j");
	bool accepts = !strcmp(target, "ACCEPT");

	if (strcmp(rule->table, "mangle") || !strncmp(rule->program, "ebtables", 8) ||
	    (!accepts && strcmp(target, "RETURN")) || strstr(rule->text, "! ") ||
	    !saved_takes(probe, rule) || !saved_in_front(probe, rule, accepts, DEPTH))
		return;
	snprintf(named.place, sizeof(named.place), "%.*s",
		 (int)strcspn(rule->text, " "), rule->text);
	snprintf(named.device, sizeof(named.device), "%.15s", saved_option(rule, "-i"));
	saved_name(&named, rule, "-s", "src");
	saved_name(&named, rule, "-d", "dst");
	if (named.n && exemption_says(named.key))
		trap(probe, &named,
		     format("a rule of %s in chain %s", rule->program, named.place),
		     saved_delete(rule));
}

/* --- nft ----------------------------------------------------------------------------- */

static void put_addresses(const struct probe *probe, json_t *rule, json_t *value,
			  json_t *addresses);

/* The elements of a set that the rule names */
static void put_set(const struct probe *probe, json_t *rule, const char *name,
		    json_t *addresses)
{
	json_t *one, *set;
	size_t i, j;

	json_array_foreach(probe->nft, i, one) {
		set = json_object_get(one, "set");
		if (!json_is(set, "name", name) ||
		    !json_is(set, "table", json_get_text(rule, "table")) ||
		    !json_is(set, "family", json_get_text(rule, "family")))
			continue;
		set = json_object_get(set, "elem");
		for (j = 0; j < json_array_size(set); j++)
			put_addresses(probe, rule, json_array_get(set, j), addresses);
	}
}

/* An address, a prefix, or a set of them */
static void put_addresses(const struct probe *probe, json_t *rule, json_t *value,
			  json_t *addresses)
{
	json_t *prefix = json_object_get(value, "prefix");
	const char *text = json_string_value(value);
	char *joined;
	size_t i;

	if (text && *text == '@')
		put_set(probe, rule, text + 1, addresses);
	else if (text)
		json_array_append(addresses, value);
	if (prefix) {
		joined = format("%s/%d", json_get_text(prefix, "addr"),
				(int)json_get_int(prefix, "len"));
		json_array_append_new(addresses, json_string(joined));
		free(joined);
	}
	value = json_object_get(value, "set");
	for (i = 0; i < json_array_size(value); i++)
		put_addresses(probe, rule, json_array_get(value, i), addresses);
}

/* A match that leaves nothing out of what is proxied */
static bool nft_takes(const struct probe *probe, json_t *match)
{
	json_t *left = json_object_get(match, "left");
	json_t *right = json_object_get(match, "right");
	json_t *payload = json_object_get(left, "payload");
	int proto = json_is(payload, "protocol", "udp") ? IPPROTO_UDP : IPPROTO_TCP;

	if (!json_is(match, "op", "=="))
		return false;
	if (json_is(payload, "field", "dport"))
		return !json_is_integer(right) ||
		       probe_is_proxied(probe, proto, json_integer_value(right));
	return json_is(json_object_get(left, "meta"), "key", "l4proto");
}

/* False: it takes less than it names. */
static bool nft_name(const struct probe *probe, json_t *rule, struct named *named)
{
	json_t *one, *match, *left, *addresses;
	bool src;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		match = json_object_get(one, "match");
		left = json_object_get(json_object_get(match, "left"), "payload");
		src = json_is(left, "field", "saddr");
		if (!match || nft_takes(probe, match))
			continue;
		if (json_is(json_object_get(json_object_get(match, "left"), "meta"),
			    "key", "iifname")) {
			snprintf(named->device, sizeof(named->device), "%.15s",
				 json_get_text(match, "right"));
			continue;
		}
		if ((!src && !json_is(left, "field", "daddr")) ||
		    !json_is(match, "op", "=="))
			return false;
		addresses = json_array();
		put_addresses(probe, rule, json_object_get(match, "right"), addresses);
		named_more(named, src ? "src" : "dst", addresses);
	}
	return named->n && exemption_says(named->key);
}

static bool same_chain(json_t *rule, json_t *other, const char *chain)
{
	return json_is(other, "family", json_get_text(rule, "family")) &&
	       json_is(other, "table", json_get_text(rule, "table")) &&
	       json_is(other, "chain", chain);
}

static bool nft_leads(const struct probe *probe, json_t *rule, unsigned int depth)
{
	json_t *to = nft_expression(rule, "jump") ?: nft_expression(rule, "goto");
	json_t *other;
	size_t i;

	if (nft_expression(rule, "tproxy"))
		return true;
	for (i = 0; to && depth && i < json_array_size(probe->nft); i++) {
		other = nft_rule(json_array_get(probe->nft, i));
		if (same_chain(rule, other, json_get_text(to, "target")) &&
		    nft_leads(probe, other, depth - 1))
			return true;
	}
	return false;
}

static void nft_trap(const struct probe *probe, size_t at)
{
	json_t *rule = nft_rule(json_array_get(probe->nft, at)), *other;
	struct named named = { .n = 1 };
	bool before = false;
	size_t i;

	if (!rule || json_is(rule, "family", "bridge") || !nft_ends(rule) ||
	    nft_drops(rule) || nft_expression(rule, "tproxy"))
		return;
	for (i = at + 1; i < json_array_size(probe->nft) && !before; i++) {
		other = nft_rule(json_array_get(probe->nft, i));
		before = same_chain(rule, other, json_get_text(rule, "chain")) &&
			 nft_leads(probe, other, DEPTH);
	}
	snprintf(named.place, sizeof(named.place), "%.39s", json_get_text(rule, "table"));
	if (before && nft_name(probe, rule, &named))
		trap(probe, &named,
		     format("a rule in %s table %s", json_get_text(rule, "family"),
			    json_get_text(rule, "table")), nft_delete(rule));
}

void check_exempt(const struct probe *probe)
{
	const struct saved *rule;
	size_t i;

	for (rule = probe->saved; rule < probe->saved + probe->rules; rule++)
		saved_trap(probe, rule);
	for (i = 0; i < json_array_size(probe->nft); i++)
		nft_trap(probe, i);
}
