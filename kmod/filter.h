/* SPDX-License-Identifier: GPL-2.0-only */
/* Which records and pairs a flush is about. */
#ifndef _MACKEEP_FILTER_H
#define _MACKEEP_FILTER_H

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/types.h>

struct mackeep_filter {
	u8 family;			/* NFPROTO_*, 0 for any */
	bool by_addr;
	bool by_mac;
	u8 mac[ETH_ALEN];		/* source or destination */
	union nf_inet_addr addr;	/* client or server */
	u32 ifindex;			/* 0 for any */
};

bool mackeep_filter_match(const struct mackeep_filter *filter, u16 family,
			  const union nf_inet_addr *client,
			  const union nf_inet_addr *server, u32 ifindex,
			  const u8 *src, const u8 *dst);

#endif /* _MACKEEP_FILTER_H */
