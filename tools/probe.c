// SPDX-License-Identifier: GPL-2.0-only
/* How the doctor looks: by the stock programs, and by asking the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "probe.h"

#define TCP_LISTEN	10
#define TCP_CLOSE	7	/* what a UDP socket that is not connected is */

long probe_sysctl(const char *format, ...)
{
	char path[256] = "/proc/sys/", text[64];
	va_list args;
	FILE *file;

	va_start(args, format);
	vsnprintf(path + 10, sizeof(path) - 10, format, args);
	va_end(args);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		*text = '\0';
	fclose(file);
	return strtol(text, NULL, 0);
}

/* --- devices --------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static const json_t *info_of(const json_t *link)
{
	return json_object_get(link, "linkinfo");
}

static bool has_ports(const struct probe *probe, const char *bridge)
{
	json_t *link;
	size_t i;

	json_array_foreach(probe->links, i, link)
		if (!strcmp(text_of(link, "master"), bridge))
			return true;
	return false;
}

static void wanted(const char *bridge, json_t *state, void *data)
{
	json_t *list = data;

	(void)state;
	json_array_append_new(list, json_string(bridge));
}

static bool listed(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

/* The one asked for, else those that are up, else all that have ports */
static void probe_links(struct probe *probe, const char *bridge)
{
	json_t *link, *data, *names = json_array();
	const char *name;
	size_t i;

	probe->links = RUN_JSON("ip", "-d", "-j", "link", "show");
	if (!probe->links)
		die(FAILED, "ip -d -j link: it does not work; install iproute2");
	if (bridge)
		json_array_append_new(names, json_string(bridge));
	else
		state_each(wanted, names);

	json_array_foreach(probe->links, i, link) {
		struct bridge *one = &probe->bridge[probe->bridges];

		name = text_of(link, "ifname");
		if (strcmp(text_of(info_of(link), "info_kind"), "bridge") ||
		    probe->bridges == MANY ||
		    (json_array_size(names) ? !listed(names, name) :
					      !has_ports(probe, name)))
			continue;
		snprintf(one->name, sizeof(one->name), "%s", name);
		data = json_object_get(info_of(link), "info_data");
		one->group_fwd_mask = strtoul(text_of(data, "group_fwd_mask"),
					      NULL, 0);
		snprintf(probe->device[probe->bridges], IF_NAMESIZE, "%s", name);
		probe->bridges++;
	}
	probe->devices = probe->bridges;
	json_decref(names);

	json_array_foreach(probe->links, i, link)
		if (!strcmp(text_of(info_of(link), "info_kind"), "vlan") &&
		    probe->devices < MANY &&
		    probe_is_ours(probe, text_of(link, "link")))
			snprintf(probe->device[probe->devices++], IF_NAMESIZE,
				 "%s", text_of(link, "ifname"));
}

bool probe_is_ours(const struct probe *probe, const char *device)
{
	json_t *link;
	unsigned int j;
	size_t i;

	for (j = 0; j < probe->devices; j++)
		if (!strcmp(probe->device[j], device))
			return true;
	json_array_foreach(probe->links, i, link) {
		if (strcmp(text_of(link, "ifname"), device))
			continue;
		for (j = 0; j < probe->bridges; j++)
			if (!strcmp(text_of(link, "master"), probe->bridge[j].name))
				return true;
	}
	return false;
}

/* --- rules ------------------------------------------------------------------------- */

const char *saved_option(const struct saved *rule, const char *option)
{
	static char value[64];
	size_t len = strlen(option);
	const char *at = rule->text;

	while ((at = strstr(at, option))) {
		if ((at == rule->text || at[-1] == ' ') && at[len] == ' ') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(at + len + 1, " "), at + len + 1);
			return value;
		}
		at += len;
	}
	return "";
}

static void saved_add(struct probe *probe, const char *program,
		      const char *table, const char *text)
{
	struct saved *one;

	probe->saved = realloc(probe->saved,
			       (probe->rules + 1) * sizeof(*probe->saved));
	if (!probe->saved)
		out_of_memory();
	one = &probe->saved[probe->rules++];
	one->program = program;
	snprintf(one->table, sizeof(one->table), "%s", table);
	one->text = strdup(text);
}

/* "*TABLE" and "-A CHAIN ..." lines */
static void probe_saved(struct probe *probe, const char *save,
			const char *program)
{
	struct result result = RUN(save);
	char *line, *rest, table[16] = "";

	for (line = strtok_r(result.out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (*line == '*')
			snprintf(table, sizeof(table), "%s", line + 1);
		else if (!strncmp(line, "-A ", 3))
			saved_add(probe, program, table, line + 3);
	}
	run_free(&result);
}

/* Asking ebtables-legacy of a table that is not there would make it. */
static void probe_ebtables_legacy(struct probe *probe, const char *table,
				  const char *module)
{
	char *line, *rest, chain[40] = "", text[1100];
	FILE *modules = fopen("/proc/modules", "r");
	struct result result;
	char loaded[64];
	bool there = false;

	while (modules && fscanf(modules, "%63s%*[^\n]", loaded) == 1)
		there = there || !strcmp(loaded, module);
	if (modules)
		fclose(modules);
	if (!there)
		return;
	result = RUN("ebtables-legacy", "-t", table, "-L");
	for (line = strtok_r(result.out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "Bridge chain: %39[^,]", chain) == 1)
			continue;
		snprintf(text, sizeof(text), "%s %s", chain, line);
		if (*line == '-')
			saved_add(probe, "ebtables-legacy", table, text);
	}
	run_free(&result);
}

json_t *nft_rule(json_t *object)
{
	return json_object_get(object, "rule");
}

json_t *nft_expression(json_t *rule, const char *name)
{
	json_t *one, *found;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		found = json_object_get(one, name);
		if (found)
			return found;
	}
	return NULL;
}

bool nft_is(json_t *object, const char *key, const char *value)
{
	return !strcmp(text_of(object, key), value);
}

bool nft_mark(json_t *rule, uint32_t *mark)
{
	json_t *one, *mangle, *value;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		mangle = json_object_get(one, "mangle");
		if (!nft_is(json_object_get(json_object_get(mangle, "key"),
					    "meta"), "key", "mark"))
			continue;
		value = json_object_get(mangle, "value");
		if (json_is_integer(value)) {
			*mark = json_integer_value(value);
			found = true;
		}
	}
	return found;
}

static void ports_add(struct ports *ports, long first, long last)
{
	if (ports->n == PORTS_MAX)
		return;
	ports->range[ports->n].first = first;
	ports->range[ports->n++].last = last;
}

/* 443, a range, or a set of both */
static void nft_ports(json_t *value, struct ports *ports)
{
	json_t *range = json_object_get(value, "range");
	json_t *set = json_object_get(value, "set");
	size_t i;

	if (json_is_integer(value))
		ports_add(ports, json_integer_value(value),
			  json_integer_value(value));
	else if (range)
		ports_add(ports, json_integer_value(json_array_get(range, 0)),
			  json_integer_value(json_array_get(range, 1)));
	for (i = 0; i < json_array_size(set); i++)
		nft_ports(json_array_get(set, i), ports);
}

static void nft_tproxy(struct probe *probe, json_t *rule)
{
	json_t *tproxy = nft_expression(rule, "tproxy"), *one, *match, *left;
	struct tproxy *found = &probe->tproxy[probe->tproxies];
	size_t i;

	if (!tproxy || probe->tproxies == MANY)
		return;
	memset(found, 0, sizeof(*found));
	found->family = nft_is(rule, "family", "ip6") ||
			nft_is(tproxy, "family", "ip6") ? AF_INET6 : AF_INET;
	found->to = json_integer_value(json_object_get(tproxy, "port"));
	found->proto = IPPROTO_TCP;
	nft_mark(rule, &found->mark);
	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		match = json_object_get(one, "match");
		left = json_object_get(json_object_get(match, "left"), "payload");
		if (!nft_is(left, "field", "dport"))
			continue;
		if (nft_is(left, "protocol", "udp"))
			found->proto = IPPROTO_UDP;
		nft_ports(json_object_get(match, "right"), &found->dports);
	}
	probe->tproxies++;
}

static void saved_tproxy(struct probe *probe, const struct saved *rule)
{
	struct tproxy *found = &probe->tproxy[probe->tproxies];
	unsigned int first, last;
	int n;

	if (strcmp(saved_option(rule, "-j"), "TPROXY") ||
	    probe->tproxies == MANY)
		return;
	memset(found, 0, sizeof(*found));
	found->family = strncmp(rule->program, "ip6", 3) ? AF_INET : AF_INET6;
	found->proto = strcmp(saved_option(rule, "-p"), "udp") ? IPPROTO_TCP :
								 IPPROTO_UDP;
	n = sscanf(saved_option(rule, "--dport"), "%u:%u", &first, &last);
	if (n > 0)
		ports_add(&found->dports, first, n > 1 ? last : first);
	found->to = strtoul(saved_option(rule, "--on-port"), NULL, 0);
	found->mark = strtoul(saved_option(rule, "--tproxy-mark"), NULL, 0);
	probe->tproxies++;
}

bool probe_is_proxied(const struct probe *probe, int proto, uint16_t port)
{
	unsigned int i, j;

	for (i = 0; i < probe->tproxies; i++) {
		const struct tproxy *one = &probe->tproxy[i];

		if (one->proto != proto)
			continue;
		for (j = 0; j < one->dports.n; j++)
			if (port >= one->dports.range[j].first &&
			    port <= one->dports.range[j].last)
				return true;
	}
	return false;
}

static void probe_rules(struct probe *probe)
{
	json_t *all = RUN_JSON("nft", "-j", "list", "ruleset");
	unsigned int j;
	size_t i;

	probe->nft = json_incref(json_object_get(all, "nftables"));
	json_decref(all);
	probe_saved(probe, "iptables-nft-save", "iptables-nft");
	probe_saved(probe, "ip6tables-nft-save", "ip6tables-nft");
	probe_saved(probe, "iptables-legacy-save", "iptables-legacy");
	probe_saved(probe, "ip6tables-legacy-save", "ip6tables-legacy");
	probe_saved(probe, "ebtables-nft-save", "ebtables-nft");
	probe_ebtables_legacy(probe, "nat", "ebtable_nat");
	probe_ebtables_legacy(probe, "broute", "ebtable_broute");

	for (i = 0; i < json_array_size(probe->nft); i++)
		nft_tproxy(probe, nft_rule(json_array_get(probe->nft, i)));
	for (j = 0; j < probe->rules; j++)
		saved_tproxy(probe, &probe->saved[j]);
}

static void probe_lift(struct probe *probe)
{
	FILE *file = fopen("/proc/sys/net/netfilter/mackeep_lift_mark", "r");

	probe->lift_mark = 0x4d4b;
	probe->lift_mask = UINT32_MAX;
	if (!file)
		return;
	if (fscanf(file, "%i/%i", (int *)&probe->lift_mark,
		   (int *)&probe->lift_mask) != 2)
		probe->lift_mask = UINT32_MAX;
	fclose(file);
}

void probe_make(struct probe *probe, const char *bridge)
{
	memset(probe, 0, sizeof(*probe));
	probe_links(probe, bridge);
	probe_rules(probe);
	probe_lift(probe);
}

/* --- sockets ------------------------------------------------------------------------ */

struct sockets {
	int family;
	uint16_t port;			/* 0: any; becomes what was found */
	int found;
};

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct inet_diag_sockopt *option;
	struct sockets *sockets = data;
	const struct nlattr *attr;
	int found = 1;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	/* A socket on [::] takes IPv4 as well, unless told not to. */
	if (sockets->port && (ntohs(msg->id.idiag_sport) != sockets->port ||
			      (msg->idiag_family == AF_INET &&
			       sockets->family == AF_INET6)))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) != INET_DIAG_SOCKOPT ||
		    mnl_attr_get_payload_len(attr) < sizeof(*option))
			continue;
		option = mnl_attr_get_payload(attr);
		if (option->transparent)
			found = 2;
	}
	if (found > sockets->found)
		sockets->found = found;
	if (found == 2 && !sockets->port)
		sockets->port = ntohs(msg->id.idiag_sport);
	return MNL_CB_OK;
}

/* As ss(8) does; the kernel tells options of each socket it lists. */
static void sockets_ask(struct sockets *sockets, int family, int proto)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct inet_diag_req_v2 *request;
	struct nlmsghdr *nlh;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "sock_diag: %s; run: modprobe inet_diag",
		    strerror(errno));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = proto;
	request->idiag_states = 1 << (proto == IPPROTO_TCP ? TCP_LISTEN :
							     TCP_CLOSE);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "sock_diag: %s", strerror(errno));
	netlink_receive(nl, 1, on_socket, sockets);
	mnl_socket_close(nl);
}

int probe_listener(int family, int proto, uint16_t port)
{
	struct sockets sockets = { .family = family, .port = port };

	sockets_ask(&sockets, AF_INET6, proto);
	if (family == AF_INET)
		sockets_ask(&sockets, AF_INET, proto);
	return sockets.found;
}

uint16_t probe_any_listener(void)
{
	struct sockets sockets = { .family = AF_INET };

	sockets_ask(&sockets, AF_INET, IPPROTO_TCP);
	sockets_ask(&sockets, AF_INET6, IPPROTO_TCP);
	return sockets.port;
}
