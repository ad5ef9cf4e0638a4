// SPDX-License-Identifier: GPL-2.0-only
/* Guards by generic netlink: they are added, deleted and shown, under RTNL. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include <linux/mackeep.h>

#include "guard.h"
#include "guard-netlink.h"
#include "net.h"

const struct nla_policy
mackeep_guard_netlink_policy[MACKEEP_A_MAX + 1] = {
	[MACKEEP_A_NAME]	= { .type = NLA_NUL_STRING,
				    .len = IFNAMSIZ - 1 },
};

/* NULL: there is none, or it is no name */
static const char *mackeep_guard_netlink_name(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[MACKEEP_A_NAME];

	if (!attr) {
		NL_SET_ERR_MSG(info->extack,
			       "a guard has the name of a device: give it");
		return NULL;
	}
	if (dev_valid_name(nla_data(attr)))
		return nla_data(attr);
	NL_SET_ERR_MSG_ATTR(info->extack, attr, "no device can have this name");
	return NULL;
}

int mackeep_guard_netlink_add(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	const char *name = mackeep_guard_netlink_name(info);
	int err;

	if (!name)
		return -EINVAL;
	rtnl_lock();
	if (mackeep_guard_find(mn, name)) {
		NL_SET_ERR_MSG(info->extack, "it is guarded already");
		err = -EEXIST;
	} else {
		err = mackeep_guard_add(mn, name);
		if (err == -ENOSPC)
			NL_SET_ERR_MSG(info->extack,
				       "there are as many guards as there may be: delete some");
	}
	rtnl_unlock();
	return err;
}

int mackeep_guard_netlink_del(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	const char *name = mackeep_guard_netlink_name(info);
	struct mackeep_guard *guard;

	if (!name)
		return -EINVAL;
	rtnl_lock();
	guard = mackeep_guard_find(mn, name);
	if (guard)
		mackeep_guard_del(guard);
	else
		NL_SET_ERR_MSG(info->extack, "there is no guard of this name");
	rtnl_unlock();
	return guard ? 0 : -ENOENT;
}

/* -EMSGSIZE: the message is full. */
static int mackeep_guard_netlink_show(struct sk_buff *skb,
				      struct netlink_callback *cb,
				      const struct mackeep_guard *guard)
{
	u64 dropped = atomic64_read(&guard->dropped);
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &mackeep_netlink_family,
				NLM_F_MULTI, MACKEEP_CMD_GUARDS);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, MACKEEP_A_NAME, guard->name) ||
	    nla_put(skb, MACKEEP_A_DROPPED, sizeof(dropped), &dropped) ||
	    nla_put_u32(skb, MACKEEP_A_PORTS, guard->count) ||
	    (MACKEEP_EGRESS && nla_put_flag(skb, MACKEEP_A_WHOLE))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int mackeep_guard_netlink_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct mackeep_net *mn = mackeep_net(sock_net(cb->skb->sk));
	const struct mackeep_guard *guard;
	long n = 0;

	rtnl_lock();
	list_for_each_entry(guard, &mn->guards.list, list) {
		if (n++ < cb->args[0])
			continue;
		if (mackeep_guard_netlink_show(skb, cb, guard))
			break;
		cb->args[0] = n;
	}
	rtnl_unlock();
	return skb->len;
}
