/* SPDX-License-Identifier: GPL-2.0-only */
/* The MACs of a flow, as record, pair cache and output pass them on. */
#ifndef _MACKEEP_MACS_H
#define _MACKEEP_MACS_H

#include <linux/if_ether.h>
#include <linux/netfilter/xt_MACKEEP.h>
#include <linux/types.h>

#include "tag.h"

/* The first bytes of an Ethernet header, in their order on the wire */
struct mackeep_header {
	u8 dst[ETH_ALEN];
	u8 src[ETH_ALEN];
};

struct mackeep_macs {
	u8 src[ETH_ALEN];		/* of the ORIGINAL direction */
	u8 dst[ETH_ALEN];
	u32 ifindex;			/* L3 device, 0 for any */
	u32 tag;			/* of frames on that bridge; see tag.h */
	u8 policy;			/* number, see policy.h */
	bool ruled;			/* by a rule: neither pair nor default changes that */
	u64 checked;			/* date they were found valid at; 0: never */
	u8 flags;			/* MACKEEP_INFO_SRC, MACKEEP_INFO_DST */
	u8 via;				/* MACKEEP_VIA_* */
};

/* Where frames that have them are */
static inline struct mackeep_segment
mackeep_macs_segment(const struct mackeep_macs *macs)
{
	return (struct mackeep_segment){
		.ifindex = macs->ifindex,
		.vlan = mackeep_tag_vlan(macs->tag),
	};
}

/* The box's own flow: its source is that of the device, and is to be. */
static inline bool mackeep_macs_owned(const struct mackeep_macs *macs)
{
	return macs->via == MACKEEP_VIA_ROUTER &&
	       !(macs->flags & MACKEEP_INFO_SRC);
}

#endif /* _MACKEEP_MACS_H */
