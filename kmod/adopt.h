/* SPDX-License-Identifier: GPL-2.0-only */
/* Which MACs a packet that leaves gets. */
#ifndef _MACKEEP_ADOPT_H
#define _MACKEEP_ADOPT_H

#include <linux/netfilter/xt_MACKEEP.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/tcp.h>

#include "compat.h"
#include "macs.h"

struct mackeep_net;
struct mackeep_policy;

/*
 * Whether the socket says so itself: it speaks for another. Resets and
 * TIME_WAIT answers come without one, or with a raw one of the stack's own.
 */
static inline bool mackeep_adopt_socket(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	if (!sk)
		return true;
	if (unlikely(!sk_fullsock(sk)))
		return inet_sk_transparent(sk);
	return inet_test_bit(TRANSPARENT, sk) || sk->sk_type == SOCK_RAW;
}

/* A packet that came in by a device; IPv6 has no other sign of it. */
static inline bool mackeep_adopt_forwarded(const struct sk_buff *skb)
{
	return skb->skb_iif;
}

bool mackeep_adopt_foreign(const struct sk_buff *skb, struct net *net, bool v6);
int mackeep_adopt(struct mackeep_net *mn, const struct sk_buff *skb,
		  struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool v6,
		  struct mackeep_macs *macs);
bool mackeep_adopt_device(struct mackeep_net *mn, const struct sk_buff *skb,
			  struct mackeep_macs *macs);
void mackeep_adopt_unsure(const struct sk_buff *skb,
			  const struct mackeep_macs *macs);
void mackeep_adopt_await(struct mackeep_net *mn, const struct sk_buff *skb,
			 const struct mackeep_macs *macs, bool v6);
bool mackeep_adopt_settle(const struct sk_buff *skb,
			  const struct mackeep_macs *macs,
			  const struct mackeep_policy *policy);

#endif /* _MACKEEP_ADOPT_H */
