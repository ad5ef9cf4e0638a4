// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifting: a frame that the bridge is about to forward goes to the IP stack of
 * this box instead, as if it had been sent to the bridge, but with the h_dest
 * it came with. Two kinds of frames are lifted: those whose mark matches
 * lift_mark, set by a rule in the bridge's own tables, and, with no rule,
 * those that belong to a transparent socket, ICMP errors about its traffic
 * included.
 *
 * It is done at FORWARD since the bridge has learned the source by then. A
 * frame for an unknown destination comes to FORWARD as one copy per port. All
 * come in a row on one CPU, between two frames at PRE_ROUTING, and share the
 * buffer of the frame: the first is lifted, the rest are dropped.
 */
#include <linux/if_vlan.h>
#include <linux/netfilter_bridge.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_socket.h>
#include <net/tcp.h>

#include "mackeep.h"

/* Buffer of the frame lifted last on this CPU; written in softirq only. */
static DEFINE_PER_CPU(const void *, mackeep_lifted);

unsigned int mackeep_lift_begin(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	__this_cpu_write(mackeep_lifted, NULL);
	return NF_ACCEPT;
}

/* A frame that is no more than a fragment of something has no ports. */
static bool mackeep_lift_pull4(struct sk_buff *skb)
{
	const struct iphdr *iph;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return false;
	iph = ip_hdr(skb);
	if (iph->version != 4 || iph->ihl < 5 ||
	    iph->frag_off & htons(IP_OFFSET))
		return false;
	return pskb_may_pull(skb, ip_hdrlen(skb));
}

static bool mackeep_lift_pull6(struct sk_buff *skb)
{
	return pskb_may_pull(skb, sizeof(struct ipv6hdr)) &&
	       ipv6_hdr(skb)->version == 6;
}

/*
 * Whose address it is: a socket of the flow itself, or one bound to the
 * address the frame is for. Not a listener on any address, or every frame to
 * its port would be taken.
 */
static bool mackeep_lift_bound(const struct sock *sk, bool v6)
{
	if (sk->sk_state == TCP_LISTEN && sk->sk_protocol == IPPROTO_TCP)
		return false;
	if (v6)
		return !ipv6_addr_any(&sk->sk_v6_rcv_saddr);
	return sk->sk_rcv_saddr;
}

static bool mackeep_lift_socket(const struct mackeep_net *mn,
				struct sk_buff *skb,
				const struct net_device *br)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct sock *sk;
	bool ours;

	if (v6)
		sk = mackeep_lift_pull6(skb) ?
		     nf_sk_lookup_slow_v6(mn->net, skb, br) : NULL;
	else
		sk = mackeep_lift_pull4(skb) ?
		     nf_sk_lookup_slow_v4(mn->net, skb, br) : NULL;
	if (!sk)
		return false;

	ours = inet_sk_transparent(sk) && mackeep_lift_bound(sk, v6);
	sock_gen_put(sk);
	return ours;
}

static bool mackeep_lift_marked(const struct mackeep_net *mn,
				const struct sk_buff *skb)
{
	u32 mask = READ_ONCE(mn->lift_mask);

	return mask && (skb->mark & mask) == READ_ONCE(mn->lift_mark);
}

/* Under rcu_read_lock(), in softirq. */
unsigned int mackeep_lift_forward(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const void *frame = skb->head;
	struct mackeep_net *mn = priv;
	struct net_device *br;
	bool marked;

	if (skb->protocol != htons(ETH_P_IP) &&
	    skb->protocol != htons(ETH_P_IPV6))
		return NF_ACCEPT;
	if (is_multicast_ether_addr(eth_hdr(skb)->h_dest))
		return NF_ACCEPT;

	if (__this_cpu_read(mackeep_lifted) == frame) {
		MACKEEP_STAT_INC(mn, lifted_copy);
		return NF_DROP;
	}

	br = netdev_master_upper_dev_get_rcu(state->in);
	if (!br)
		return NF_ACCEPT;

	marked = mackeep_lift_marked(mn, skb);
	if (!marked && !mackeep_lift_socket(mn, skb, br))
		return NF_ACCEPT;

	/* Without a device for its VLAN the stack would drop it. */
	if (skb_vlan_tag_present(skb) &&
	    !__vlan_find_dev_deep_rcu(br, skb->vlan_proto,
				      skb_vlan_tag_get_id(skb))) {
		MACKEEP_STAT_INC(mn, novlan);
		return NF_ACCEPT;
	}

	if (marked)
		MACKEEP_STAT_INC(mn, lifted);
	else
		MACKEEP_STAT_INC(mn, lifted_sock);
	__this_cpu_write(mackeep_lifted, frame);

	skb->dev = br;
	skb->pkt_type = PACKET_HOST;
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
#endif
	dev_sw_netstats_rx_add(br, skb->len);
	netif_receive_skb(skb);
	return NF_STOLEN;
}
