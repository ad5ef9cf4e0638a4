// SPDX-License-Identifier: GPL-2.0-only
/*
 * --last-hop: what answers a flow goes back to the MAC and the device that the
 * flow came from, and no route is asked. For traffic that is forwarded, into a
 * tunnel say, whose way back no route describes.
 *
 * Which packets go that way has to be settled before routing would drop them,
 * so at the end of PRE_ROUTING they get a route of our own, see onlink.c. From
 * there they take the usual way of a forwarded packet, FORWARD chain included,
 * and POST_ROUTING gives them their header.
 *
 * Only flows that are known to be forwarded: a proxy's flows have an original
 * direction too, but it ends here, and so do the answers of its servers. That
 * a flow is forwarded is noted when it first passes FORWARD.
 */
#include <linux/inetdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/dst.h>

#include "lasthop.h"
#include "net.h"
#include "onlink.h"
#include "record.h"

/*
 * The route for a packet that goes back by --last-hop; NULL for any other.
 * What a rule learned itself or another box handed over, not what the proxy's
 * own connections were adopted with: their answers are for the proxy.
 */
static struct dst_entry *
mackeep_lasthop_route(struct mackeep_net *mn, const struct sk_buff *skb,
		      bool local, bool v6)
{
	const struct mackeep_policy *policy;
	const struct mackeep_record *rec;
	enum ip_conntrack_info ctinfo;
	struct mackeep_macs macs;
	struct dst_entry *dst;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || CTINFO2DIR(ctinfo) != IP_CT_DIR_REPLY)
		return NULL;
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec))
		return NULL;
	if (!local && !mackeep_record_forwarded(rec))
		return NULL;

	mackeep_record_read(ct, rec, &macs);
	if (!(macs.flags & MACKEEP_INFO_SRC) || !macs.ifindex ||
	    (macs.via != MACKEEP_VIA_LEARNED &&
	     macs.via != MACKEEP_VIA_RESTORED))
		return NULL;
	policy = mackeep_policy_now(&mn->policies, macs.policy);
	if (!(policy->flags & XT_MACKEEP_LAST_HOP) ||
	    !mackeep_policy_match(policy, skb, IP_CT_DIR_REPLY))
		return NULL;
	if (local && skb_dst(skb)->dev->ifindex == macs.ifindex)
		return NULL;

	dst = mackeep_onlink(mn, macs.ifindex, v6);
	if (!dst)
		MACKEEP_LEFT(mn, skb, nohop);
	return dst;
}

static bool mackeep_lasthop_forwards(const struct net *net,
				     const struct net_device *in, bool v6)
{
	struct in_device *in_dev;

	if (v6)
		return READ_ONCE(net->ipv6.devconf_all->forwarding);
	in_dev = __in_dev_get_rcu(in);
	return in_dev && IN_DEV_FORWARD(in_dev);
}

/* Behind DNAT, which would drop the route again. */
static unsigned int mackeep_lasthop_in(struct mackeep_net *mn,
				       struct sk_buff *skb,
				       const struct nf_hook_state *state,
				       bool v6)
{
	struct dst_entry *dst;

	/* A socket has been found for it, or br_netfilter only shows it. */
	if (skb->sk || nf_bridge_in_prerouting(skb) ||
	    skb->pkt_type != PACKET_HOST)
		return NF_ACCEPT;

	dst = mackeep_lasthop_route(mn, skb, false, v6);
	if (!dst)
		return NF_ACCEPT;
	if (!mackeep_lasthop_forwards(mn->net, state->in, v6)) {
		MACKEEP_LEFT(mn, skb, nohop);
		return NF_ACCEPT;
	}

	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	MACKEEP_STAT_INC(mn, lasthop);
	return NF_ACCEPT;
}

/* The answers of this box itself; RCU does not cover their whole way. */
static unsigned int mackeep_lasthop_local(struct mackeep_net *mn,
					  struct sk_buff *skb, bool v6)
{
	struct dst_entry *dst = mackeep_lasthop_route(mn, skb, true, v6);

	if (!dst)
		return NF_ACCEPT;
	skb_dst_drop(skb);
	skb_dst_set(skb, dst_clone(dst));
	MACKEEP_STAT_INC(mn, lasthop);
	return NF_ACCEPT;
}

static unsigned int mackeep_lasthop_in4(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return mackeep_lasthop_in(priv, skb, state, false);
}

static unsigned int mackeep_lasthop_in6(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	return mackeep_lasthop_in(priv, skb, state, true);
}

static unsigned int mackeep_lasthop_local4(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	return mackeep_lasthop_local(priv, skb, false);
}

static unsigned int mackeep_lasthop_local6(void *priv, struct sk_buff *skb,
					   const struct nf_hook_state *state)
{
	return mackeep_lasthop_local(priv, skb, true);
}

static unsigned int mackeep_lasthop_pass(void *priv, struct sk_buff *skb,
					 const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct mackeep_record *rec;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL ||
	    skb->pkt_type != PACKET_HOST)
		return NF_ACCEPT;
	rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec) && !mackeep_record_forwarded(rec))
		mackeep_record_set_forwarded(ct, rec, true);
	return NF_ACCEPT;
}

#define MACKEEP_LASTHOP_OP(fn, family, num) {	\
	.hook		= fn,			\
	.pf		= family,		\
	.hooknum	= num,			\
	.priority	= INT_MAX,		\
}

static const struct nf_hook_ops mackeep_lasthop_steer[] = {
	MACKEEP_LASTHOP_OP(mackeep_lasthop_in4, NFPROTO_IPV4,
			   NF_INET_PRE_ROUTING),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_in6, NFPROTO_IPV6,
			   NF_INET_PRE_ROUTING),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_local4, NFPROTO_IPV4,
			   NF_INET_LOCAL_OUT),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_local6, NFPROTO_IPV6,
			   NF_INET_LOCAL_OUT),
};

static const struct nf_hook_ops mackeep_lasthop_watch[] = {
	MACKEEP_LASTHOP_OP(mackeep_lasthop_pass, NFPROTO_IPV4,
			   NF_INET_FORWARD),
	MACKEEP_LASTHOP_OP(mackeep_lasthop_pass, NFPROTO_IPV6,
			   NF_INET_FORWARD),
};

/* --- life cycle, all under mackeep_net_mutex ---------------------------------- */

int mackeep_lasthop_get(struct mackeep_net *mn)
{
	struct mackeep_lasthop *lh = &mn->lasthop;
	int err;

	lockdep_assert_held(&mackeep_net_mutex);

	if (lh->rules++)
		return 0;

	BUILD_BUG_ON(ARRAY_SIZE(lh->steer) != ARRAY_SIZE(mackeep_lasthop_steer));
	BUILD_BUG_ON(ARRAY_SIZE(lh->watch) != ARRAY_SIZE(mackeep_lasthop_watch));
	err = mackeep_net_hook(mn, lh->watch, mackeep_lasthop_watch,
			       ARRAY_SIZE(lh->watch));
	if (err)
		goto err_rules;
	err = mackeep_net_hook(mn, lh->steer, mackeep_lasthop_steer,
			       ARRAY_SIZE(lh->steer));
	if (err)
		goto err_watch;
	mackeep_onlink_get(mn);
	lh->hooked = true;
	return 0;

err_watch:
	nf_unregister_net_hooks(mn->net, lh->watch, ARRAY_SIZE(lh->watch));
err_rules:
	lh->rules--;
	return err;
}

/*
 * Also for a namespace that goes while it has rules. Packets on their way
 * through FORWARD, in an NFQUEUE maybe, would come back to our functions: taking
 * hooks away drops what is queued, so the second time is after the last packet
 * was given our route.
 */
void mackeep_lasthop_stop(struct mackeep_net *mn)
{
	struct mackeep_lasthop *lh = &mn->lasthop;

	lockdep_assert_held(&mackeep_net_mutex);

	if (!lh->hooked)
		return;
	nf_unregister_net_hooks(mn->net, lh->steer, ARRAY_SIZE(lh->steer));
	synchronize_net();
	mackeep_onlink_put(mn);
	nf_unregister_net_hooks(mn->net, lh->watch, ARRAY_SIZE(lh->watch));
	lh->hooked = false;
}

void mackeep_lasthop_put(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (!--mn->lasthop.rules)
		mackeep_lasthop_stop(mn);
}
