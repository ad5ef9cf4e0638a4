// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fragments. Only the first of a datagram has ports, so only that one is marked
 * or found to belong to a socket; the others follow it. A slot remembers one
 * datagram as a hash of what its fragments have in common and the second it
 * was seen in, in one word that is read and written whole.
 */
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "frag.h"
#include "net.h"

static siphash_aligned_key_t mackeep_frag_key __read_mostly;

#define MACKEEP_FRAG_SECONDS	30	/* as long as a host waits for the rest */

static u64 mackeep_frag_now(void)
{
	return (u32)ktime_get_seconds() & 0xffff;
}

void mackeep_frag_remember(struct mackeep_net *mn,
			   const struct mackeep_frag_datagram *key)
{
	u64 hash = siphash(key, sizeof(*key), &mackeep_frag_key);

	WRITE_ONCE(mn->slots->frags[hash % ARRAY_SIZE(mn->slots->frags)],
		   (hash & ~0xffffULL) | mackeep_frag_now());
}

bool mackeep_frag_recall(const struct mackeep_net *mn,
			 const struct mackeep_frag_datagram *key)
{
	u64 hash = siphash(key, sizeof(*key), &mackeep_frag_key);
	u64 slot = READ_ONCE(mn->slots->frags[hash %
					      ARRAY_SIZE(mn->slots->frags)]);

	return slot >> 16 == hash >> 16 &&
	       ((mackeep_frag_now() - slot) & 0xffff) < MACKEEP_FRAG_SECONDS;
}

static enum mackeep_frag_part
mackeep_frag_parse4(struct sk_buff *skb, struct mackeep_frag_datagram *key)
{
	const struct iphdr *iph;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return MACKEEP_FRAG_BAD;
	iph = ip_hdr(skb);
	if (iph->version != 4 || iph->ihl < 5 ||
	    !pskb_may_pull(skb, iph->ihl * 4))
		return MACKEEP_FRAG_BAD;
	iph = ip_hdr(skb);
	if (likely(!ip_is_fragment(iph)))
		return MACKEEP_FRAG_WHOLE;

	key->saddr.ip = iph->saddr;
	key->daddr.ip = iph->daddr;
	key->id = (__force u16)iph->id;
	key->protocol = iph->protocol;
	return iph->frag_off & htons(IP_OFFSET) ? MACKEEP_FRAG_LATER :
						  MACKEEP_FRAG_FIRST;
}

static enum mackeep_frag_part
mackeep_frag_parse6(struct sk_buff *skb, struct mackeep_frag_datagram *key)
{
	const struct ipv6hdr *ip6h;
	struct frag_hdr *fh, _fh;
	unsigned int offset = 0;

	if (!pskb_may_pull(skb, sizeof(*ip6h)) || ipv6_hdr(skb)->version != 6)
		return MACKEEP_FRAG_BAD;
	if (ipv6_find_hdr(skb, &offset, NEXTHDR_FRAGMENT, NULL, NULL) < 0)
		return MACKEEP_FRAG_WHOLE;
	fh = skb_header_pointer(skb, offset, sizeof(_fh), &_fh);
	if (!fh)
		return MACKEEP_FRAG_BAD;

	ip6h = ipv6_hdr(skb);
	key->saddr.in6 = ip6h->saddr;
	key->daddr.in6 = ip6h->daddr;
	key->id = (__force u32)fh->identification;
	return fh->frag_off & htons(IP6_OFFSET) ? MACKEEP_FRAG_LATER :
						  MACKEEP_FRAG_FIRST;
}

enum mackeep_frag_part mackeep_frag_parse(struct sk_buff *skb,
					  struct mackeep_frag_datagram *key)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return mackeep_frag_parse4(skb, key);
	case htons(ETH_P_IPV6):
		return mackeep_frag_parse6(skb, key);
	}
	return MACKEEP_FRAG_BAD;
}

void mackeep_frag_init(void)
{
	get_random_bytes(&mackeep_frag_key, sizeof(mackeep_frag_key));
}
