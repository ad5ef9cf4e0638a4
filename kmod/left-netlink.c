// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flows of which a packet was left alone, by generic netlink. A dump reads the
 * notes under RCU, as they go with the namespace's last rule. Who listens is told
 * of a flow, or a reason, that is new, from the packet's own way: so many times a
 * second and no more, and then how many were not told.
 */
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include <linux/mackeep.h>

#include "left.h"
#include "left-netlink.h"
#include "net.h"
#include "netlink.h"

#define MACKEEP_LEFT_TOLD	100	/* a second */

static bool mackeep_left_telling __read_mostly;

/* As conntrack's own attribute has it, but in host byte order */
static int mackeep_left_netlink_put(struct sk_buff *skb, u32 id, u8 why)
{
	if (nla_put_u32(skb, MACKEEP_A_ID, ntohl((__force __be32)id)) ||
	    nla_put_string(skb, MACKEEP_A_REASON,
			   mackeep_stat_name(why & ~MACKEEP_LEFT_STRICT)) ||
	    (why & MACKEEP_LEFT_STRICT && nla_put_flag(skb, MACKEEP_A_STRICT)))
		return -EMSGSIZE;
	return 0;
}

/* -EMSGSIZE: the message is full. */
static int mackeep_left_netlink_show(struct sk_buff *skb,
				     struct netlink_callback *cb, u64 note)
{
	u32 age = (mackeep_left_now() - (u32)note) & MACKEEP_LEFT_TIME;
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &mackeep_netlink_family,
				NLM_F_MULTI, MACKEEP_CMD_LEFT);

	if (!hdr)
		return -EMSGSIZE;
	if (mackeep_left_netlink_put(skb, note >> MACKEEP_LEFT_ID,
				     note >> MACKEEP_LEFT_WHY) ||
	    nla_put_u32(skb, MACKEEP_A_SECONDS, age)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int mackeep_left_netlink_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct mackeep_net *mn = mackeep_net(sock_net(cb->skb->sk));
	const struct mackeep_left *left;
	unsigned long n = cb->args[0];
	u64 note;

	rcu_read_lock();
	left = rcu_dereference(mn->left);
	for (; left && n < MACKEEP_LEFT_NOTES; n++) {
		note = READ_ONCE(left->notes[n]);
		if (note && mackeep_left_netlink_show(skb, cb, note))
			break;
	}
	rcu_read_unlock();
	cb->args[0] = n;
	return skb->len;
}

/* Two CPUs at the turn of a second may tell a few more. */
static bool mackeep_left_netlink_may(struct mackeep_left *left)
{
	u32 now = mackeep_left_now();

	if (READ_ONCE(left->second) != now) {
		WRITE_ONCE(left->second, now);
		atomic_set(&left->told, 0);
	}
	if (atomic_inc_return(&left->told) <= MACKEEP_LEFT_TOLD)
		return true;
	atomic_inc(&left->untold);
	return false;
}

static int mackeep_left_netlink_flow(struct sk_buff *skb,
				     const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	bool v6 = nf_ct_l3num(ct) == NFPROTO_IPV6;
	int len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);

	if (nla_put_u8(skb, MACKEEP_A_FAMILY, v6 ? AF_INET6 : AF_INET) ||
	    nla_put_u8(skb, MACKEEP_A_PROTO, nf_ct_protonum(ct)) ||
	    nla_put_u16(skb, MACKEEP_A_ZONE,
			nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL)) ||
	    nla_put(skb, MACKEEP_A_CLIENT, len, &tuple->src.u3) ||
	    nla_put(skb, MACKEEP_A_SERVER, len, &tuple->dst.u3) ||
	    nla_put_u16(skb, MACKEEP_A_CLIENT_PORT,
			ntohs(tuple->src.u.all)) ||
	    nla_put_u16(skb, MACKEEP_A_PORT, ntohs(tuple->dst.u.all)))
		return -EMSGSIZE;
	return 0;
}

/* Under rcu_read_lock(), in any context */
void mackeep_left_netlink_tell(struct mackeep_net *mn,
			       struct mackeep_left *left,
			       const struct nf_conn *ct, u32 id, u8 why)
{
	struct sk_buff *msg;
	u32 untold;
	void *hdr;

	if (!READ_ONCE(mackeep_left_telling) ||
	    !genl_has_listeners(&mackeep_netlink_family, mn->net,
				MACKEEP_GROUP_LEFT) ||
	    !mackeep_left_netlink_may(left))
		return;
	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!msg)
		goto err;
	hdr = genlmsg_put(msg, 0, 0, &mackeep_netlink_family, 0,
			  MACKEEP_CMD_LEFT_EVENT);
	untold = atomic_xchg(&left->untold, 0);
	if (!hdr || mackeep_left_netlink_put(msg, id, why) ||
	    mackeep_left_netlink_flow(msg, ct) ||
	    (untold && nla_put_u32(msg, MACKEEP_A_UNTOLD, untold)))
		goto err;
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&mackeep_netlink_family, mn->net, msg, 0,
				MACKEEP_GROUP_LEFT, GFP_ATOMIC);
	return;
err:
	nlmsg_free(msg);
	MACKEEP_STAT_INC(mn, nomem);
}

void mackeep_left_netlink_init(void)
{
	WRITE_ONCE(mackeep_left_telling, true);
}

/* Hooks may outlive the family; none tells any more. */
void mackeep_left_netlink_exit(void)
{
	WRITE_ONCE(mackeep_left_telling, false);
	synchronize_net();
}
