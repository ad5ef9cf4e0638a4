// SPDX-License-Identifier: GPL-2.0-only
/* mackeep pairs, mackeep flush: the pair cache, and how to forget MACs */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/mackeep.h>

#include "args.h"
#include "commands.h"
#include "genl.h"
#include "say.h"
#include "tag.h"
#include "text.h"

struct pairs {
	const struct args *args;
	unsigned long shown;
};

static const char *address_text(uint8_t family, const struct nlattr *attr,
				char *text)
{
	if (family == AF_INET6 && mnl_attr_get_payload_len(attr) < 16)
		return "?";
	return inet_ntop(family, mnl_attr_get_payload(attr), text,
			 INET6_ADDRSTRLEN) ?: "?";
}

static bool same(const struct nlattr *attr, const struct address *addr)
{
	return attr && mnl_attr_get_payload_len(attr) * 8 == addr->prefix &&
	       !memcmp(mnl_attr_get_payload(attr), &addr->in6, addr->prefix / 8);
}

static bool is_mac(const struct nlattr *attr, const uint8_t *mac)
{
	return attr && !memcmp(mnl_attr_get_payload(attr), mac, 6);
}

static bool wanted(const struct args *args, const struct nlattr **attrs)
{
	if (args->family &&
	    mnl_attr_get_u8(attrs[MACKEEP_A_FAMILY]) != args->family)
		return false;
	if (args->addr.family && !same(attrs[MACKEEP_A_CLIENT], &args->addr) &&
	    !same(attrs[MACKEEP_A_SERVER], &args->addr))
		return false;
	if (args->ifindex &&
	    mnl_attr_get_u32(attrs[MACKEEP_A_IFINDEX]) != args->ifindex)
		return false;
	return !args->by_mac || is_mac(attrs[MACKEEP_A_SRC], args->mac) ||
	       is_mac(attrs[MACKEEP_A_DST], args->mac);
}

static int on_pair(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	char client[INET6_ADDRSTRLEN], server[INET6_ADDRSTRLEN];
	struct pairs *pairs = data;
	const char *c, *s, *dev, *smac, *dmac = NULL;
	unsigned int zone;
	struct tag tag = { 0, 0 };
	json_t *object;
	char line[512];
	uint8_t family;
	double age;
	int n;

	genl_parse(nlh, attrs);
	if (!attrs[MACKEEP_A_FAMILY] || !attrs[MACKEEP_A_CLIENT] ||
	    !attrs[MACKEEP_A_SRC] || !attrs[MACKEEP_A_IFINDEX] ||
	    !attrs[MACKEEP_A_AGE] || !wanted(pairs->args, attrs))
		return MNL_CB_OK;

	family = mnl_attr_get_u8(attrs[MACKEEP_A_FAMILY]);
	c = address_text(family, attrs[MACKEEP_A_CLIENT], client);
	s = attrs[MACKEEP_A_SERVER] ?
	    address_text(family, attrs[MACKEEP_A_SERVER], server) : "any";
	smac = mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_SRC]));
	if (attrs[MACKEEP_A_DST])
		dmac = mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_DST]));
	dev = device_text(mnl_attr_get_u32(attrs[MACKEEP_A_IFINDEX]));
	if (attrs[MACKEEP_A_VLAN])
		tag.vlan = mnl_attr_get_u16(attrs[MACKEEP_A_VLAN]);
	if (attrs[MACKEEP_A_VLAN_PROTO])
		tag.proto = mnl_attr_get_u16(attrs[MACKEEP_A_VLAN_PROTO]);
	zone = attrs[MACKEEP_A_ZONE] ? mnl_attr_get_u16(attrs[MACKEEP_A_ZONE]) : 0;
	age = mnl_attr_get_u32(attrs[MACKEEP_A_AGE]) / 1000.0;
	pairs->shown++;

	if (pairs->args->out & OUT_JSON) {
		object = json_pack("{s:s, s:s}", "client", c, "server", s);
		json_text(object, "smac", smac);
		if (dmac)
			json_text(object, "dmac", dmac);
		json_text(object, "dev", dev);
		tag_json(object, tag);
		json_int(object, "zone", zone);
		json_object_set_new(object, "age", json_real(age));
		json_object_set_new(object, "proven",
				    json_boolean(attrs[MACKEEP_A_PROVEN]));
		json_object_set_new(object, "routed",
				    json_boolean(attrs[MACKEEP_A_ROUTED]));
		json_print(object);
		return MNL_CB_OK;
	}

	n = sprintf(line, "client=%s server=%s smac=%s", c, s, smac);
	if (dmac)
		n += sprintf(line + n, " dmac=%s", dmac);
	n += sprintf(line + n, " dev=%s", dev);
	n = tag_put(line + n, tag) - line;
	if (zone)
		n += sprintf(line + n, " zone=%u", zone);
	sprintf(line + n, " age=%.1f %s%s", age,
		attrs[MACKEEP_A_PROVEN] ? "proven" : "fresh",
		attrs[MACKEEP_A_ROUTED] ? " routed" : "");
	print_line(line);
	return MNL_CB_OK;
}

int cmd_pairs(struct args *args)
{
	struct pairs pairs = { .args = args };
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];

	if (args->out & OUT_JSON)
		json_begin();
	genl_talk(nl, genl_message(buf, MACKEEP_CMD_PAIRS, NLM_F_DUMP), on_pair,
		  &pairs);
	if (args->out & OUT_JSON)
		json_end();
	note("%lu pairs have been shown.", pairs.shown);
	mnl_socket_close(nl);
	return DONE;
}

/* --- flush ------------------------------------------------------------------------- */

struct forgotten {
	uint32_t records, pairs;
};

static int on_forgotten(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct forgotten *forgotten = data;

	genl_parse(nlh, attrs);
	if (attrs[MACKEEP_A_RECORDS])
		forgotten->records = mnl_attr_get_u32(attrs[MACKEEP_A_RECORDS]);
	if (attrs[MACKEEP_A_PAIRS])
		forgotten->pairs = mnl_attr_get_u32(attrs[MACKEEP_A_PAIRS]);
	return MNL_CB_OK;
}

int cmd_flush(struct args *args)
{
	struct forgotten forgotten = { 0, 0 };
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;

	nlh = genl_message(buf, MACKEEP_CMD_FLUSH, NLM_F_ACK);
	if (args->family)
		mnl_attr_put_u8(nlh, MACKEEP_A_FAMILY, args->family);
	if (args->addr.family)
		mnl_attr_put(nlh, MACKEEP_A_ADDR, args->addr.prefix / 8,
			     &args->addr.in6);
	if (args->by_mac)
		mnl_attr_put(nlh, MACKEEP_A_MAC, 6, args->mac);
	if (args->ifindex)
		mnl_attr_put_u32(nlh, MACKEEP_A_IFINDEX, args->ifindex);
	genl_talk(nl, nlh, on_forgotten, &forgotten);
	mnl_socket_close(nl);

	if (args->out & OUT_JSON)
		json_print(json_pack("{s:i, s:i}", "records", forgotten.records,
				     "pairs", forgotten.pairs));
	else
		note("%u records and %u pairs have been forgotten.",
		     forgotten.records, forgotten.pairs);
	return DONE;
}
