// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module and network namespace life cycle.
 *
 * A namespace gets its hooks and its pair cache with its first MACKEEP rule
 * and loses them with the last; one without a rule pays nothing.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netns/generic.h>

#include <linux/mackeep.h>

#include "mackeep.h"

static unsigned int mackeep_net_id __read_mostly;

/* Serialises users coming and going, in all namespaces; hooks never take it. */
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
		.hook		= mackeep_plain4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_plain6,
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
		.hook		= mackeep_lift_up,
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

/* Behind every chain, so that the rule may stand in any of them. */
static const struct nf_hook_ops mackeep_learn_hooks[MACKEEP_LEARN_HOOKS] = {
	{
		.hook		= mackeep_learn_hook,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= mackeep_learn_hook,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
};

struct mackeep_net *mackeep_net(const struct net *net)
{
	return net_generic(net, mackeep_net_id);
}

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
	mackeep_ownport_stop(mn);
	mackeep_stp_stop(mn);
	mackeep_move_stop(mn);
	mackeep_station_stop(mn);
	mackeep_pair_stop(mn);
}

static int mackeep_net_start(struct mackeep_net *mn)
{
	int err;

	mn->slots = kvzalloc(sizeof(*mn->slots), GFP_KERNEL_ACCOUNT);
	if (!mn->slots)
		return -ENOMEM;
	err = nf_ct_netns_get(mn->net, NFPROTO_INET);
	if (err)
		goto err_slots;
	mackeep_pair_start(mn);
	mackeep_stp_start(mn);
	mackeep_ownport_start(mn);

	err = mackeep_net_hook(mn, mn->hooks, mackeep_hooks, MACKEEP_HOOKS);
	if (err)
		goto err_hooks;

	mn->started = true;
	mn->hooked = true;
	return 0;

err_hooks:
	/* Some of them were there for a moment. */
	synchronize_net();
	mackeep_ownport_close(mn);
	mackeep_net_forget(mn);
	nf_ct_netns_put(mn->net, NFPROTO_INET);
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

static void mackeep_net_stop(struct mackeep_net *mn)
{
	mackeep_net_forget(mn);
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

static void mackeep_net_unlearn(struct mackeep_net *mn)
{
	nf_unregister_net_hooks(mn->net, mn->learn_hooks, MACKEEP_LEARN_HOOKS);
	mn->learning = false;
}

/*
 * What a rule brings with it, for systems that have none of iptables: the
 * sysctl is a user like a rule, and has frames learned from for every flow
 * that has the helper.
 */
int mackeep_net_want_hooks(struct mackeep_net *mn, bool want)
{
	int err;

	lockdep_assert_held(&mackeep_net_mutex);

	if (want == mn->want_hooks)
		return 0;
	if (!want) {
		if (mn->learning)
			mackeep_net_unlearn(mn);
		WRITE_ONCE(mn->want_hooks, false);
		mackeep_net_news(mn);
		mackeep_net_put(mn);
		return 0;
	}

	err = mackeep_net_get(mn);
	if (err)
		return err;
	err = mackeep_net_hook(mn, mn->learn_hooks, mackeep_learn_hooks,
			       MACKEEP_LEARN_HOOKS);
	if (err) {
		mackeep_net_put(mn);
		return err;
	}
	mn->learning = true;
	WRITE_ONCE(mn->want_hooks, true);
	mackeep_net_news(mn);
	return 0;
}

static int __net_init mackeep_net_init(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);
	int err;

	mn->net = net;
	mn->policy_none.mn = mn;
	atomic_set(&mn->news, MACKEEP_PLAIN);
	mackeep_lasthop_net_init(mn);
	mackeep_ownport_net_init(mn);
	mackeep_move_net_init(mn);
	mackeep_device_net_init(mn);
	mackeep_stp_net_init(mn);

	err = mackeep_pair_net_init(mn);
	if (err)
		return err;

	err = mackeep_station_net_init(mn);
	if (err)
		goto err_pair;

	err = -ENOMEM;
	mn->stat = alloc_percpu(struct mackeep_stat);
	if (!mn->stat)
		goto err_station;

	err = mackeep_stat_net_init(mn);
	if (err)
		goto err_stat;
	return 0;

err_stat:
	free_percpu(mn->stat);
err_station:
	mackeep_station_net_exit(mn);
err_pair:
	mackeep_pair_net_exit(mn);
	return err;
}

static void __net_exit mackeep_net_exit(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);

	mackeep_stp_stop(mn);
	mackeep_stat_net_exit(mn);
	mackeep_policy_net_exit(mn);
	free_percpu(mn->stat);
	mackeep_station_net_exit(mn);
	mackeep_pair_net_exit(mn);
}

static struct pernet_operations mackeep_net_ops = {
	.init		= mackeep_net_init,
	.exit		= mackeep_net_exit,
	.id		= &mackeep_net_id,
	.size		= sizeof(struct mackeep_net),
};

static int __net_init mackeep_net_use_init(struct net *net)
{
	return mackeep_sysctl_net_init(mackeep_net(net));
}

/* The core waits for RCU between this and mackeep_net_use_exit(). */
static void __net_exit mackeep_net_use_pre_exit(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);

	mackeep_sysctl_net_exit(mn);

	mutex_lock(&mackeep_net_mutex);
	mackeep_lasthop_stop(mn);
	if (mn->learning)
		mackeep_net_unlearn(mn);
	if (mn->hooked)
		mackeep_net_unhook(mn);
	mutex_unlock(&mackeep_net_mutex);
}

static void __net_exit mackeep_net_use_exit(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);

	mutex_lock(&mackeep_net_mutex);
	if (mn->started)
		mackeep_net_stop(mn);
	mutex_unlock(&mackeep_net_mutex);
}

/*
 * Whatever can put hooks in place. Apart from the above because on the way out
 * all hooks have to be gone before the helper is, or they would go on giving it
 * to flows, and the namespace's data after it.
 */
static struct pernet_operations mackeep_net_use_ops = {
	.init		= mackeep_net_use_init,
	.pre_exit	= mackeep_net_use_pre_exit,
	.exit		= mackeep_net_use_exit,
};

static int __init mackeep_init(void)
{
	int err;

	err = mackeep_sysctl_init();
	if (err)
		return err;

	err = mackeep_pair_module_init();
	if (err)
		return err;
	mackeep_frag_init();
	mackeep_learn_init();
	mackeep_lift_init();
	mackeep_move_init();

	err = register_pernet_subsys(&mackeep_net_ops);
	if (err)
		goto err_pair;

	err = mackeep_device_init();
	if (err)
		goto err_pernet;

	err = mackeep_ownport_init();
	if (err)
		goto err_device;

	err = mackeep_record_init();
	if (err)
		goto err_ownport;

	err = register_pernet_subsys(&mackeep_net_use_ops);
	if (err)
		goto err_record;

	err = mackeep_lasthop_init();
	if (err)
		goto err_use;

	err = mackeep_netlink_init();
	if (err)
		goto err_lasthop;

	err = mackeep_target_init();
	if (err)
		goto err_netlink;

	return 0;

err_netlink:
	mackeep_netlink_exit();
err_lasthop:
	mackeep_lasthop_exit();
err_use:
	unregister_pernet_subsys(&mackeep_net_use_ops);
err_record:
	mackeep_record_exit();
err_ownport:
	mackeep_ownport_exit();
err_device:
	mackeep_device_exit();
err_pernet:
	unregister_pernet_subsys(&mackeep_net_ops);
err_pair:
	mackeep_pair_module_exit();
	return err;
}

/* Rules hold a reference on the module, so there are none by now. */
static void __exit mackeep_exit(void)
{
	mackeep_target_exit();
	mackeep_netlink_exit();
	mackeep_lasthop_exit();
	unregister_pernet_subsys(&mackeep_net_use_ops);
	mackeep_record_exit();
	mackeep_ownport_exit();
	mackeep_device_exit();
	unregister_pernet_subsys(&mackeep_net_ops);
	mackeep_pair_module_exit();
}

module_init(mackeep_init);
module_exit(mackeep_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Keep the MAC addresses of proxied flows");
MODULE_VERSION(MACKEEP_VERSION);
MODULE_ALIAS("mackeep");
MODULE_ALIAS("ipt_MACKEEP");
MODULE_ALIAS("ip6t_MACKEEP");
MODULE_ALIAS("nfct-helper-" MACKEEP_HELPER_NAME);
