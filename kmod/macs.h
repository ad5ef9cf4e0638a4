/* SPDX-License-Identifier: GPL-2.0-only */
/* The MACs of a flow, as record, pair cache and output pass them on. */
#ifndef _MACKEEP_MACS_H
#define _MACKEEP_MACS_H

#include <linux/if_ether.h>
#include <linux/types.h>

/* The first bytes of an Ethernet header, in their order on the wire */
struct mackeep_header {
	u8 dst[ETH_ALEN];
	u8 src[ETH_ALEN];
};

struct mackeep_macs {
	u8 src[ETH_ALEN];		/* of the ORIGINAL direction */
	u8 dst[ETH_ALEN];
	u32 ifindex;			/* L3 device, 0 for any */
	u16 vlan;
	u8 policy;			/* number, see policy.h */
	bool ruled;			/* by a rule: neither pair nor default changes that */
	u32 checked;			/* genid they were found valid at; see net.h */
	u8 flags;			/* MACKEEP_INFO_SRC, MACKEEP_INFO_DST */
	u8 via;				/* MACKEEP_VIA_* */
};

#endif /* _MACKEEP_MACS_H */
