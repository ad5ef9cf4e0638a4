/* SPDX-License-Identifier: GPL-2.0-only */
/* Past the bridge, to the port that it would send a frame by. */
#ifndef _MACKEEP_DIRECT_H
#define _MACKEEP_DIRECT_H

#include <linux/skbuff.h>

struct mackeep_net;

int mackeep_direct_xmit(struct mackeep_net *mn, struct sk_buff *skb);

#endif /* _MACKEEP_DIRECT_H */
