// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a network namespace has hooks. It gets them and its pair cache with its
 * first MACKEEP rule and loses them with the last; without a rule it pays
 * nothing.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "announce.h"
#include "asked.h"
#include "await.h"
#include "fast.h"
#include "lift.h"
#include "net.h"
#include "passup.h"
#include "record-walk.h"

unsigned int mackeep_net_id __read_mostly;

/* See net.h. */
DEFINE_MUTEX(mackeep_net_mutex);

/*
 * Of hooks with equal priority the one registered later runs earlier. Holding
 * a conntrack reference first therefore puts POST_ROUTING before conntrack's
 * confirm, which is the very last otherwise; output.c does the confirming.
 *
 * On the bridge, frames are looked at when all others had their say.
 */
static const struct nf_hook_ops mackeep_hooks[MACKEEP_HOOKS] = {
	{
		.hook		= mackeep_fast4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_fast6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
	{
		.hook		= mackeep_lift,
		.pf		= NFPROTO_BRIDGE,
		.hooknum	= NF_BR_PRE_ROUTING,
		.priority	= NF_BR_PRI_LAST,
	},
	{
		.hook		= mackeep_lift_spare,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_FIRST,
	},
	{
		.hook		= mackeep_lift_spare,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_FIRST,
	},
	{
		.hook		= mackeep_passup_hook,
		.pf		= NFPROTO_BRIDGE,
		.hooknum	= NF_BR_LOCAL_IN,
		.priority	= NF_BR_PRI_FIRST,
	},
	{
		.hook		= mackeep_announce_arp,
		.pf		= NFPROTO_ARP,
		.hooknum	= NF_ARP_IN,
		.priority	= INT_MAX,
	},
	{
		.hook		= mackeep_announce_ndisc,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
};

int mackeep_net_hook(struct mackeep_net *mn, struct nf_hook_ops *ops,
		     const struct nf_hook_ops *from, unsigned int n)
{
	unsigned int i;

	memcpy(ops, from, n * sizeof(*ops));
	for (i = 0; i < n; i++)
		ops[i].priv = mn;
	return nf_register_net_hooks(mn->net, ops, n);
}

/* No packet may be in a hook any more. */
static void mackeep_net_forget(struct mackeep_net *mn)
{
	mackeep_left_stop(mn);
	mackeep_record_await(mn->net, false);
	mackeep_await_stop(mn);
	mackeep_ownport_stop(mn);
	mackeep_stp_stop(mn);
	mackeep_router_stop(mn);
	mackeep_move_stop(mn);
	mackeep_station_stop(mn);
	mackeep_pair_stop(mn);
}

/* A slot for each flow that conntrack may have, of which each session has two */
static struct mackeep_slots *mackeep_net_slots(void)
{
	unsigned int bits = order_base_2(READ_ONCE(nf_conntrack_max) ?: 1);
	struct mackeep_slots *slots;

	bits = clamp_t(unsigned int, bits, 12, 20);
	slots = kvzalloc(struct_size(slots, lifted, 1UL << bits),
			 GFP_KERNEL_ACCOUNT);
	if (slots)
		slots->lifted_bits = bits;
	return slots;
}

static int mackeep_net_start(struct mackeep_net *mn)
{
	int err;

	mn->slots = mackeep_net_slots();
	if (!mn->slots)
		return -ENOMEM;
	err = mackeep_asked_start(mn);
	if (err)
		goto err_slots;
	err = nf_ct_netns_get(mn->net, NFPROTO_INET);
	if (err)
		goto err_asked;
	mackeep_left_start(mn);
	mackeep_await_start(mn);
	mackeep_pair_start(mn);
	mackeep_stp_start(mn);
	mackeep_ownport_start(mn);

	err = mackeep_net_hook(mn, mn->hooks, mackeep_hooks, MACKEEP_HOOKS);
	if (err)
		goto err_hooks;

	/* Flows that were kept before the hooks went have sockets still. */
	mackeep_record_await(mn->net, true);
	mn->started = true;
	mn->hooked = true;
	return 0;

err_hooks:
	/* Some of them were there for a moment. */
	synchronize_net();
	mackeep_ownport_close(mn);
	mackeep_net_forget(mn);
	nf_ct_netns_put(mn->net, NFPROTO_INET);
err_asked:
	mackeep_asked_stop(mn);
err_slots:
	kvfree(mn->slots);
	return err;
}

static void mackeep_net_unhook(struct mackeep_net *mn)
{
	nf_unregister_net_hooks(mn->net, mn->hooks, MACKEEP_HOOKS);
	mackeep_ownport_close(mn);
	nf_ct_netns_put(mn->net, NFPROTO_INET);
	mn->hooked = false;
}

/* Once, or for a namespace whose hooks are gone already. */
void mackeep_net_stop(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (!mn->started)
		return;
	mackeep_net_forget(mn);
	mackeep_asked_stop(mn);
	kvfree(mn->slots);
	mn->started = false;
}

int mackeep_net_get(struct mackeep_net *mn)
{
	int err = 0;

	lockdep_assert_held(&mackeep_net_mutex);

	if (!mn->users)
		err = mackeep_net_start(mn);
	if (!err)
		mn->users++;
	return err;
}

/*
 * May sleep. Tables of a dying namespace drop their rules after our pre_exit,
 * before or after our exit: the last user may find the hooks gone already, or
 * everything but the namespace's data.
 */
void mackeep_net_put(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (--mn->users || !mn->started)
		return;

	if (mn->hooked) {
		mackeep_net_unhook(mn);
		synchronize_net();
	}
	mackeep_net_stop(mn);
}

/* The namespace is on its way out; RCU is waited for before mackeep_net_stop(). */
void mackeep_net_close(struct mackeep_net *mn)
{
	lockdep_assert_held(&mackeep_net_mutex);

	if (mn->hooked)
		mackeep_net_unhook(mn);
}
