// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairs and records are kept as the messages that put them back, in hexadecimal.
 * The oldest pairs come first, as the module likes it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/mackeep.h>

#include "file.h"
#include "flow.h"
#include "genl.h"
#include "guards.h"
#include "memory.h"
#include "policy.h"
#include "say.h"
#include "services.h"
#include "text.h"

#define SYSCTL	"/proc/sys/net/netfilter/mackeep_"

/*
 * Seconds. Nobody knows any more which flows of UDP went past the proxy: those that
 * are alive are seen again in this time, and stay past it.
 */
#define SETTLE	10

/* --- settings ---------------------------------------------------------------------- */

/* hooks comes last: with it packets are looked at. */
static const char *const sysctls[] = {
	"lift_mark", "lift_vlan", "pair_max", "pair_timeout", "neigh", "feed_neigh", "steer", "hooks",
};

static void on_guard(const struct guard *guard, void *data)
{
	json_array_append_new(data, json_string(guard->name));
}

static json_t *guards_read(void)
{
	json_t *names = json_array();

	/* They are younger than services. */
	if (genl_has_services())
		guards_each(on_guard, names);
	return names;
}

json_t *memory_settings(void)
{
	json_t *settings = json_object(), *values = json_object();
	struct policy policy = policy_read();
	char path[64], value[64];
	unsigned int i;

	for (i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++) {
		snprintf(path, sizeof(path), SYSCTL "%s", sysctls[i]);
		if (file_line(path, value, sizeof(value)))
			json_text(values, sysctls[i], value);
	}
	json_object_set_new(settings, "sysctls", values);
	json_object_set_new(settings, "services", services_read());
	json_object_set_new(settings, "guards", guards_read());
	json_object_set_new(settings, "policy", policy_json(&policy));
	return settings;
}

static void sysctl_write(const json_t *settings, const char *name)
{
	const char *value = json_get_text(json_object_get(settings, "sysctls"),
					  name);
	char path[64], now[64];
	FILE *file;

	snprintf(path, sizeof(path), SYSCTL "%s", name);
	if (!*value || (file_line(path, now, sizeof(now)) && !strcmp(now, value)))
		return;
	file = fopen(path, "we");
	if (!file || fputs(value, file) < 0 || fflush(file))
		complain("net.netfilter.mackeep_%s: it cannot be set to %s again: %s; run: sysctl -w net.netfilter.mackeep_%s=%s",
			 name, value, strerror(errno), name, value);
	if (file)
		fclose(file);
}

static void policy_back(const json_t *settings)
{
	struct policy policy = policy_of_json(json_object_get(settings, "policy"));
	struct policy now = policy_read();

	if (policy_same(&policy, &now))
		return;
	if (genl_has(MACKEEP_CMD_POLICY))
		policy_write(&policy);
	else
		complain("default policy: the module that is loaded knows none; flows without a rule are kept without these options: %s",
			 policy_line(&policy));
}

/*
 * Guards come first, so that nothing else makes the box talk; the policy before
 * the sysctl that has flows under it.
 */
void memory_settings_back(const json_t *settings)
{
	const json_t *one;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(settings, "guards"), i, one) {
		name = json_string_value(one);
		if (!guards_have(name))
			guards_add(name);
	}
	for (i = 0; i + 1 < sizeof(sysctls) / sizeof(*sysctls); i++)
		sysctl_write(settings, sysctls[i]);
	json_array_foreach(json_object_get(settings, "services"), i, one) {
		services_write(one, SETTLE);
	}
	policy_back(settings);
	sysctl_write(settings, "hooks");
}

void memory_services_back(const json_t *settings)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(settings, "services"), i, one) {
		services_bypass(one, json_integer_value(json_object_get(one, "bypass")));
	}
}

/* --- what it knows ----------------------------------------------------------------- */

static const char digits[] = "0123456789abcdef";

static void hex_put(FILE *file, const void *data, size_t len)
{
	const uint8_t *byte = data;

	for (; len--; byte++) {
		putc_unlocked(digits[*byte >> 4], file);
		putc_unlocked(digits[*byte & 15], file);
	}
}

/* NULL: it is no such text. */
static uint8_t *hex_get(const char *text, size_t *len)
{
	const char *digit;
	uint8_t *data;
	size_t i;

	*len = strlen(text) / 2;
	data = malloc(*len + 1);
	if (!data)
		out_of_memory();
	for (i = 0; i < 2 * *len; i++) {
		digit = strchr(digits, text[i]);
		if (!digit) {
			free(data);
			return NULL;
		}
		data[i / 2] = data[i / 2] << 4 | (digit - digits);
	}
	return data;
}

struct pair {
	uint32_t age;
	char *message;
	size_t len;
};

struct pairs {
	struct pair *list;
	unsigned int n;
};

/* A pair's message is what the dump says, under another command. */
static int on_pair(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct pairs *pairs = data;
	struct pair *pair;

	genl_parse(nlh, attrs);
	if (!attrs[MACKEEP_A_AGE])
		return MNL_CB_OK;
	pairs->list = realloc(pairs->list, (pairs->n + 1) * sizeof(*pairs->list));
	if (!pairs->list)
		out_of_memory();
	pair = &pairs->list[pairs->n++];
	pair->age = mnl_attr_get_u32(attrs[MACKEEP_A_AGE]);
	pair->len = nlh->nlmsg_len;
	pair->message = malloc(pair->len);
	if (!pair->message)
		out_of_memory();
	memcpy(pair->message, nlh, pair->len);
	((struct genlmsghdr *)mnl_nlmsg_get_payload((void *)pair->message))->cmd =
		MACKEEP_CMD_PAIR_NEW;
	return MNL_CB_OK;
}

static int older(const void *a, const void *b)
{
	uint32_t one = ((const struct pair *)a)->age;
	uint32_t other = ((const struct pair *)b)->age;

	return (one < other) - (one > other);
}

struct writing {
	FILE *text, *udp4, *udp6;
	unsigned int records;
};

static void write_pairs(struct writing *writing, struct known *known)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct mnl_socket *nl = genl_open();
	struct pairs pairs = { 0 };
	unsigned int i;

	genl_talk(nl, genl_message(buf, MACKEEP_CMD_PAIRS, NLM_F_DUMP), on_pair,
		  &pairs);
	mnl_socket_close(nl);
	qsort(pairs.list, pairs.n, sizeof(*pairs.list), older);
	for (i = 0; i < pairs.n; i++) {
		hex_put(writing->text, pairs.list[i].message, pairs.list[i].len);
		free(pairs.list[i].message);
	}
	known->pairs = pairs.n;
	free(pairs.list);
}

static uint16_t zone_of(const struct nf_conntrack *ct)
{
	if (nfct_attr_is_set(ct, ATTR_ZONE) > 0)
		return nfct_get_attr_u16(ct, ATTR_ZONE);
	if (nfct_attr_is_set(ct, ATTR_ORIG_ZONE) > 0)
		return nfct_get_attr_u16(ct, ATTR_ORIG_ZONE);
	return 0;
}

/* Both directions, as NAT may tell them apart */
static void write_udp(FILE *file, const struct nf_conntrack *ct, bool v6)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = v6 ? AF_INET6 : AF_INET, reply, shift;

	for (reply = 0; reply < 2; reply++) {
		shift = reply ? ATTR_REPL_IPV4_SRC - ATTR_ORIG_IPV4_SRC : 0;
		if (v6)
			shift += ATTR_ORIG_IPV6_SRC - ATTR_ORIG_IPV4_SRC;
		inet_ntop(family, nfct_get_attr(ct, ATTR_ORIG_IPV4_SRC + shift),
			  src, sizeof(src));
		inet_ntop(family, nfct_get_attr(ct, ATTR_ORIG_IPV4_DST + shift),
			  dst, sizeof(dst));
		shift = reply ? ATTR_REPL_PORT_SRC - ATTR_ORIG_PORT_SRC : 0;
		fprintf(file, "udp . %s . %u . %s . %u,\n", src,
			ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC + shift)),
			dst,
			ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST + shift)));
	}
}

static void on_flow(struct nf_conntrack *ct, void *data)
{
	struct flow flow = { .ct = ct };
	struct writing *writing = data;
	uint8_t family = nfct_get_attr_u8(ct, ATTR_L3PROTO);
	uint8_t proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	char buf[512];
	struct nlmsghdr *nlh;
	bool v6 = family == AF_INET6;
	size_t len = v6 ? 16 : 4;

	if (!flow_kept(&flow))
		return;
	if (proto == IPPROTO_UDP)
		write_udp(v6 ? writing->udp6 : writing->udp4, ct, v6);
	if (!flow.info.flags)
		return;
	nlh = genl_message(buf, MACKEEP_CMD_RECORD_NEW, 0);
	mnl_attr_put_u8(nlh, MACKEEP_A_FAMILY, family);
	mnl_attr_put_u8(nlh, MACKEEP_A_PROTO, proto);
	mnl_attr_put(nlh, MACKEEP_A_CLIENT, len,
		     nfct_get_attr(ct, v6 ? ATTR_ORIG_IPV6_SRC : ATTR_ORIG_IPV4_SRC));
	mnl_attr_put(nlh, MACKEEP_A_SERVER, len,
		     nfct_get_attr(ct, v6 ? ATTR_ORIG_IPV6_DST : ATTR_ORIG_IPV4_DST));
	mnl_attr_put_u16(nlh, MACKEEP_A_CLIENT_PORT,
			 ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC)));
	mnl_attr_put_u16(nlh, MACKEEP_A_PORT,
			 ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST)));
	mnl_attr_put_u16(nlh, MACKEEP_A_ZONE, zone_of(ct));
	mnl_attr_put(nlh, MACKEEP_A_INFO, sizeof(flow.info), &flow.info);
	hex_put(writing->text, nlh, nlh->nlmsg_len);
	writing->records++;
}

void memory_known(struct known *known)
{
	struct writing writing = { 0 };
	size_t size;

	memset(known, 0, sizeof(*known));
	writing.text = open_memstream(&known->text, &size);
	writing.udp4 = open_memstream(&known->udp4, &size);
	writing.udp6 = open_memstream(&known->udp6, &size);
	if (!writing.text || !writing.udp4 || !writing.udp6)
		out_of_memory();
	/* A flow without a record lives from its pair: these come back first. */
	write_pairs(&writing, known);
	flow_dump(AF_UNSPEC, false, on_flow, &writing);
	known->records = writing.records;
	fclose(writing.text);
	fclose(writing.udp4);
	fclose(writing.udp6);
}

/* Pairs have aged meanwhile. False: a message is not whole. */
static bool make_older(uint8_t *messages, size_t len, unsigned int age)
{
	uint8_t *at = messages, *end = messages + len;
	const struct nlattr *attr;
	struct nlmsghdr *nlh;

	while (at < end) {
		nlh = (void *)at;
		if (end - at < (long)sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) ||
		    end - at < (long)nlh->nlmsg_len)
			return false;
		mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
			if (mnl_attr_get_type(attr) == MACKEEP_A_AGE)
				*(uint32_t *)mnl_attr_get_payload(attr) += age;
		at += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	return true;
}

unsigned int memory_known_back(const char *text, unsigned int age)
{
	struct mnl_socket *nl = genl_open();
	unsigned int refused = 0;
	size_t len;
	uint8_t *messages = hex_get(text, &len);

	if (messages && make_older(messages, len, age))
		refused = genl_batch(nl, messages, len);
	else
		complain("MAC addresses of flows: what was written down is damaged; the flows learn again from their next frames");
	free(messages);
	mnl_socket_close(nl);
	return refused;
}
