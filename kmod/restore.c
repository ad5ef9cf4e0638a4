// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an earlier load of the module knew, put back by generic netlink: pairs and
 * records. Every byte is somebody's input, and what is known by now stays.
 *
 * Packets of the same flows may be on their way. mackeep_net_mutex keeps the
 * namespace's rules, and with them the pair cache, from going meanwhile.
 */
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/netfilter/xt_MACKEEP.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>

#include <linux/mackeep.h>

#include "net.h"
#include "pair.h"
#include "record.h"
#include "restore.h"
#include "router.h"

#define MACKEEP_RESTORE_ADDRESS	NLA_POLICY_RANGE(NLA_BINARY,		       \
						 sizeof(struct in_addr),       \
						 sizeof(struct in6_addr))

const struct nla_policy mackeep_restore_policy[MACKEEP_A_MAX + 1] = {
	[MACKEEP_A_FAMILY]	= { .type = NLA_U8 },
	[MACKEEP_A_CLIENT]	= MACKEEP_RESTORE_ADDRESS,
	[MACKEEP_A_SERVER]	= MACKEEP_RESTORE_ADDRESS,
	[MACKEEP_A_SRC]		= NLA_POLICY_ETH_ADDR,
	[MACKEEP_A_DST]		= NLA_POLICY_ETH_ADDR,
	[MACKEEP_A_IFINDEX]	= NLA_POLICY_MIN(NLA_U32, 1),
	[MACKEEP_A_VLAN]	= { .type = NLA_U16 },
	[MACKEEP_A_VLAN_PROTO]	= { .type = NLA_U16 },
	[MACKEEP_A_ZONE]	= { .type = NLA_U16 },
	[MACKEEP_A_AGE]		= { .type = NLA_U32 },
	[MACKEEP_A_PROVEN]	= { .type = NLA_FLAG },
	[MACKEEP_A_ROUTED]	= { .type = NLA_FLAG },
	[MACKEEP_A_PROTO]	= { .type = NLA_U8 },
	[MACKEEP_A_PORT]	= { .type = NLA_U16 },
	[MACKEEP_A_CLIENT_PORT]	= { .type = NLA_U16 },
	[MACKEEP_A_INFO]	= { .type = NLA_BINARY,
				    .len = sizeof(struct mackeep_info) },
};

static int mackeep_restore_missing(struct genl_info *info, const u8 *attrs,
				   unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (info->attrs[attrs[i]])
			continue;
		NL_SET_ERR_MSG(info->extack, "an attribute is missing");
		return -EINVAL;
	}
	return 0;
}

static int mackeep_restore_family(struct genl_info *info, u8 *family)
{
	const struct nlattr *attr = info->attrs[MACKEEP_A_FAMILY];

	*family = nla_get_u8(attr);
	if (*family == NFPROTO_IPV4 || *family == NFPROTO_IPV6)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "family is neither AF_INET nor AF_INET6");
	return -EINVAL;
}

static int mackeep_restore_address(struct genl_info *info, u8 family, int which,
				   union nf_inet_addr *addr)
{
	const struct nlattr *attr = info->attrs[which];
	int len = family == NFPROTO_IPV6 ? sizeof(addr->in6) : sizeof(addr->ip);
	static const union nf_inet_addr none;

	if (nla_len(attr) != len) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "address is not of the family given");
		return -EINVAL;
	}
	memcpy(addr, nla_data(attr), len);
	if (nf_inet_addr_cmp(addr, &none)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "address is all zero");
		return -EINVAL;
	}
	return 0;
}

static int mackeep_restore_mac(struct genl_info *info, int which, u8 *mac)
{
	const struct nlattr *attr = info->attrs[which];

	ether_addr_copy(mac, nla_data(attr));
	if (is_valid_ether_addr(mac))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr, "MAC address is not unicast");
	return -EINVAL;
}

/* Under mackeep_net_mutex */
static int mackeep_restore_ready(const struct mackeep_net *mn,
				 struct genl_info *info)
{
	if (mn->started)
		return 0;
	NL_SET_ERR_MSG(info->extack,
		       "there is no MACKEEP rule here: nothing could use it");
	return -ENETDOWN;
}

static u16 mackeep_restore_u16(const struct nlattr *attr)
{
	return attr ? nla_get_u16(attr) : 0;
}

/* --- pairs ----------------------------------------------------------------- */

static int mackeep_restore_tag(struct genl_info *info,
			       struct mackeep_macs *macs)
{
	u16 proto = mackeep_restore_u16(info->attrs[MACKEEP_A_VLAN_PROTO]);
	u16 vlan = mackeep_restore_u16(info->attrs[MACKEEP_A_VLAN]);

	if (!mackeep_tag_valid(proto, vlan)) {
		NL_SET_ERR_MSG(info->extack,
			       "VLAN or its protocol out of range");
		return -EINVAL;
	}
	if (proto)
		macs->tag = mackeep_tag(htons(proto), vlan);
	return 0;
}

static int mackeep_restore_pair_parse(struct genl_info *info,
				      struct mackeep_pair_key *key,
				      struct mackeep_macs *macs)
{
	static const u8 attrs[] = {
		MACKEEP_A_FAMILY, MACKEEP_A_CLIENT, MACKEEP_A_SRC,
		MACKEEP_A_IFINDEX, MACKEEP_A_AGE,
	};
	u8 family;
	int err;

	err = mackeep_restore_missing(info, attrs, ARRAY_SIZE(attrs));
	if (err)
		return err;
	if (!info->attrs[MACKEEP_A_SERVER] != !info->attrs[MACKEEP_A_DST]) {
		NL_SET_ERR_MSG(info->extack,
			       "a server without its MAC address, or a MAC address without its server");
		return -EINVAL;
	}
	err = mackeep_restore_family(info, &family);
	if (!err)
		err = mackeep_restore_address(info, family, MACKEEP_A_CLIENT,
					      &key->client);
	if (!err)
		err = mackeep_restore_mac(info, MACKEEP_A_SRC, macs->src);
	if (!err && info->attrs[MACKEEP_A_SERVER]) {
		err = mackeep_restore_address(info, family, MACKEEP_A_SERVER,
					      &key->server);
		if (!err)
			err = mackeep_restore_mac(info, MACKEEP_A_DST,
						  macs->dst);
	}
	if (err)
		return err;
	key->family = family;
	key->ifindex = nla_get_u32(info->attrs[MACKEEP_A_IFINDEX]);
	key->zone = mackeep_restore_u16(info->attrs[MACKEEP_A_ZONE]);
	if (nla_get_flag(info->attrs[MACKEEP_A_ROUTED]))
		macs->via = MACKEEP_VIA_ROUTER;
	return mackeep_restore_tag(info, macs);
}

static const char *mackeep_restore_pair_why(int err)
{
	switch (err) {
	case -ENODEV:
		return "ifindex names no Ethernet device here, or no bridge for a tag";
	case -EEXIST:
		return "there is a pair of these addresses";
	case -ETIME:
		return "the pair is older than net.netfilter.mackeep_pair_timeout";
	case -ENOSPC:
		return "there are as many pairs as net.netfilter.mackeep_pair_max allows";
	default:
		return "no memory";
	}
}

int mackeep_restore_pair(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct mackeep_net *mn = mackeep_net(net);
	struct mackeep_pair_key key = {};
	struct mackeep_macs macs = {};
	const struct net_device *dev;
	bool proven;
	int err;

	err = mackeep_restore_pair_parse(info, &key, &macs);
	if (err)
		return err;

	mutex_lock(&mackeep_net_mutex);
	err = mackeep_restore_ready(mn, info);
	if (err)
		goto out;
	proven = nla_get_flag(info->attrs[MACKEEP_A_PROVEN]);
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, key.ifindex);
	if (dev && dev->type == ARPHRD_ETHER &&
	    (!macs.tag || netif_is_bridge_master(dev)))
		err = mackeep_pair_restore(mn, &key, &macs, proven,
					   nla_get_u32(info->attrs[MACKEEP_A_AGE]));
	else
		err = -ENODEV;
	if (!err && macs.via != MACKEEP_VIA_ROUTER &&
	    info->attrs[MACKEEP_A_DST])
		mackeep_router_seen(mn, &key, mackeep_tag_vlan(macs.tag),
				    macs.dst, proven);
	rcu_read_unlock();
	if (err && info->extack)
		info->extack->_msg = mackeep_restore_pair_why(err);
out:
	mutex_unlock(&mackeep_net_mutex);
	return err;
}

/* --- records --------------------------------------------------------------- */

static int mackeep_restore_tuple(struct genl_info *info,
				 struct nf_conntrack_tuple *tuple)
{
	static const u8 attrs[] = {
		MACKEEP_A_FAMILY, MACKEEP_A_PROTO, MACKEEP_A_CLIENT,
		MACKEEP_A_CLIENT_PORT, MACKEEP_A_SERVER, MACKEEP_A_PORT,
		MACKEEP_A_INFO,
	};
	u8 family, proto;
	int err;

	err = mackeep_restore_missing(info, attrs, ARRAY_SIZE(attrs));
	if (err)
		return err;
	proto = nla_get_u8(info->attrs[MACKEEP_A_PROTO]);
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MACKEEP_A_PROTO],
				    "protocol is neither TCP nor UDP");
		return -EINVAL;
	}
	err = mackeep_restore_family(info, &family);
	if (!err)
		err = mackeep_restore_address(info, family, MACKEEP_A_CLIENT,
					      &tuple->src.u3);
	if (!err)
		err = mackeep_restore_address(info, family, MACKEEP_A_SERVER,
					      &tuple->dst.u3);
	if (err)
		return err;
	tuple->src.l3num = family;
	tuple->src.u.all =
		htons(nla_get_u16(info->attrs[MACKEEP_A_CLIENT_PORT]));
	tuple->dst.u.all = htons(nla_get_u16(info->attrs[MACKEEP_A_PORT]));
	tuple->dst.protonum = proto;
	tuple->dst.dir = IP_CT_DIR_ORIGINAL;
	return 0;
}

static const char *mackeep_restore_record_why(int err)
{
	switch (err) {
	case -ENOENT:
		return "conntrack has no such entry";
	case -EEXIST:
		return "the flow has a record";
	case -EBUSY:
		return "the flow has another conntrack helper";
	case -ETIME:
		return "the flow's entry has no room for a record";
	default:
		return "the flow's entry cannot take a record";
	}
}

int mackeep_restore_record(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct nf_conntrack_tuple tuple = {};
	const char *why = NULL;
	int err;

	err = mackeep_restore_tuple(info, &tuple);
	if (err)
		return err;

	mutex_lock(&mackeep_net_mutex);
	err = mackeep_restore_ready(mackeep_net(net), info);
	if (err)
		goto out;
	err = mackeep_record_restore(net, &tuple,
				     mackeep_restore_u16(info->attrs[MACKEEP_A_ZONE]),
				     info->attrs[MACKEEP_A_INFO], &why);
	if (err && info->extack)
		info->extack->_msg = why ?: mackeep_restore_record_why(err);
out:
	mutex_unlock(&mackeep_net_mutex);
	return err;
}
