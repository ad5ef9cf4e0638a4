// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST_ROUTING, and most packets are plain: made here, whole, of a confirmed
 * flow of which nobody follows the events, whose record is complete and whose
 * rule has no options, and leave by the bridge that the record is of. What
 * output.c would find out about them and do to them comes to this. All others
 * are left to it.
 */
#include <linux/bpf-cgroup.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/route.h>

#include "output.h"

/* Whole, and nothing has lowered the MTU of its path below the device's. */
static __always_inline bool
mackeep_plain_fits(const struct sk_buff *skb, const struct net_device *dev,
		   bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	const struct inet6_dev *idev;

	if (dst_metric_raw(dst, RTAX_MTU))
		return false;
	if (!v6)
		return skb->len <= READ_ONCE(dev->mtu) &&
		       !dst_rtable(dst)->rt_pmtu && !IPCB(skb)->frag_max_size;
	idev = __in6_dev_get(dev);
	return idev && skb->len <= READ_ONCE(idev->cnf.mtu6) &&
	       !IP6CB(skb)->frag_max_size;
}

/*
 * The header of a plain packet, into the headroom. False where there is more to
 * ask; what has been written there by then does not matter. MACs out of the
 * pair cache, and those of answers, are not this box's own.
 */
static __always_inline bool
mackeep_plain_header(const struct mackeep_net *mn, struct sk_buff *skb,
		     const struct net_device *dev,
		     const struct mackeep_record *rec,
		     enum ip_conntrack_dir dir, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	struct ethhdr *eth;
	u32 seq;

	if (mackeep_forwarded(skb) || dst_xfrm(dst) || dst->lwtstate ||
	    !mackeep_plain_fits(skb, dev, v6) ||
	    skb_headroom(skb) < HH_DATA_MOD)
		return false;

	seq = READ_ONCE(rec->seq);
	smp_rmb(); /* as mackeep_record_read() */
	if (seq & 1 || rec->ifindex != dev->ifindex || rec->policy ||
	    rec->flags != (MACKEEP_INFO_SRC | MACKEEP_INFO_DST) ||
	    !mackeep_output_current(mn, rec->via, rec->gen) ||
	    (dir == IP_CT_DIR_ORIGINAL && !mackeep_output_paired(rec->via) &&
	     ether_addr_equal(rec->dst, dev->dev_addr)))
		return false;
	eth = (struct ethhdr *)(skb->data - ETH_HLEN);
	if (dir == IP_CT_DIR_ORIGINAL) {
		ether_addr_copy(eth->h_dest, rec->dst);
		ether_addr_copy(eth->h_source, rec->src);
	} else {
		ether_addr_copy(eth->h_dest, rec->src);
		ether_addr_copy(eth->h_source, rec->dst);
	}
	eth->h_proto = v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	smp_rmb(); /* likewise */
	return READ_ONCE(rec->seq) == seq;
}

/* The header is in the headroom. */
static __always_inline unsigned int
mackeep_plain_send(struct mackeep_net *mn, struct sk_buff *skb,
		   enum ip_conntrack_dir dir, bool v6)
{
	if (dir == IP_CT_DIR_ORIGINAL)
		MACKEEP_STAT_INC(mn, orig);
	else
		MACKEEP_STAT_INC(mn, reply);
	mackeep_output_count(mn, skb, v6);
	__skb_push(skb, ETH_HLEN);
	return mackeep_output_stolen(mackeep_ownport_xmit(mn, skb));
}

/* As above, where a control group has a program that may see what leaves. */
static noinline unsigned int
mackeep_plain_ask(struct mackeep_net *mn, struct sk_buff *skb,
		  const struct nf_hook_state *state)
{
	struct sock *sk = state->sk;
	enum ip_conntrack_info ctinfo;
	int ret;

	ret = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);
	if (unlikely(ret != NET_XMIT_SUCCESS && ret != NET_XMIT_CN)) {
		kfree_skb(skb);
		return mackeep_output_stolen(ret);
	}
	nf_ct_get(skb, &ctinfo);
	return mackeep_plain_send(mn, skb, CTINFO2DIR(ctinfo),
				  state->pf == NFPROTO_IPV6);
}

static __always_inline unsigned int
mackeep_plain(struct mackeep_net *mn, struct sk_buff *skb,
	      const struct nf_hook_state *state, bool v6)
{
	const unsigned long ready = IPS_CONFIRMED | IPS_SEQ_ADJUST;
	const struct nf_conntrack_helper *helper = NULL;
	const struct net_device *dev = state->out;
	enum ip_conntrack_info ctinfo;
	struct nf_conn_help *help;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (ct) {
		help = nfct_help(ct);
		if (help)
			helper = rcu_dereference(help->helper);
	}
	if (!helper && !mackeep_adopt_socket(skb))
		return NF_ACCEPT;

	if (!helper || !mackeep_record_ours(helper) || skb->dev != dev ||
	    !netif_is_bridge_master(dev) || nf_ct_ecache_exist(ct) ||
	    (READ_ONCE(ct->status) & ready) != IPS_CONFIRMED ||
	    !mackeep_plain_header(mn, skb, dev, mackeep_record_data(help),
				  CTINFO2DIR(ctinfo), v6))
		return v6 ? mackeep_output6(mn, skb, state) :
			    mackeep_output4(mn, skb, state);
	if (mackeep_egress_bpf())
		return mackeep_plain_ask(mn, skb, state);
	return mackeep_plain_send(mn, skb, CTINFO2DIR(ctinfo), v6);
}

/* Both run under rcu_read_lock(), in process context or softirq. */
unsigned int mackeep_plain4(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	return mackeep_plain(priv, skb, state, false);
}

unsigned int mackeep_plain6(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	return mackeep_plain(priv, skb, state, true);
}
