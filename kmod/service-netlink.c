// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services by generic netlink: they are made, changed, shown, and their states
 * told to who listens. The work that tells asks each service ten times a second,
 * under RCU, while there are any; it alone reads and writes their states.
 */
#include <linux/netdevice.h>
#include <net/genetlink.h>

#include <linux/mackeep.h>

#include "net.h"
#include "netlink.h"
#include "service.h"
#include "service-netlink.h"

#define MACKEEP_SERVICE_POLL	(HZ / 10)
#define MACKEEP_SERVICE_PROBE	128	/* bytes, enough for any headers */

const struct nla_policy
mackeep_service_netlink_policy[MACKEEP_A_MAX + 1] = {
	[MACKEEP_A_MARK]	= { .type = NLA_U32 },
	[MACKEEP_A_PROTO]	= { .type = NLA_U8 },
	[MACKEEP_A_PORT]	= { .type = NLA_U16 },
	[MACKEEP_A_FAIL]	= NLA_POLICY_MAX(NLA_U8, MACKEEP_FAIL_MAX),
	[MACKEEP_A_BYPASS]	= NLA_POLICY_MAX(NLA_U8, 1),
	[MACKEEP_A_SYNPROXY]	= { .type = NLA_FLAG },
	[MACKEEP_A_REHEARSE]	= { .type = NLA_FLAG },
	[MACKEEP_A_SETTLE]	= { .type = NLA_U16 },
	[MACKEEP_A_ON4]		= NLA_POLICY_EXACT_LEN(sizeof(struct in_addr)),
	[MACKEEP_A_ON6]		= NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
};

/* MARK and PROTO, which every request has */
static int mackeep_service_netlink_key(struct genl_info *info, u32 *mark,
				       u8 *proto)
{
	const struct nlattr *attr = info->attrs[MACKEEP_A_PROTO];

	if (!info->attrs[MACKEEP_A_MARK] || !attr) {
		NL_SET_ERR_MSG(info->extack,
			       "a service is named by its mark and its protocol: give both");
		return -EINVAL;
	}
	*mark = nla_get_u32(info->attrs[MACKEEP_A_MARK]);
	*proto = nla_get_u8(attr);
	if (*proto != IPPROTO_TCP && *proto != IPPROTO_UDP) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "protocol is neither TCP nor UDP");
		return -EINVAL;
	}
	return 0;
}

int mackeep_service_netlink_new(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	struct mackeep_service what = {};
	u16 settle = 0;
	u32 mask;
	int err;

	err = mackeep_service_netlink_key(info, &what.mark, &what.proto);
	if (err)
		return err;
	if (attrs[MACKEEP_A_PORT])
		what.port = nla_get_u16(attrs[MACKEEP_A_PORT]);
	if (!what.port) {
		NL_SET_ERR_MSG(info->extack,
			       "port is missing or 0: nobody can listen there");
		return -EINVAL;
	}
	if (attrs[MACKEEP_A_FAIL])
		what.fail = nla_get_u8(attrs[MACKEEP_A_FAIL]);
	if (attrs[MACKEEP_A_BYPASS])
		what.bypass = nla_get_u8(attrs[MACKEEP_A_BYPASS]);
	what.synproxy = nla_get_flag(attrs[MACKEEP_A_SYNPROXY]);
	what.rehearse = nla_get_flag(attrs[MACKEEP_A_REHEARSE]);
	if (attrs[MACKEEP_A_SETTLE])
		settle = nla_get_u16(attrs[MACKEEP_A_SETTLE]);
	if (settle && what.proto != IPPROTO_UDP) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[MACKEEP_A_SETTLE],
				    "only UDP has to settle: a TCP connection shows when it begins");
		return -EINVAL;
	}
	if (settle)
		what.settled = ktime_get_seconds() + settle;
	if (attrs[MACKEEP_A_ON4])
		what.on4 = nla_get_in_addr(attrs[MACKEEP_A_ON4]);
	if (attrs[MACKEEP_A_ON6])
		what.on6 = nla_get_in6_addr(attrs[MACKEEP_A_ON6]);

	mask = READ_ONCE(mn->lift_mask);
	if (!mask || (what.mark & mask) != READ_ONCE(mn->lift_mark)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[MACKEEP_A_MARK],
				    "frames with this mark are not lifted: see the sysctl net.netfilter.mackeep_lift_mark");
		return -EINVAL;
	}

	mutex_lock(&mackeep_net_mutex);
	if (mackeep_service_get(mn, what.mark, what.proto)) {
		NL_SET_ERR_MSG(info->extack,
			       "there is a service with this mark and protocol: use another mark, or delete it first");
		err = -EEXIST;
	} else {
		err = mackeep_service_add(mn, &what);
		if (err == -ENOSPC)
			NL_SET_ERR_MSG(info->extack,
				       "there are as many services as there may be: delete some");
	}
	mutex_unlock(&mackeep_net_mutex);
	if (!err)
		mod_delayed_work(system_power_efficient_wq, &mn->services.work,
				 0);
	return err;
}

/* Under mackeep_net_mutex */
static struct mackeep_service *
mackeep_service_netlink_find(struct mackeep_net *mn, struct genl_info *info)
{
	struct mackeep_service *service;
	u32 mark;
	u8 proto;
	int err;

	err = mackeep_service_netlink_key(info, &mark, &proto);
	if (err)
		return ERR_PTR(err);
	service = mackeep_service_get(mn, mark, proto);
	if (service)
		return service;
	NL_SET_ERR_MSG(info->extack,
		       "there is no service with this mark and protocol");
	return ERR_PTR(-ENOENT);
}

int mackeep_service_netlink_set(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	struct nlattr **attrs = info->attrs;
	struct mackeep_service *service;

	mutex_lock(&mackeep_net_mutex);
	service = mackeep_service_netlink_find(mn, info);
	if (!IS_ERR(service)) {
		if (attrs[MACKEEP_A_FAIL])
			WRITE_ONCE(service->fail,
				   nla_get_u8(attrs[MACKEEP_A_FAIL]));
		if (attrs[MACKEEP_A_BYPASS])
			WRITE_ONCE(service->bypass,
				   nla_get_u8(attrs[MACKEEP_A_BYPASS]));
	}
	mutex_unlock(&mackeep_net_mutex);
	return PTR_ERR_OR_ZERO(service);
}

static int mackeep_service_netlink_put(struct sk_buff *skb,
				       const struct mackeep_service *service)
{
	if (nla_put_u32(skb, MACKEEP_A_MARK, service->mark) ||
	    nla_put_u8(skb, MACKEEP_A_PROTO, service->proto) ||
	    nla_put_u16(skb, MACKEEP_A_PORT, service->port) ||
	    nla_put_u8(skb, MACKEEP_A_FAIL, READ_ONCE(service->fail)))
		return -EMSGSIZE;
	return 0;
}

/* AF_UNSPEC: the service is gone. */
static void mackeep_service_netlink_tell(struct mackeep_net *mn,
					 const struct mackeep_service *service,
					 u8 family)
{
	struct sk_buff *msg = genlmsg_new(NLMSG_GOODSIZE, GFP_ATOMIC);
	bool v6 = family == AF_INET6;
	void *hdr;

	if (!msg)
		goto err;
	hdr = genlmsg_put(msg, 0, 0, &mackeep_netlink_family, 0,
			  MACKEEP_CMD_SERVICE_EVENT);
	if (!hdr || mackeep_service_netlink_put(msg, service))
		goto err;
	if (family != AF_UNSPEC &&
	    (nla_put_u8(msg, MACKEEP_A_FAMILY, family) ||
	     nla_put_u8(msg, v6 ? MACKEEP_A_STATE6 : MACKEEP_A_STATE4,
			service->state[v6])))
		goto err;
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&mackeep_netlink_family, mn->net, msg, 0,
				MACKEEP_GROUP_SERVICES, GFP_ATOMIC);
	return;
err:
	nlmsg_free(msg);
	MACKEEP_STAT_INC(mn, nomem);
}

int mackeep_service_netlink_del(struct sk_buff *skb, struct genl_info *info)
{
	struct mackeep_net *mn = mackeep_net(genl_info_net(info));
	struct mackeep_service *service, gone = {};
	int err;

	mutex_lock(&mackeep_net_mutex);
	service = mackeep_service_netlink_find(mn, info);
	err = PTR_ERR_OR_ZERO(service);
	if (!err) {
		gone.mark = service->mark;
		gone.proto = service->proto;
		gone.port = service->port;
		gone.fail = service->fail;
		/* Waits for the work: nothing is told of it after this. */
		mackeep_service_del(mn, service);
		mackeep_service_netlink_tell(mn, &gone, AF_UNSPEC);
	}
	mutex_unlock(&mackeep_net_mutex);
	return err;
}

static struct sk_buff *mackeep_service_netlink_packet(gfp_t gfp)
{
	return alloc_skb(MACKEEP_SERVICE_PROBE, gfp);
}

/* Under mackeep_net_mutex. -EMSGSIZE: the message is full. */
static int mackeep_service_netlink_show(struct sk_buff *skb,
					struct netlink_callback *cb,
					struct mackeep_net *mn,
					struct mackeep_service *service,
					struct sk_buff *packet)
{
	struct mackeep_service_counts counts;
	time64_t settle = mackeep_service_settle(service);
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &mackeep_netlink_family,
				NLM_F_MULTI, MACKEEP_CMD_SERVICES);

	if (!hdr)
		return -EMSGSIZE;
	mackeep_service_sum(service, &counts);
	if (mackeep_service_netlink_put(skb, service) ||
	    nla_put_u8(skb, MACKEEP_A_BYPASS, service->bypass) ||
	    (service->synproxy && nla_put_flag(skb, MACKEEP_A_SYNPROXY)) ||
	    (service->rehearse && nla_put_flag(skb, MACKEEP_A_REHEARSE)) ||
	    (settle > 0 && nla_put_u16(skb, MACKEEP_A_SETTLE, settle)) ||
	    (service->on4 &&
	     nla_put_in_addr(skb, MACKEEP_A_ON4, service->on4)) ||
	    (!ipv6_addr_any(&service->on6) &&
	     nla_put_in6_addr(skb, MACKEEP_A_ON6, &service->on6)) ||
	    nla_put_u8(skb, MACKEEP_A_STATE4,
		       mackeep_service_probe(mn, service, packet, false)) ||
	    nla_put_u8(skb, MACKEEP_A_STATE6,
		       mackeep_service_probe(mn, service, packet, true)) ||
	    nla_put(skb, MACKEEP_A_COUNTS, sizeof(counts), &counts)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int mackeep_service_netlink_dump(struct sk_buff *skb,
				 struct netlink_callback *cb)
{
	struct mackeep_net *mn = mackeep_net(sock_net(cb->skb->sk));
	struct sk_buff *packet = mackeep_service_netlink_packet(GFP_KERNEL);
	struct mackeep_service *service;
	long n = 0;

	if (!packet)
		return -ENOMEM;
	mutex_lock(&mackeep_net_mutex);
	list_for_each_entry(service, &mn->services.list, list) {
		if (n++ < cb->args[0])
			continue;
		if (mackeep_service_netlink_show(skb, cb, mn, service, packet))
			break;
		cb->args[0] = n;
	}
	mutex_unlock(&mackeep_net_mutex);
	kfree_skb(packet);
	return skb->len;
}

static void mackeep_service_netlink_work(struct work_struct *work)
{
	struct mackeep_net *mn = container_of(to_delayed_work(work),
					      struct mackeep_net,
					      services.work);
	struct sk_buff *packet = mackeep_service_netlink_packet(GFP_KERNEL);
	struct mackeep_service *service;
	int v6;
	u8 why;

	rcu_read_lock();
	list_for_each_entry_rcu(service, &mn->services.list, list)
		for (v6 = 0; packet && v6 < 2; v6++) {
			why = mackeep_service_probe(mn, service, packet, v6);
			if (service->state[v6] == why)
				continue;
			service->state[v6] = why;
			mackeep_service_netlink_tell(mn, service,
						     v6 ? AF_INET6 : AF_INET);
		}
	rcu_read_unlock();
	kfree_skb(packet);
	if (READ_ONCE(mn->services.count))
		queue_delayed_work(system_power_efficient_wq,
				   &mn->services.work, MACKEEP_SERVICE_POLL);
}

void mackeep_service_netlink_net_init(struct mackeep_net *mn)
{
	INIT_DELAYED_WORK(&mn->services.work, mackeep_service_netlink_work);
}

/*
 * No socket of the namespace is left, so nobody makes services. Its devices are
 * still there, which probes are asked with.
 */
void mackeep_service_netlink_stop(struct mackeep_net *mn)
{
	cancel_delayed_work_sync(&mn->services.work);
}
