// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/genetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/mackeep.h>

#include "genl.h"
#include "netlink.h"
#include "say.h"

static uint16_t family_id;
static uint64_t commands;		/* that it has, a bit each */
static uint32_t group_id, left_id;	/* of its groups; 0: an older module */

struct group {
	const char *name;
	uint32_t id;
};

static int on_group_attr(const struct nlattr *attr, void *data)
{
	struct group *group = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		group->id = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		group->name = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

static int on_group(const struct nlattr *attr, void *data)
{
	struct group group = { "", 0 };

	(void)data;
	mnl_attr_parse_nested(attr, on_group_attr, &group);
	if (!strcmp(group.name, MACKEEP_GENL_GROUP))
		group_id = group.id;
	else if (!strcmp(group.name, MACKEEP_GENL_LEFT))
		left_id = group.id;
	return MNL_CB_OK;
}

static int on_command_attr(const struct nlattr *attr, void *data)
{
	uint32_t cmd;

	if (mnl_attr_get_type(attr) != CTRL_ATTR_OP_ID ||
	    mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return MNL_CB_OK;
	cmd = mnl_attr_get_u32(attr);
	if (cmd < 64)
		*(uint64_t *)data |= 1ULL << cmd;
	return MNL_CB_OK;
}

static int on_command(const struct nlattr *command, void *data)
{
	return mnl_attr_parse_nested(command, on_command_attr, data);
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;
	uint16_t *id = data;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			*id = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			mnl_attr_parse_nested(attr, on_group, NULL);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_OPS)
			mnl_attr_parse_nested(attr, on_command, &commands);
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *message(void *buf, uint16_t type, uint8_t cmd,
				uint8_t version, uint16_t flags)
{
	static unsigned int seq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	if (!seq)
		seq = time(NULL);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

struct nlmsghdr *genl_message(void *buf, uint8_t cmd, uint16_t flags)
{
	return message(buf, family_id, cmd, MACKEEP_GENL_VERSION, flags);
}

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int on = 1;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "generic netlink: %s; is it in the kernel?",
		    strerror(errno));
	/* Errors then come with the kernel's own words. */
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
	return nl;
}

unsigned int genl_ask_family(struct mnl_socket *nl)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;

	nlh = message(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, MACKEEP_GENL_NAME);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "generic netlink: %s", strerror(errno));
	return nlh->nlmsg_seq;
}

/* NULL: the kernel has no such family */
static struct mnl_socket *open_family(void)
{
	struct mnl_socket *nl = open_socket();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int len;

	genl_ask_family(nl);
	family_id = 0;
	commands = 0;
	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			break;
		len = mnl_cb_run(buf, len, 0, 0, on_family, &family_id);
	} while (len > 0);
	if (len == 0 && family_id)
		return nl;
	if (errno != ENOENT)
		die(FAILED, "generic netlink family %s: %s", MACKEEP_GENL_NAME,
		    strerror(errno));
	mnl_socket_close(nl);
	return NULL;
}

struct mnl_socket *genl_open(void)
{
	struct mnl_socket *nl = open_family();

	if (!nl)
		die(FAILED, "kernel module: it is not loaded; run: modprobe mackeep");
	return nl;
}

void genl_talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	       void *data)
{
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "netlink: %s", strerror(errno));
	if (!netlink_receive(nl, nlh->nlmsg_seq, cb, data))
		complain("pair cache: it was resized meanwhile, some pairs may be shown twice; run it again");
}

bool genl_has_services(void)
{
	return group_id;
}

bool genl_has(uint8_t cmd)
{
	return commands >> cmd & 1;
}

#define BATCH	16384			/* bytes that are sent at a time */

/* Until the last one, with number seq, is acknowledged */
static unsigned int batch_answers(struct mnl_socket *nl, unsigned int seq)
{
	static char buf[128 * 1024];
	const struct nlmsgerr *err;
	unsigned int refused = 0;
	struct nlmsghdr *nlh;
	int len;

	for (;;) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			die(FAILED, "netlink: %s; try again", strerror(errno));
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			err = mnl_nlmsg_get_payload(nlh);
			refused += err->error && err->error != -EEXIST;
			if (nlh->nlmsg_seq == seq)
				return refused;
		}
	}
}

unsigned int genl_batch(struct mnl_socket *nl, void *messages, size_t len)
{
	char *at = messages, *end = at + len, *from = at;
	unsigned int seq = 0, refused = 0;
	struct nlmsghdr *nlh;
	int on = 1;

	/* An answer does not bring the question back. */
	mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	while (at < end) {
		nlh = (void *)at;
		at += NLMSG_ALIGN(nlh->nlmsg_len);
		nlh->nlmsg_type = family_id;
		nlh->nlmsg_seq = ++seq;
		nlh->nlmsg_flags = NLM_F_REQUEST;
		if (at < end && at - from < BATCH)
			continue;
		nlh->nlmsg_flags |= NLM_F_ACK;
		if (mnl_socket_sendto(nl, from, at - from) < 0)
			die(FAILED, "netlink: %s", strerror(errno));
		refused += batch_answers(nl, seq);
		from = at;
	}
	return refused;
}

void genl_parse(const struct nlmsghdr *nlh, const struct nlattr **attrs)
{
	static const uint8_t size[MACKEEP_A_MAX + 1] = {
		[MACKEEP_A_FAMILY] = 1, [MACKEEP_A_SRC] = 6,
		[MACKEEP_A_DST] = 6, [MACKEEP_A_IFINDEX] = 4,
		[MACKEEP_A_VLAN] = 2, [MACKEEP_A_ZONE] = 2,
		[MACKEEP_A_VLAN_PROTO] = 2,
		[MACKEEP_A_AGE] = 4, [MACKEEP_A_PAIRS] = 4,
		[MACKEEP_A_RECORDS] = 4, [MACKEEP_A_CLIENT] = 4,
		[MACKEEP_A_SERVER] = 4, [MACKEEP_A_MARK] = 4,
		[MACKEEP_A_PROTO] = 1, [MACKEEP_A_PORT] = 2,
		[MACKEEP_A_FAIL] = 1, [MACKEEP_A_BYPASS] = 1,
		[MACKEEP_A_STATE4] = 1, [MACKEEP_A_STATE6] = 1,
		[MACKEEP_A_DROPPED] = 8, [MACKEEP_A_PORTS] = 4,
		[MACKEEP_A_COUNTS] = 8 * (MACKEEP_SERVICE_MAX + 1),
		[MACKEEP_A_SETTLE] = 2, [MACKEEP_A_FLOWS] = 8,
		[MACKEEP_A_ID] = 4, [MACKEEP_A_SECONDS] = 4,
		[MACKEEP_A_UNTOLD] = 4, [MACKEEP_A_CLIENT_PORT] = 2,
		[MACKEEP_A_ON4] = 4, [MACKEEP_A_ON6] = 16,
		[MACKEEP_A_KEEP] = 1, [MACKEEP_A_REFRESH] = 1,
		[MACKEEP_A_NEXT_HOP] = 1,
		[MACKEEP_A_ORIG_MARK] = 4, [MACKEEP_A_ORIG_MASK] = 4,
		[MACKEEP_A_REPLY_MARK] = 4, [MACKEEP_A_REPLY_MASK] = 4,
	};
	const struct nlattr *attr;
	unsigned int type;

	memset(attrs, 0, (MACKEEP_A_MAX + 1) * sizeof(*attrs));
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		type = mnl_attr_get_type(attr);
		if (type <= MACKEEP_A_MAX &&
		    mnl_attr_get_payload_len(attr) >= size[type])
			attrs[type] = attr;
	}
}

static bool join(struct mnl_socket *nl, uint32_t *group)
{
	return *group && mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, group,
					       sizeof(*group)) >= 0;
}

bool genl_follow(struct mnl_socket *nl)
{
	return join(nl, &group_id);
}

bool genl_follow_left(struct mnl_socket *nl)
{
	return join(nl, &left_id);
}

void genl_join(struct mnl_socket *nl, const char *group)
{
	if (!genl_follow(nl))
		die(FAILED, "generic netlink group %s: %s; is the module as new as this tool?",
		    group, group_id ? strerror(errno) : "the module has none");
}

struct mnl_socket *genl_listen(void)
{
	struct mnl_socket *nl = open_socket();
	int control = GENL_ID_CTRL;	/* the number of its own group as well */

	if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &control,
				  sizeof(control)) < 0)
		die(FAILED, "generic netlink: %s", strerror(errno));
	return nl;
}

static int on_name(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_NAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
	    !strcmp(mnl_attr_get_str(attr), MACKEEP_GENL_NAME))
		*(bool *)data = true;
	return MNL_CB_OK;
}

enum genl_is genl_what(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	bool ours = false;

	if (nlh->nlmsg_type == GENL_ID_CTRL) {
		mnl_attr_parse(nlh, sizeof(*genl), on_name, &ours);
		if (!ours)
			return GENL_OTHER;
		if (genl->cmd == CTRL_CMD_DELFAMILY)
			return GENL_GONE;
		if (genl->cmd != CTRL_CMD_NEWFAMILY)
			return GENL_OTHER;
		on_family(nlh, &family_id);
		return GENL_THERE;
	}
	return nlh->nlmsg_type == family_id ? GENL_MESSAGE : GENL_OTHER;
}

static int on_module(const struct nlmsghdr *nlh, void *data)
{
	struct module *module = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case MACKEEP_A_VERSION:
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
				snprintf(module->version,
					 sizeof(module->version), "%s",
					 mnl_attr_get_str(attr));
			break;
		case MACKEEP_A_RULES:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
				module->rules = mnl_attr_get_u32(attr);
			break;
		case MACKEEP_A_PAIR_MAX:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
				module->pair_max = mnl_attr_get_u32(attr);
			break;
		}
	}
	return MNL_CB_OK;
}

bool genl_module(struct module *module)
{
	struct mnl_socket *nl = open_family();
	char buf[MNL_SOCKET_BUFFER_SIZE];

	memset(module, 0, sizeof(*module));
	if (!nl)
		return false;
	genl_talk(nl, genl_message(buf, MACKEEP_CMD_GET, NLM_F_ACK), on_module,
		  module);
	mnl_socket_close(nl);
	return true;
}
