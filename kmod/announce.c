// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts that say which MAC they have: ARP, gratuitous or not, and neighbour
 * advertisements. A client that moves to another MAC in the middle of a
 * download may have nothing to send but this, while the answers go to a MAC
 * that nobody has any more.
 *
 * They are seen as they cross a bridge, or else as IP sees them, by the L3 device
 * that records name as well. It is taken for no more than that a client which is
 * known by its frames has left the MAC they came from, or that a router or a
 * server has another one: see move.c; or, with a router advertisement, that there
 * is a router: see router.c. The zone of a flow does not show in it:
 * flows in other zones than the default one wait for a frame of theirs.
 */
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/netfilter_ipv6.h>
#include <net/arp.h>
#include <net/ndisc.h>

#include "announce.h"
#include "bridge.h"
#include "move.h"
#include "net.h"
#include "pair.h"
#include "router.h"

/* An address that a host can have has this MAC now. */
static void mackeep_announce_say(struct mackeep_net *mn,
				 const struct mackeep_pair_key *key, u32 vlan,
				 const u8 *mac)
{
	if (!is_valid_ether_addr(mac))
		return;
	if (key->family == NFPROTO_IPV4 ?
		    ipv4_is_zeronet(key->client.ip) ||
		    ipv4_is_multicast(key->client.ip) ||
		    ipv4_is_lbcast(key->client.ip) :
		    !(ipv6_addr_type(&key->client.in6) & IPV6_ADDR_UNICAST))
		return;
	mackeep_pair_move(mn, key, vlan, mac);
	mackeep_move_announce(mn, key, vlan, mac);
}

/* All of the header is there. */
static void mackeep_announce_sender(struct mackeep_net *mn,
				    const struct sk_buff *skb,
				    struct mackeep_segment on)
{
	struct mackeep_pair_key key = {
		.ifindex = on.ifindex,
		.family = NFPROTO_IPV4,
	};
	const struct arphdr *arp = (struct arphdr *)skb_network_header(skb);
	const u8 *sender = (const u8 *)(arp + 1);

	if (arp->ar_pro != htons(ETH_P_IP) || arp->ar_hln != ETH_ALEN ||
	    arp->ar_pln != sizeof(key.client.ip))
		return;
	memcpy(&key.client.ip, sender + ETH_ALEN, sizeof(key.client.ip));
	mackeep_announce_say(mn, &key, on.vlan, sender);
}

/* arp_rcv() has looked at the lengths, and that all of it is there. */
unsigned int mackeep_announce_arp(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct mackeep_segment on = { .ifindex = state->in->ifindex };

	if (state->in->type == ARPHRD_ETHER)
		mackeep_announce_sender(priv, skb, on);
	return NF_ACCEPT;
}

/* The MAC in the options of a message; they begin at offset at. */
static const u8 *mackeep_announce_option(const struct sk_buff *skb,
					 unsigned int at, u8 type, u8 *buf)
{
	const u8 *opt;

	/* Each has a type, its length in units of 8 bytes, and at least six. */
	while ((opt = skb_header_pointer(skb, at, 8, buf)) && opt[1]) {
		if (opt[0] == type)
			return opt + 2;
		at += opt[1] * 8;
	}
	return NULL;
}

/* How much of a message lies between its ICMPv6 header and its options */
static int mackeep_announce_skip(u8 type)
{
	switch (type) {
	case NDISC_ROUTER_SOLICITATION:
		return 0;
	case NDISC_ROUTER_ADVERTISEMENT:
		return sizeof(struct ra_msg) - sizeof(struct icmp6hdr);
	case NDISC_NEIGHBOUR_SOLICITATION:
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		return sizeof(struct nd_msg) - sizeof(struct icmp6hdr);
	}
	return -1;
}

/* The IPv6 header is there, and says ICMPv6. */
static void mackeep_announce_nd(struct mackeep_net *mn, struct sk_buff *skb,
				struct mackeep_segment on)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	unsigned int at = skb_network_offset(skb) + sizeof(*ip6h);
	struct mackeep_pair_key key = {
		.client.in6 = ip6h->saddr,
		.ifindex = on.ifindex,
		.family = NFPROTO_IPV6,
	};
	u8 opt[8], type, option = ND_OPT_SOURCE_LL_ADDR;
	const struct in6_addr *target;
	const struct icmp6hdr *icmp;
	struct in6_addr _target;
	struct icmp6hdr _icmp;
	const u8 *mac;
	int skip;

	/* RFC 4861: from a neighbour, not through a router */
	if (ip6h->hop_limit != 255)
		return;
	icmp = skb_header_pointer(skb, at, sizeof(_icmp), &_icmp);
	if (!icmp)
		return;
	type = icmp->icmp6_type;
	skip = mackeep_announce_skip(type);
	if (skip < 0 ||
	    nf_ip6_checksum(skb, NF_INET_PRE_ROUTING, at, IPPROTO_ICMPV6))
		return;

	at += sizeof(_icmp);
	if (type == NDISC_NEIGHBOUR_ADVERTISEMENT) {
		target = skb_header_pointer(skb, at, sizeof(_target), &_target);
		if (!target)
			return;
		key.client.in6 = *target;
		option = ND_OPT_TARGET_LL_ADDR;
	}
	mac = mackeep_announce_option(skb, at + skip, option, opt);
	if (!mac)
		return;
	mackeep_announce_say(mn, &key, on.vlan, mac);
	if (type == NDISC_ROUTER_ADVERTISEMENT && is_valid_ether_addr(mac))
		mackeep_router_says(mn, on, mac,
				    ntohs(icmp->icmp6_rt_lifetime));
}

unsigned int mackeep_announce_ndisc(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	struct mackeep_segment on = { .ifindex = state->in->ifindex };

	if (unlikely(ipv6_hdr(skb)->nexthdr == IPPROTO_ICMPV6) &&
	    state->in->type == ARPHRD_ETHER)
		mackeep_announce_nd(priv, skb, on);
	return NF_ACCEPT;
}

/*
 * What crosses a bridge may be for others alone, such as a router's answer to a
 * client that asked for its MAC. No more of it has been looked at than its type.
 */
void mackeep_announce_look(struct mackeep_net *mn, struct sk_buff *skb,
			   const struct net_device *port)
{
	bool arp = skb->protocol == htons(ETH_P_ARP);
	struct mackeep_segment on;
	struct net_device *in, *br;
	u32 tag;
	u16 vid;

	if (!pskb_may_pull(skb, arp ? arp_hdr_len((struct net_device *)port) :
				      sizeof(struct ipv6hdr)))
		return;
	if (!arp && ipv6_hdr(skb)->nexthdr != IPPROTO_ICMPV6)
		return;
	br = netdev_master_upper_dev_get_rcu((struct net_device *)port);
	in = br ? mackeep_bridge_in(skb, br, port, &vid, &tag) : NULL;
	if (!in)
		return;
	on.ifindex = in->ifindex;
	on.vlan = mackeep_tag_vlan(tag);
	if (arp)
		mackeep_announce_sender(mn, skb, on);
	else
		mackeep_announce_nd(mn, skb, on);
}
