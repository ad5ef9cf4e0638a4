// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service that rehearses is asked as any other, but its frames are bridged as
 * they came. Here is written down what its proxy would get: each flow once, and
 * how many had which MACs.
 *
 * A proxy's socket tells which connections it has; there is none here, so the flows
 * that would be its own are remembered, in a table like that of flows past a
 * proxy. All of it is there while any service of the namespace rehearses.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/jhash.h>
#include <linux/mm.h>

#include "net.h"
#include "rehearse.h"

#define MACKEEP_REHEARSED_WAYS	16	/* places that are looked at */

int mackeep_rehearse_start(struct mackeep_net *mn)
{
	struct mackeep_services *services = &mn->services;

	lockdep_assert_held(&mackeep_net_mutex);

	if (!services->rehearsing) {
		services->rehearsal = kvzalloc(sizeof(*services->rehearsal),
					       GFP_KERNEL_ACCOUNT);
		if (!services->rehearsal)
			return -ENOMEM;
		spin_lock_init(&services->rehearsal->lock);
	}
	services->rehearsing++;
	return 0;
}

/* No packet may be with a service that rehearsed, and has gone. */
void mackeep_rehearse_stop(struct mackeep_net *mn)
{
	struct mackeep_services *services = &mn->services;

	lockdep_assert_held(&mackeep_net_mutex);

	if (--services->rehearsing)
		return;
	kvfree(services->rehearsal);
	services->rehearsal = NULL;
}

static bool mackeep_rehearse_same(const struct mackeep_rehearsed *a,
				  const struct mackeep_rehearsed *b)
{
	return ether_addr_equal(a->src, b->src) &&
	       ether_addr_equal(a->dst, b->dst) && a->vlan == b->vlan &&
	       a->ifindex == b->ifindex && a->mark == b->mark &&
	       a->proto == b->proto;
}

/* Under the lock */
static void mackeep_rehearse_count(struct mackeep_rehearsal *rehearsal,
				   const struct mackeep_rehearsed *flow)
{
	u32 hash = jhash(flow->src, sizeof(flow->src),
			 jhash(flow->dst, sizeof(flow->dst), flow->vlan));
	struct mackeep_rehearsed *place;
	unsigned int i;

	for (i = 0; i < MACKEEP_REHEARSED_WAYS; i++) {
		place = &rehearsal->macs[(hash + i) %
					 ARRAY_SIZE(rehearsal->macs)];
		if (!place->flows)
			*place = *flow;
		else if (!mackeep_rehearse_same(place, flow))
			continue;
		place->flows++;
		return;
	}
	rehearsal->beyond++;
}

/* The VLAN is that of the frame, as it would be in the flow's record. */
void mackeep_rehearse_flow(struct mackeep_net *mn,
			   const struct mackeep_service *service,
			   const struct sk_buff *skb,
			   const struct net_device *in)
{
	struct mackeep_rehearsal *rehearsal = mn->services.rehearsal;
	const struct ethhdr *eth = eth_hdr(skb);
	struct mackeep_rehearsed flow = {
		.mark = service->mark,
		.proto = service->proto,
		.ifindex = in->ifindex,
	};

	if (skb_vlan_tag_present(skb))
		flow.vlan = skb_vlan_tag_get_id(skb);
	ether_addr_copy(flow.src, eth->h_source);
	ether_addr_copy(flow.dst, eth->h_dest);

	spin_lock_bh(&rehearsal->lock);
	mackeep_rehearse_count(rehearsal, &flow);
	spin_unlock_bh(&rehearsal->lock);
}
