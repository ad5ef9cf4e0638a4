// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts that say which MAC they have: ARP, gratuitous or not, and neighbour
 * advertisements. A client that moves to another MAC in the middle of a
 * download may have nothing to send but this, while the answers go to a MAC
 * that nobody has any more.
 *
 * They are seen as IP sees them, at the L3 device that records name as well.
 * The bridge floods them, so the box gets what it forwards, with no address of
 * its own. It is taken for no more than that a client which is known by its
 * frames has left the MAC they came from. The zone of a flow does not show in
 * it: flows in other zones than the default one wait for a frame of theirs.
 */
#include <linux/if_arp.h>
#include <linux/netfilter_ipv6.h>
#include <net/arp.h>
#include <net/ndisc.h>

#include "mackeep.h"

unsigned int mackeep_announce_arp(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct mackeep_pair_key key = {
		.ifindex = state->in->ifindex,
		.family = NFPROTO_IPV4,
	};
	const struct arphdr *arp = arp_hdr(skb);
	const u8 *sender = (const u8 *)(arp + 1);

	/* arp_rcv() has looked at the lengths, and that all of it is there. */
	if (state->in->type != ARPHRD_ETHER ||
	    arp->ar_pro != htons(ETH_P_IP) || !is_valid_ether_addr(sender))
		return NF_ACCEPT;

	memcpy(&key.client.ip, sender + ETH_ALEN, sizeof(key.client.ip));
	mackeep_pair_move(priv, &key, sender);
	return NF_ACCEPT;
}

/* The MAC in the options of an advertisement; they begin at offset at. */
static const u8 *mackeep_announce_option(const struct sk_buff *skb,
					 unsigned int at, u8 *buf)
{
	const u8 *opt;

	/* Each has a type, its length in units of 8 bytes, and at least six. */
	while ((opt = skb_header_pointer(skb, at, 8, buf)) && opt[1]) {
		if (opt[0] == ND_OPT_TARGET_LL_ADDR)
			return opt + 2;
		at += opt[1] * 8;
	}
	return NULL;
}

unsigned int mackeep_announce_ndisc(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	const unsigned int at = sizeof(*ip6h);
	struct mackeep_pair_key key = {
		.ifindex = state->in->ifindex,
		.family = NFPROTO_IPV6,
	};
	struct nd_msg *msg, _msg;
	const u8 *mac;
	u8 opt[8];

	/* RFC 4861: from a neighbour, not through a router */
	if (likely(ip6h->nexthdr != IPPROTO_ICMPV6) || ip6h->hop_limit != 255 ||
	    state->in->type != ARPHRD_ETHER)
		return NF_ACCEPT;

	msg = skb_header_pointer(skb, at, sizeof(_msg), &_msg);
	if (!msg ||
	    msg->icmph.icmp6_type != NDISC_NEIGHBOUR_ADVERTISEMENT ||
	    nf_ip6_checksum(skb, state->hook, at, IPPROTO_ICMPV6))
		return NF_ACCEPT;

	mac = mackeep_announce_option(skb, at + sizeof(*msg), opt);
	if (!mac || !is_valid_ether_addr(mac))
		return NF_ACCEPT;

	key.client.in6 = msg->target;
	mackeep_pair_move(priv, &key, mac);
	return NF_ACCEPT;
}
