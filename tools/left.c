// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mackeep.h>

#include "genl.h"
#include "left.h"
#include "say.h"
#include "text.h"

static struct left *all;
static size_t number, room;

static int by_id(const void *one, const void *other)
{
	const struct left *a = one, *b = other;

	return a->id < b->id ? -1 : a->id > b->id;
}

/* False: it is not all there. */
static bool read_note(struct left *left, const struct nlattr **attrs)
{
	if (!attrs[MACKEEP_A_ID] || !attrs[MACKEEP_A_REASON] ||
	    mnl_attr_validate(attrs[MACKEEP_A_REASON], MNL_TYPE_NUL_STRING) < 0)
		return false;
	memset(left, 0, sizeof(*left));
	left->id = mnl_attr_get_u32(attrs[MACKEEP_A_ID]);
	left->dropped = attrs[MACKEEP_A_STRICT];
	snprintf(left->reason, sizeof(left->reason), "%s",
		 mnl_attr_get_str(attrs[MACKEEP_A_REASON]));
	if (attrs[MACKEEP_A_SECONDS])
		left->seconds = mnl_attr_get_u32(attrs[MACKEEP_A_SECONDS]);
	return true;
}

static int on_note(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];

	(void)data;
	genl_parse(nlh, attrs);
	if (number == room) {
		room = room ? 2 * room : 256;
		all = realloc(all, room * sizeof(*all));
		if (!all)
			out_of_memory();
	}
	number += read_note(&all[number], attrs);
	return MNL_CB_OK;
}

void left_read(void)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct module module;
	struct mnl_socket *nl;

	number = 0;
	if (!genl_module(&module))
		return;
	nl = genl_open();
	if (genl_has(MACKEEP_CMD_LEFT))
		genl_talk(nl, genl_message(buf, MACKEEP_CMD_LEFT, NLM_F_DUMP),
			  on_note, NULL);
	mnl_socket_close(nl);
	if (number)
		qsort(all, number, sizeof(*all), by_id);
}

const struct left *left_of(const struct nf_conntrack *ct)
{
	struct left key = { 0 };

	if (!number || nfct_attr_is_set(ct, ATTR_ID) <= 0)
		return NULL;
	key.id = nfct_get_attr_u32(ct, ATTR_ID);
	return bsearch(&key, all, number, sizeof(*all), by_id);
}

char *left_line(char *at, const struct left *left)
{
	return at + sprintf(at, " left=%s ago=%u%s", left->reason, left->seconds,
			    left->dropped ? " dropped" : "");
}

json_t *left_json(const struct left *left)
{
	return json_pack("{s:s, s:I, s:b}", "reason", left->reason, "ago",
			 (json_int_t)left->seconds, "dropped", left->dropped);
}

/* --- events ----------------------------------------------------------------------------- */

struct mnl_socket *left_listen(void)
{
	struct mnl_socket *nl = genl_listen();

	genl_ask_family(nl);
	return nl;
}

static struct nf_conntrack *entry(const struct nlattr **attrs, uint32_t id)
{
	uint8_t family = mnl_attr_get_u8(attrs[MACKEEP_A_FAMILY]);
	bool v6 = family == AF_INET6;
	const struct nlattr *client = attrs[MACKEEP_A_CLIENT];
	const struct nlattr *server = attrs[MACKEEP_A_SERVER];
	size_t len = v6 ? 16 : 4;
	struct nf_conntrack *ct;

	if (mnl_attr_get_payload_len(client) < len ||
	    mnl_attr_get_payload_len(server) < len)
		return NULL;
	ct = nfct_new();
	if (!ct)
		out_of_memory();
	nfct_set_attr_u8(ct, ATTR_L3PROTO, family);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, mnl_attr_get_u8(attrs[MACKEEP_A_PROTO]));
	nfct_set_attr(ct, v6 ? ATTR_IPV6_SRC : ATTR_IPV4_SRC,
		      mnl_attr_get_payload(client));
	nfct_set_attr(ct, v6 ? ATTR_IPV6_DST : ATTR_IPV4_DST,
		      mnl_attr_get_payload(server));
	nfct_set_attr_u16(ct, ATTR_PORT_SRC,
			  htons(mnl_attr_get_u16(attrs[MACKEEP_A_CLIENT_PORT])));
	nfct_set_attr_u16(ct, ATTR_PORT_DST,
			  htons(mnl_attr_get_u16(attrs[MACKEEP_A_PORT])));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	if (mnl_attr_get_u16(attrs[MACKEEP_A_ZONE]))
		nfct_set_attr_u16(ct, ATTR_ZONE,
				  mnl_attr_get_u16(attrs[MACKEEP_A_ZONE]));
	nfct_set_attr_u32(ct, ATTR_ID, id);
	return ct;
}

struct nf_conntrack *left_event(struct mnl_socket *nl,
				const struct nlmsghdr *nlh, struct left *left,
				uint32_t *untold)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];

	switch (genl_what(nlh)) {
	case GENL_THERE:
		genl_follow_left(nl);
		return NULL;
	case GENL_MESSAGE:
		break;
	default:
		return NULL;
	}
	genl_parse(nlh, attrs);
	if (genl->cmd != MACKEEP_CMD_LEFT_EVENT || !read_note(left, attrs) ||
	    !attrs[MACKEEP_A_FAMILY] || !attrs[MACKEEP_A_PROTO] ||
	    !attrs[MACKEEP_A_CLIENT] || !attrs[MACKEEP_A_SERVER] ||
	    !attrs[MACKEEP_A_CLIENT_PORT] || !attrs[MACKEEP_A_PORT] ||
	    !attrs[MACKEEP_A_ZONE])
		return NULL;
	*untold = attrs[MACKEEP_A_UNTOLD] ?
		  mnl_attr_get_u32(attrs[MACKEEP_A_UNTOLD]) : 0;
	return entry(attrs, left->id);
}
