/* SPDX-License-Identifier: GPL-2.0-only */
/* Later fragments follow the first one of their datagram. */
#ifndef _MACKEEP_FRAG_H
#define _MACKEEP_FRAG_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct mackeep_net;

struct mackeep_frag_datagram {
	union nf_inet_addr saddr, daddr;
	u32 id;
	u32 ifindex;			/* the device it comes in by */
	u32 protocol;
	u32 rehearse;			/* 1: it would be lifted, and is not */
	u32 vlan;			/* of its frame, if that has no device */
};

enum mackeep_frag_part {
	MACKEEP_FRAG_BAD,		/* no proper header */
	MACKEEP_FRAG_WHOLE,
	MACKEEP_FRAG_FIRST,		/* fragment with the ports */
	MACKEEP_FRAG_LATER,		/* without */
};

enum mackeep_frag_part mackeep_frag_parse(struct sk_buff *skb,
					  struct mackeep_frag_datagram *key);
void mackeep_frag_remember(struct mackeep_net *mn,
			   const struct mackeep_frag_datagram *key);
bool mackeep_frag_recall(const struct mackeep_net *mn,
			 const struct mackeep_frag_datagram *key);
void mackeep_frag_init(void);

#endif /* _MACKEEP_FRAG_H */
