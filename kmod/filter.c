// SPDX-License-Identifier: GPL-2.0-only
/* Whether a record or pair is one of those that a flush is about. */
#include <linux/etherdevice.h>

#include "filter.h"

bool mackeep_filter_match(const struct mackeep_filter *filter, u16 family,
			  const union nf_inet_addr *client,
			  const union nf_inet_addr *server, u32 ifindex,
			  const u8 *src, const u8 *dst)
{
	if (filter->family && filter->family != family)
		return false;
	if (filter->by_addr && !nf_inet_addr_cmp(&filter->addr, client) &&
	    !nf_inet_addr_cmp(&filter->addr, server))
		return false;
	if (filter->ifindex && filter->ifindex != ifindex)
		return false;
	return !filter->by_mac || ether_addr_equal(filter->mac, src) ||
	       ether_addr_equal(filter->mac, dst);
}
