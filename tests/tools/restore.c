// SPDX-License-Identifier: GPL-2.0-only
/*
 * restore: puts pairs and records back, or sets the default policy, by generic
 * netlink, as it is given.
 *
 *   restore
 *
 * Each line of stdin is a message: "pair", "record" or "set", and KEY=VALUE for each
 * attribute. Numbers are as in C; MACs, addresses and records are hexadecimal, of
 * any length; flags have no value. Prints "OK", or the error's number and what
 * the kernel says of it.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mackeep.h>

static const struct key {
	const char *name;
	int attr;
	int size;			/* of a number; 0: hexadecimal, -1: a flag */
} keys[] = {
	{ "family", MACKEEP_A_FAMILY, 1 }, { "client", MACKEEP_A_CLIENT, 0 },
	{ "server", MACKEEP_A_SERVER, 0 }, { "src", MACKEEP_A_SRC, 0 },
	{ "dst", MACKEEP_A_DST, 0 }, { "ifindex", MACKEEP_A_IFINDEX, 4 },
	{ "vlan", MACKEEP_A_VLAN, 2 }, { "zone", MACKEEP_A_ZONE, 2 },
	{ "vlan-proto", MACKEEP_A_VLAN_PROTO, 2 },
	{ "age", MACKEEP_A_AGE, 4 }, { "proven", MACKEEP_A_PROVEN, -1 },
	{ "proto", MACKEEP_A_PROTO, 1 }, { "cport", MACKEEP_A_CLIENT_PORT, 2 },
	{ "port", MACKEEP_A_PORT, 2 }, { "info", MACKEEP_A_INFO, 0 },
	{ "mark", MACKEEP_A_MARK, 4 }, { "keep", MACKEEP_A_KEEP, 1 },
	{ "refresh", MACKEEP_A_REFRESH, 1 },
	{ "next-hop", MACKEEP_A_NEXT_HOP, 1 },
	{ "last-hop", MACKEEP_A_LAST_HOP, -1 },
	{ "strict", MACKEEP_A_STRICT, -1 }, { "orig", MACKEEP_A_ORIG_MARK, 4 },
	{ "orig-mask", MACKEEP_A_ORIG_MASK, 4 },
	{ "reply", MACKEEP_A_REPLY_MARK, 4 },
	{ "reply-mask", MACKEEP_A_REPLY_MASK, 4 },
	{ "short", MACKEEP_A_ORIG_MARK, 0 },
};

static uint16_t family;
static char buf[65536];

static void die(const char *what)
{
	fprintf(stderr, "restore: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int on_attr(const struct nlattr *attr, void *data)
{
	(void)data;
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static struct nlmsghdr *message(uint16_t type, int cmd, int version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

/* Returns the errno, and prints what the kernel says of it. */
static int talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb)
{
	const struct nlattr *attr;
	const struct nlmsgerr *err;
	int len, at;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
	for (;;) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			die("receive");
		nlh = (void *)buf;
		if (nlh->nlmsg_type != NLMSG_ERROR) {
			if (cb)
				cb(nlh, NULL);
			continue;
		}
		err = mnl_nlmsg_get_payload(nlh);
		at = sizeof(*err);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			at += err->msg.nlmsg_len - sizeof(struct nlmsghdr);
		if (!err->error)
			return 0;
		printf("%d", -err->error);
		if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
			mnl_attr_for_each(attr, nlh, at)
				if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
					printf(" %s", mnl_attr_get_str(attr));
		putchar('\n');
		return -err->error;
	}
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_attr, data);
}

static void put_hex(struct nlmsghdr *nlh, int attr, const char *text)
{
	uint8_t bytes[256];
	unsigned int n, byte;

	for (n = 0; n < sizeof(bytes) && sscanf(text + 2 * n, "%2x", &byte) == 1;
	     n++)
		bytes[n] = byte;
	mnl_attr_put(nlh, attr, n, bytes);
}

static void put(struct nlmsghdr *nlh, char *word)
{
	char *value = strchr(word, '=');
	unsigned long number;
	const struct key *key;
	unsigned int i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(keys[i].name, word))
			break;
	if (i == sizeof(keys) / sizeof(*keys) || (keys[i].size >= 0 && !value)) {
		errno = EINVAL;
		die(word);
	}
	key = &keys[i];
	number = value ? strtoul(value, NULL, 0) : 0;
	if (key->size < 0)
		mnl_attr_put(nlh, key->attr, 0, NULL);
	else if (!key->size)
		put_hex(nlh, key->attr, value);
	else
		mnl_attr_put(nlh, key->attr, key->size, &number);
}

int main(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_GENERIC);
	char line[4096], *word, *save;
	struct nlmsghdr *nlh;
	int on = 1;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
	nlh = message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, MACKEEP_GENL_NAME);
	if (talk(nl, nlh, on_family))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		word = strtok_r(line, " \n", &save);
		if (!word)
			continue;
		nlh = message(family, *word == 'p' ? MACKEEP_CMD_PAIR_NEW :
				      *word == 's' ? MACKEEP_CMD_POLICY_SET :
						     MACKEEP_CMD_RECORD_NEW,
			      MACKEEP_GENL_VERSION);
		while ((word = strtok_r(NULL, " \n", &save)))
			put(nlh, word);
		if (!talk(nl, nlh, NULL))
			puts("OK");
	}
	return 0;
}
