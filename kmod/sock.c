// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a bridged frame belongs to a transparent socket of this box: to a
 * connection, or to a UDP socket with a peer, or, where that has none, to a
 * flow that is kept already.
 */
#include <linux/ipv6.h>
#include <net/inet_sock.h>
#include <net/l3mdev.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_socket.h>
#include <net/netfilter/nf_tproxy.h>
#include <net/tcp.h>

#include "net.h"
#include "record.h"
#include "sock.h"

/* Frames a moment that are looked at although nothing waits for their like */
#define MACKEEP_SOCK_LOOKS	64

/*
 * Under rcu_read_lock(). Whether the flow of a frame is kept already, and its MACs,
 * if there are any: see macs->flags. Which zone rules of iptables put
 * a frame into is not known here, so flows of other zones than the default one
 * are not found.
 */
bool mackeep_sock_record(const struct mackeep_net *mn,
			 const struct sk_buff *skb, struct mackeep_macs *macs)
{
	u16 l3num = skb->protocol == htons(ETH_P_IPV6) ? NFPROTO_IPV6 :
							 NFPROTO_IPV4;
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	const struct mackeep_record *rec;
	struct nf_conn *ct;
	bool kept;

	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), l3num, mn->net,
			       &tuple))
		return false;
	found = nf_conntrack_find_get(mn->net, &nf_ct_zone_dflt, &tuple);
	if (!found)
		return false;
	ct = nf_ct_tuplehash_to_ctrack(found);
	rec = mackeep_record_find(ct);
	kept = !IS_ERR_OR_NULL(rec);
	if (kept)
		mackeep_record_read(ct, rec, macs);
	nf_ct_put(ct);
	return kept;
}

bool mackeep_sock_kept(const struct mackeep_net *mn, const struct sk_buff *skb)
{
	struct mackeep_macs macs;

	return mackeep_sock_record(mn, skb, &macs);
}

/*
 * Whether the frame is the socket's: one that has this peer, or, where it has
 * none, one of a flow that is kept. Proxies bind sockets to the server's or the
 * client's address to answer in its name, and others on the network go on
 * talking to that.
 */
static bool mackeep_sock_owns(const struct mackeep_net *mn,
			      const struct sock *sk, const struct sk_buff *skb)
{
	if (sk->sk_protocol == IPPROTO_TCP)
		return sk->sk_state != TCP_LISTEN;
	if (sk->sk_state == TCP_ESTABLISHED)
		return true;
	if (skb->protocol == htons(ETH_P_IPV6) ?
		    ipv6_addr_any(&sk->sk_v6_rcv_saddr) : !sk->sk_rcv_saddr)
		return false;
	return mackeep_sock_kept(mn, skb);
}

static struct sock *mackeep_sock_lookup(const struct mackeep_net *mn,
					const struct sk_buff *skb,
					const struct net_device *in)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	struct sock *sk;

	sk = v6 ? nf_sk_lookup_slow_v6(mn->net, skb, in) :
		  nf_sk_lookup_slow_v4(mn->net, skb, in);
	if (sk || !netif_is_l3_slave(in))
		return sk;
	/* In a VRF sockets are bound to that. */
	in = l3mdev_master_dev_rcu(in);
	return in ? mackeep_sock_lookup(mn, skb, in) : NULL;
}

/*
 * The transport header's protocol, and where it is in at; the protocol of a later
 * fragment, which has none, as well. -1: the packet has no proper one.
 */
int mackeep_sock_proto(const struct sk_buff *skb, unsigned int *at)
{
	__be16 frag_off;
	int start;
	u8 proto;

	*at = skb_network_offset(skb);
	if (skb->protocol != htons(ETH_P_IPV6)) {
		*at += ip_hdrlen(skb);
		return ip_hdr(skb)->protocol;
	}
	proto = ipv6_hdr(skb)->nexthdr;
	if (likely(proto == IPPROTO_TCP || proto == IPPROTO_UDP)) {
		*at += sizeof(struct ipv6hdr);
		return proto;
	}
	start = ipv6_skip_exthdr(skb, *at + sizeof(struct ipv6hdr), &proto,
				 &frag_off);
	if (start < 0)
		return -1;
	*at = start;
	return proto;
}

/*
 * Whether a frame is not of the handshake that has its addresses and ports. A SYN
 * that came again after its connection had gone past the proxy has begun that one;
 * the stack would reset the connection.
 */
static bool mackeep_sock_crossed(const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcphdr *th;
	struct tcphdr _th;
	unsigned int at;

	if (sk->sk_state != TCP_NEW_SYN_RECV || mackeep_sock_proto(skb, &at) < 0)
		return false;
	th = skb_header_pointer(skb, at, sizeof(_th), &_th);
	return th && th->ack &&
	       ntohl(th->ack_seq) != tcp_rsk(inet_reqsk(sk))->snt_isn + 1;
}

/* in: the device it would come in by. */
bool mackeep_sock_find(const struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct net_device *in)
{
	struct sock *sk = mackeep_sock_lookup(mn, skb, in);
	bool ours;

	if (!sk)
		return false;
	ours = inet_sk_transparent(sk) && mackeep_sock_owns(mn, sk, skb) &&
	       !mackeep_sock_crossed(sk, skb);
	sock_gen_put(sk);
	return ours;
}

/*
 * The state of the connection that a TCP frame belongs to; 0: of none here.
 */
int mackeep_sock_state(const struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct net_device *in)
{
	struct sock *sk = mackeep_sock_lookup(mn, skb, in);
	int state;

	if (!sk)
		return 0;
	state = sk->sk_state;
	if (state == TCP_LISTEN || !inet_sk_transparent(sk) ||
	    mackeep_sock_crossed(sk, skb))
		state = 0;
	sock_gen_put(sk);
	return state;
}

/* The connection of the proxy to the server that has the client's address and port */
static struct sock *mackeep_sock_upstream(const struct mackeep_net *mn,
					  struct sk_buff *skb,
					  const struct net_device *in,
					  __be16 sport, __be16 dport)
{
	struct sock *sk;

	if (skb->protocol == htons(ETH_P_IPV6))
		sk = nf_tproxy_get_sock_v6(mn->net, skb, 0, IPPROTO_TCP,
					   &ipv6_hdr(skb)->daddr,
					   &ipv6_hdr(skb)->saddr, dport, sport,
					   in, NF_TPROXY_LOOKUP_ESTABLISHED);
	else
		sk = nf_tproxy_get_sock_v4(mn->net, skb, IPPROTO_TCP,
					   ip_hdr(skb)->daddr,
					   ip_hdr(skb)->saddr, dport, sport, in,
					   NF_TPROXY_LOOKUP_ESTABLISHED);
	if (sk || !netif_is_l3_slave(in))
		return sk;
	in = l3mdev_master_dev_rcu(in);
	return in ? mackeep_sock_upstream(mn, skb, in, sport, dport) : NULL;
}

static void mackeep_sock_end(struct sock *sk)
{
	if (!sk)
		return;
	if (sk->sk_state == TCP_TIME_WAIT && inet_sk_transparent(sk))
		nf_tproxy_twsk_deschedule_put(inet_twsk(sk));
	else
		sock_gen_put(sk);
}

/*
 * A SYN of a client goes past the proxy. Its ports may be those of a connection
 * of the proxy that has ended, to the client or to the server: that one must not
 * answer what the new one sends. So does the stack with a SYN in TIME_WAIT.
 */
void mackeep_sock_forget(const struct mackeep_net *mn, struct sk_buff *skb,
			 const struct net_device *in, __be16 sport,
			 __be16 dport)
{
	mackeep_sock_end(mackeep_sock_lookup(mn, skb, in));
	mackeep_sock_end(mackeep_sock_upstream(mn, skb, in, sport, dport));
}

/*
 * Whether a flow waits for the frame that has no socket now: the next one may come at
 * any time, and the flow's next packet may take the fast path.
 */
static bool mackeep_sock_comes(const struct mackeep_net *mn,
			       const struct sk_buff *skb)
{
	u64 hash = mackeep_await_hash(skb, skb->protocol == htons(ETH_P_IPV6));

	return unlikely(mackeep_awaits(mn, hash)) && mackeep_sock_kept(mn, skb);
}

/*
 * Under rcu_read_lock(). A look found no socket for a frame; word is not 0. Of those who
 * count at once one may count for all.
 */
void mackeep_sock_remember(const struct mackeep_net *mn,
			   const struct sk_buff *skb, u64 word)
{
	unsigned long moment = mackeep_sock_moment();
	struct mackeep_slots *slots = mn->slots;

	if (mackeep_sock_comes(mn, skb))
		return;
	WRITE_ONCE(*mackeep_await_slot(mn, word), word);
	if (READ_ONCE(slots->moment) != moment) {
		WRITE_ONCE(slots->looks, 0);
		WRITE_ONCE(slots->moment, moment);
	}
	WRITE_ONCE(slots->looks, READ_ONCE(slots->looks) + 1);
	if (READ_ONCE(slots->looks) >= MACKEEP_SOCK_LOOKS)
		WRITE_ONCE(slots->spent, moment);
}
