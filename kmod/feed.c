// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sysctl mackeep_feed_neigh: clients of the pair cache are in the neighbour table.
 *
 * Their entries are stale, see client.c. If the stack sends by a stale entry, it asks
 * after some seconds whether that is true, and nobody may hear this box. So an entry
 * is made reachable before each packet, and becomes stale again without a question
 * when there are no more. Packets that are kept need no neighbour.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>

#include "adopt.h"
#include "feed.h"
#include "neigh.h"
#include "net.h"
#include "pair.h"
#include "record.h"

/*
 * For packets that fast.c does not look at. The others are left to the stack by
 * output.c, if at all.
 */
static unsigned int mackeep_feed_pass(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!mackeep_adopt_socket(skb) &&
	    (!ct || IS_ERR_OR_NULL(mackeep_record_find(ct))))
		mackeep_neigh_used(skb, state);
	return NF_ACCEPT;
}

static const struct nf_hook_ops mackeep_feed_hooks[MACKEEP_FEED_HOOKS] = {
	{
		.hook		= mackeep_feed_pass,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP_PRI_LAST - 1,
	},
	{
		.hook		= mackeep_feed_pass,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP6_PRI_LAST - 1,
	},
};

/* May sleep. When it returns after "off", nobody is in the table. */
int mackeep_feed_set(struct mackeep_net *mn, bool on)
{
	struct mackeep_feed *feed = &mn->feed;
	int err;

	lockdep_assert_held(&mackeep_net_mutex);

	if (on == feed->on)
		return 0;
	if (on) {
		err = mackeep_net_hook(mn, feed->hooks, mackeep_feed_hooks,
				       MACKEEP_FEED_HOOKS);
		if (!err)
			WRITE_ONCE(feed->on, true);
		return err;
	}
	nf_unregister_net_hooks(mn->net, feed->hooks, MACKEEP_FEED_HOOKS);
	WRITE_ONCE(feed->on, false);
	synchronize_net(); /* who still saw it on is done */
	mackeep_pair_starve(mn);
	return 0;
}
