// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/mackeep.h>

#include "genl.h"
#include "guards.h"

struct walk {
	void (*each)(const struct guard *guard, void *data);
	void *data;
};

static int on_guard(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	const struct walk *walk = data;
	struct guard guard = { 0 };

	genl_parse(nlh, attrs);
	if (!attrs[MACKEEP_A_NAME] || !attrs[MACKEEP_A_DROPPED] ||
	    !attrs[MACKEEP_A_PORTS] ||
	    mnl_attr_validate(attrs[MACKEEP_A_NAME], MNL_TYPE_NUL_STRING) < 0)
		return MNL_CB_OK;
	guard.name = mnl_attr_get_str(attrs[MACKEEP_A_NAME]);
	memcpy(&guard.dropped, mnl_attr_get_payload(attrs[MACKEEP_A_DROPPED]),
	       sizeof(guard.dropped));
	guard.ports = mnl_attr_get_u32(attrs[MACKEEP_A_PORTS]);
	guard.whole = attrs[MACKEEP_A_WHOLE];
	walk->each(&guard, walk->data);
	return MNL_CB_OK;
}

void guards_each(void (*each)(const struct guard *, void *), void *data)
{
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct walk walk = { each, data };

	genl_talk(nl, genl_message(buf, MACKEEP_CMD_GUARDS, NLM_F_DUMP),
		  on_guard, &walk);
	mnl_socket_close(nl);
}

struct match {
	const char *name;
	bool found;
};

static void compare(const struct guard *guard, void *data)
{
	struct match *match = data;

	if (!strcmp(guard->name, match->name))
		match->found = true;
}

bool guards_have(const char *name)
{
	struct match match = { name, false };

	guards_each(compare, &match);
	return match.found;
}

static void change(uint8_t cmd, const char *name)
{
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = genl_message(buf, cmd, NLM_F_ACK);

	mnl_attr_put_strz(nlh, MACKEEP_A_NAME, name);
	genl_talk(nl, nlh, NULL, NULL);
	mnl_socket_close(nl);
}

void guards_add(const char *name)
{
	change(MACKEEP_CMD_GUARD_ADD, name);
}

void guards_del(const char *name)
{
	change(MACKEEP_CMD_GUARD_DEL, name);
}
