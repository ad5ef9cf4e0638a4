// SPDX-License-Identifier: GPL-2.0-only
/*
 * getsockopt(MACKEEP_SO_MACS): a socket asks for the record of its flow, see
 * include/linux/netfilter/xt_MACKEEP.h.
 *
 * No capability is asked for: whoever has the socket may know who is at its other
 * end. The flow is looked up as the socket's own packets would be, before NAT, so
 * that nobody finds flows that pass through this box. A socket of UDP without a
 * peer names the peer, and the address that datagrams came to. That has to be its
 * own one, but for a transparent socket, which takes those of anybody.
 *
 * In process context, in the socket's namespace, not the caller's. The kernel holds
 * the module meanwhile.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter/xt_MACKEEP.h>
#include <linux/uaccess.h>
#include <net/addrconf.h>
#include <net/inet_sock.h>
#include <net/route.h>
#include <net/netfilter/nf_conntrack.h>

#include "compat.h"
#include "record.h"
#include "sockopt.h"

/* One end of a socket */
struct mackeep_sockopt_end {
	union nf_inet_addr addr;
	__be16 port;
};

static bool mackeep_sockopt_any(const union nf_inet_addr *addr)
{
	static const union nf_inet_addr any;

	return nf_inet_addr_cmp(addr, &any);
}

/* Takes IPv4 in IPv6 as what it is; the family then. */
static u8 mackeep_sockopt_unmap(u16 family, union nf_inet_addr *addr)
{
	__be32 ip = addr->ip6[3];

	if (family != AF_INET6)
		return NFPROTO_IPV4;
	if (!ipv6_addr_v4mapped(&addr->in6))
		return NFPROTO_IPV6;
	memset(addr, 0, sizeof(*addr));
	addr->ip = ip;
	return NFPROTO_IPV4;
}

/* The ends as the socket has them. Returns the family of its peer. */
static u8 mackeep_sockopt_ends(struct sock *sk,
			       struct mackeep_sockopt_end *local,
			       struct mackeep_sockopt_end *peer)
{
	const struct inet_sock *inet = inet_sk(sk);
	u8 family = NFPROTO_IPV4;

	memset(local, 0, sizeof(*local));
	memset(peer, 0, sizeof(*peer));
	lock_sock(sk);
	local->port = inet->inet_sport;
	peer->port = inet->inet_dport;
	if (sk->sk_family == AF_INET6) {
		local->addr.in6 = sk->sk_v6_rcv_saddr;
		peer->addr.in6 = sk->sk_v6_daddr;
		mackeep_sockopt_unmap(AF_INET6, &local->addr);
		family = mackeep_sockopt_unmap(AF_INET6, &peer->addr);
	} else {
		local->addr.ip = inet->inet_rcv_saddr;
		peer->addr.ip = inet->inet_daddr;
	}
	release_sock(sk);
	return family;
}

/* Whether it gets datagrams that were sent there; own: where it is bound */
static bool mackeep_sockopt_gets(struct sock *sk, u8 family,
				 const struct mackeep_sockopt_end *own,
				 const struct mackeep_sockopt_end *local)
{
	struct net *net = sock_net(sk);

	if (inet_test_bit(TRANSPARENT, sk))
		return true;
	if (local->port != own->port)
		return false;
	if (!mackeep_sockopt_any(&own->addr))
		return nf_inet_addr_cmp(&local->addr, &own->addr);
	return family == NFPROTO_IPV6 ?
	       ipv6_chk_addr(net, &local->addr.in6, NULL, 0) :
	       inet_addr_type(net, local->addr.ip) == RTN_LOCAL;
}

/* The ends that the caller gives for a socket of UDP without a peer */
static int mackeep_sockopt_given(struct sock *sk,
				 const struct mackeep_so_flow *flow,
				 struct mackeep_sockopt_end *local,
				 struct mackeep_sockopt_end *peer, u8 *family)
{
	struct mackeep_sockopt_end own = *local;
	int len = flow->family == AF_INET ? sizeof(local->addr.ip) :
					    sizeof(local->addr.in6);

	if (flow->family != AF_INET && flow->family != AF_INET6)
		return -EINVAL;
	memcpy(&peer->addr, flow->peer, len);
	peer->port = flow->peer_port;
	*family = mackeep_sockopt_unmap(flow->family, &peer->addr);
	if (!flow->local_port)
		return mackeep_sockopt_any(&own.addr) ? -EDESTADDRREQ : 0;

	memset(local, 0, sizeof(*local));
	memcpy(&local->addr, flow->local, len);
	local->port = flow->local_port;
	if (mackeep_sockopt_unmap(flow->family, &local->addr) != *family)
		return -EINVAL;
	return mackeep_sockopt_gets(sk, *family, &own, local) ? 0 : -EACCES;
}

/* What conntrack knows the socket's own packets by */
static int mackeep_sockopt_tuple(struct sock *sk,
				 const struct mackeep_so_flow *flow,
				 struct nf_conntrack_tuple *tuple)
{
	struct mackeep_sockopt_end local, peer;
	u8 family = mackeep_sockopt_ends(sk, &local, &peer);
	bool udp = sk->sk_type == SOCK_DGRAM;
	int err;

	if (udp && mackeep_sockopt_any(&peer.addr)) {
		if (!flow->family)
			return -EDESTADDRREQ;
		err = mackeep_sockopt_given(sk, flow, &local, &peer, &family);
		if (err)
			return err;
	} else if (flow->family) {
		return -EINVAL;
	}
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.l3num = family;
	tuple->src.u3 = local.addr;
	tuple->src.u.all = local.port;
	tuple->dst.u3 = peer.addr;
	tuple->dst.u.all = peer.port;
	tuple->dst.protonum = udp ? IPPROTO_UDP : IPPROTO_TCP;
	return 0;
}

/* A raw socket has such a protocol as well. */
static bool mackeep_sockopt_has_flows(const struct sock *sk)
{
	return (sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP) ||
	       (sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP);
}

static int mackeep_sockopt_get(struct sock *sk, int optval, void __user *user,
			       int *len)
{
	struct mackeep_so_flow flow = {};
	struct nf_conntrack_tuple tuple;
	int err, dir;

	if (!mackeep_sockopt_has_flows(sk))
		return -EPROTONOSUPPORT;
	if (*len == sizeof(flow)) {
		if (copy_from_user(&flow, user, sizeof(flow)))
			return -EFAULT;
	} else if (*len != sizeof(flow.macs)) {
		return -EINVAL;
	}

	err = mackeep_sockopt_tuple(sk, &flow, &tuple);
	if (err)
		return err;
	memset(&flow.macs, 0, sizeof(flow.macs));
	dir = mackeep_record_get(sock_net(sk), &tuple, flow.zone,
				 &flow.macs.info);
	if (dir < 0)
		return dir;
	flow.macs.opened = dir == IP_CT_DIR_ORIGINAL;
	return copy_to_user(user, &flow, *len) ? -EFAULT : 0;
}

static struct nf_sockopt_ops mackeep_sockopts[] = {
	{
		.pf		= PF_INET,
		.get_optmin	= MACKEEP_SO_MACS,
		.get_optmax	= MACKEEP_SO_MACS + 1,
		.get		= mackeep_sockopt_get,
		.owner		= THIS_MODULE,
	},
	{
		.pf		= PF_INET6,
		.get_optmin	= MACKEEP_SO_MACS,
		.get_optmax	= MACKEEP_SO_MACS + 1,
		.get		= mackeep_sockopt_get,
		.owner		= THIS_MODULE,
	},
};

int mackeep_sockopt_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct mackeep_so_macs) != 40);
	BUILD_BUG_ON(sizeof(struct mackeep_so_flow) != 80);

	err = nf_register_sockopt(&mackeep_sockopts[0]);
	if (err)
		return err;
	err = nf_register_sockopt(&mackeep_sockopts[1]);
	if (err)
		nf_unregister_sockopt(&mackeep_sockopts[0]);
	return err;
}

/* Nobody is in it: they would hold the module. */
void mackeep_sockopt_exit(void)
{
	nf_unregister_sockopt(&mackeep_sockopts[1]);
	nf_unregister_sockopt(&mackeep_sockopts[0]);
}
