// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family "mackeep", see include/linux/mackeep.h.
 *
 * Nothing here is on a packet's way. A dump walks the pair cache under RCU, a
 * message at a time, and holds no lock in between: the table lives as long as
 * its namespace, which the socket holds. A flush takes the locks that packets
 * take, for one entry at a time.
 *
 * CAP_NET_ADMIN is asked of the namespace's own user namespace, as conntrack
 * does: who may read and flush its conntrack entries may do so here. The
 * family is not an alias of the module, so that asking for it loads nothing.
 */
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>

#include <linux/mackeep.h>

#include "filter.h"
#include "guard-netlink.h"
#include "left-netlink.h"
#include "net.h"
#include "netlink.h"
#include "pair.h"
#include "policy-netlink.h"
#include "record-walk.h"
#include "rehearse-netlink.h"
#include "restore.h"
#include "service-netlink.h"

/* An answer of one message; NULL: no memory. */
static struct sk_buff *mackeep_netlink_reply(struct genl_info *info, void **hdr)
{
	struct sk_buff *msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!msg)
		return NULL;
	*hdr = genlmsg_put_reply(msg, info, &mackeep_netlink_family, 0,
				 info->genlhdr->cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int mackeep_netlink_get(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	struct sk_buff *msg;
	void *hdr;

	msg = mackeep_netlink_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	if (nla_put_string(msg, MACKEEP_A_VERSION, MACKEEP_VERSION) ||
	    nla_put_u32(msg, MACKEEP_A_RULES, READ_ONCE(mn->users)) ||
	    nla_put_u32(msg, MACKEEP_A_PAIRS, READ_ONCE(mn->pairs.count)) ||
	    nla_put_u32(msg, MACKEEP_A_PAIR_MAX, mackeep_pair_limit(mn))) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int mackeep_netlink_policy(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	void *hdr;

	msg = mackeep_netlink_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	if (mackeep_policy_netlink_put(msg, genl_info_net(info))) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* --- the pair cache -------------------------------------------------------- */

/* Under rcu_read_lock(). */
static int mackeep_netlink_put_vlan(struct sk_buff *skb, struct net *net,
				    const struct mackeep_pair *pair)
{
	u32 tag = READ_ONCE(pair->tag);

	if (!tag)
		return nla_put_u16(skb, MACKEEP_A_VLAN,
				   mackeep_tag_device(net, pair->key.ifindex));
	return nla_put_u16(skb, MACKEEP_A_VLAN, tag) ?:
	       nla_put_u16(skb, MACKEEP_A_VLAN_PROTO,
			   ntohs(mackeep_tag_proto(tag)));
}

static int mackeep_netlink_put_pair(struct sk_buff *skb, struct net *net,
				    const struct mackeep_pair *pair)
{
	const struct mackeep_pair_key *key = &pair->key;
	static const union nf_inet_addr any;
	int len = key->family == NFPROTO_IPV6 ? sizeof(key->client.in6) :
						sizeof(key->client.ip);
	u32 age = (u32)jiffies - READ_ONCE(pair->used);

	if (nla_put_u8(skb, MACKEEP_A_FAMILY, key->family) ||
	    nla_put(skb, MACKEEP_A_CLIENT, len, &key->client) ||
	    nla_put_u16(skb, MACKEEP_A_ZONE, key->zone) ||
	    nla_put_u32(skb, MACKEEP_A_IFINDEX, key->ifindex) ||
	    mackeep_netlink_put_vlan(skb, net, pair) ||
	    nla_put(skb, MACKEEP_A_SRC, ETH_ALEN, pair->src) ||
	    nla_put_u32(skb, MACKEEP_A_AGE, jiffies_to_msecs(age)))
		return -EMSGSIZE;
	if (READ_ONCE(pair->proven) && nla_put_flag(skb, MACKEEP_A_PROVEN))
		return -EMSGSIZE;
	if (READ_ONCE(pair->routed) && nla_put_flag(skb, MACKEEP_A_ROUTED))
		return -EMSGSIZE;
	if (!nf_inet_addr_cmp(&key->server, &any) &&
	    (nla_put(skb, MACKEEP_A_SERVER, len, &key->server) ||
	     nla_put(skb, MACKEEP_A_DST, ETH_ALEN, pair->dst)))
		return -EMSGSIZE;
	return 0;
}

/* Under rcu_read_lock(). -EMSGSIZE: the message is full. */
static int mackeep_netlink_dump_pair(struct sk_buff *skb,
				     struct netlink_callback *cb,
				     const struct mackeep_pair *pair)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &mackeep_netlink_family,
				NLM_F_MULTI, MACKEEP_CMD_PAIRS);

	if (!hdr)
		return -EMSGSIZE;
	if (mackeep_netlink_put_pair(skb, sock_net(cb->skb->sk), pair)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

static int mackeep_netlink_pairs_start(struct netlink_callback *cb)
{
	struct mackeep_net *mn = mackeep_net(sock_net(cb->skb->sk));
	struct rhashtable_iter *iter;

	iter = kmalloc(sizeof(*iter), GFP_KERNEL);
	if (!iter)
		return -ENOMEM;
	rhashtable_walk_enter(&mn->pairs.table, iter);
	cb->args[0] = (long)iter;
	cb->seq = 1;
	return 0;
}

static int mackeep_netlink_pairs_done(struct netlink_callback *cb)
{
	struct rhashtable_iter *iter = (void *)cb->args[0];

	rhashtable_walk_exit(iter);
	kfree(iter);
	return 0;
}

/* Goes on with the pair that did not fit into the message before. */
static int mackeep_netlink_pairs(struct sk_buff *skb,
				 struct netlink_callback *cb)
{
	struct rhashtable_iter *iter = (void *)cb->args[0];
	struct mackeep_pair *pair;

	/* The table was resized; the walk begins anew. */
	if (rhashtable_walk_start_check(iter))
		cb->seq++;
	for (pair = rhashtable_walk_peek(iter); pair;
	     pair = rhashtable_walk_next(iter)) {
		if (IS_ERR(pair)) {
			cb->seq++;
			continue;
		}
		if (mackeep_netlink_dump_pair(skb, cb, pair))
			break;
	}
	rhashtable_walk_stop(iter);
	return skb->len;
}

/* --- forgetting -------------------------------------------------------------- */

static int mackeep_netlink_filter(struct genl_info *info,
				  struct mackeep_filter *filter)
{
	const struct nlattr *addr = info->attrs[MACKEEP_A_ADDR];
	const struct nlattr *mac = info->attrs[MACKEEP_A_MAC];
	const struct nlattr *family = info->attrs[MACKEEP_A_FAMILY];
	static const union nf_inet_addr any;

	if (family) {
		filter->family = nla_get_u8(family);
		if (filter->family != NFPROTO_IPV4 &&
		    filter->family != NFPROTO_IPV6) {
			NL_SET_ERR_MSG_ATTR(info->extack, family,
					    "family is neither AF_INET nor AF_INET6");
			return -EINVAL;
		}
	}

	if (addr) {
		u8 kin = nla_len(addr) == sizeof(filter->addr.ip) ?
			 NFPROTO_IPV4 : NFPROTO_IPV6;

		if (kin == NFPROTO_IPV6 &&
		    nla_len(addr) != sizeof(filter->addr.in6)) {
			NL_SET_ERR_MSG_ATTR(info->extack, addr,
					    "address is neither 4 nor 16 bytes long");
			return -EINVAL;
		}
		if (filter->family && filter->family != kin) {
			NL_SET_ERR_MSG_ATTR(info->extack, addr,
					    "address is not of the family given");
			return -EINVAL;
		}
		filter->family = kin;
		memcpy(&filter->addr, nla_data(addr), nla_len(addr));
		if (nf_inet_addr_cmp(&filter->addr, &any)) {
			NL_SET_ERR_MSG_ATTR(info->extack, addr,
					    "address is all zero");
			return -EINVAL;
		}
		filter->by_addr = true;
	}

	if (mac) {
		ether_addr_copy(filter->mac, nla_data(mac));
		if (!is_valid_ether_addr(filter->mac)) {
			NL_SET_ERR_MSG_ATTR(info->extack, mac,
					    "MAC address is not unicast");
			return -EINVAL;
		}
		filter->by_mac = true;
	}

	if (info->attrs[MACKEEP_A_IFINDEX])
		filter->ifindex = nla_get_u32(info->attrs[MACKEEP_A_IFINDEX]);
	return 0;
}

/* Pairs first, or flows would take their MACs again from those. */
static int mackeep_netlink_flush(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct mackeep_filter filter = {};
	unsigned int pairs, records;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = mackeep_netlink_filter(info, &filter);
	if (err)
		return err;
	/* While nothing is forgotten yet */
	msg = mackeep_netlink_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;

	mutex_lock(&mackeep_net_mutex);
	pairs = mackeep_pair_flush(mackeep_net(net), &filter);
	mackeep_router_flush(mackeep_net(net), &filter);
	mutex_unlock(&mackeep_net_mutex);
	records = mackeep_record_flush(net, &filter);

	if (nla_put_u32(msg, MACKEEP_A_PAIRS, pairs) ||
	    nla_put_u32(msg, MACKEEP_A_RECORDS, records)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static const struct nla_policy
mackeep_netlink_flush_policy[MACKEEP_A_MAX + 1] = {
	[MACKEEP_A_FAMILY]	= { .type = NLA_U8 },
	[MACKEEP_A_ADDR]	= NLA_POLICY_RANGE(NLA_BINARY,
						   sizeof(struct in_addr),
						   sizeof(struct in6_addr)),
	[MACKEEP_A_MAC]		= NLA_POLICY_ETH_ADDR,
	[MACKEEP_A_IFINDEX]	= NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct genl_ops mackeep_netlink_ops[] = {
	{
		.cmd		= MACKEEP_CMD_GET,
		.doit		= mackeep_netlink_get,
	},
	{
		.cmd		= MACKEEP_CMD_PAIRS,
		.start		= mackeep_netlink_pairs_start,
		.dumpit		= mackeep_netlink_pairs,
		.done		= mackeep_netlink_pairs_done,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_FLUSH,
		.doit		= mackeep_netlink_flush,
		.policy		= mackeep_netlink_flush_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_SERVICE_NEW,
		.doit		= mackeep_service_netlink_new,
		.policy		= mackeep_service_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_SERVICE_SET,
		.doit		= mackeep_service_netlink_set,
		.policy		= mackeep_service_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_SERVICE_DEL,
		.doit		= mackeep_service_netlink_del,
		.policy		= mackeep_service_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_SERVICES,
		.dumpit		= mackeep_service_netlink_dump,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_REHEARSED,
		.dumpit		= mackeep_rehearse_netlink_dump,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_LEFT,
		.dumpit		= mackeep_left_netlink_dump,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_GUARD_ADD,
		.doit		= mackeep_guard_netlink_add,
		.policy		= mackeep_guard_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_GUARD_DEL,
		.doit		= mackeep_guard_netlink_del,
		.policy		= mackeep_guard_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_GUARDS,
		.dumpit		= mackeep_guard_netlink_dump,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_PAIR_NEW,
		.doit		= mackeep_restore_pair,
		.policy		= mackeep_restore_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_RECORD_NEW,
		.doit		= mackeep_restore_record,
		.policy		= mackeep_restore_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_POLICY,
		.doit		= mackeep_netlink_policy,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= MACKEEP_CMD_POLICY_SET,
		.doit		= mackeep_policy_netlink_set,
		.policy		= mackeep_policy_netlink_policy,
		.maxattr	= MACKEEP_A_MAX,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
};

static const struct genl_multicast_group mackeep_netlink_groups[] = {
	[MACKEEP_GROUP_SERVICES] = { .name = MACKEEP_GENL_GROUP },
	[MACKEEP_GROUP_LEFT] = { .name = MACKEEP_GENL_LEFT },
};

struct genl_family mackeep_netlink_family __ro_after_init = {
	.name		= MACKEEP_GENL_NAME,
	.version	= MACKEEP_GENL_VERSION,
	.netnsok	= true,
	.module		= THIS_MODULE,
	.ops		= mackeep_netlink_ops,
	.n_ops		= ARRAY_SIZE(mackeep_netlink_ops),
	.mcgrps		= mackeep_netlink_groups,
	.n_mcgrps	= ARRAY_SIZE(mackeep_netlink_groups),
};

int __init mackeep_netlink_init(void)
{
	int err = genl_register_family(&mackeep_netlink_family);

	if (!err)
		mackeep_left_netlink_init();
	return err;
}

/* Waits for those who are in it; a dump under way holds the module. */
void mackeep_netlink_exit(void)
{
	mackeep_left_netlink_exit();
	genl_unregister_family(&mackeep_netlink_family);
}
