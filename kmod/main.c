// SPDX-License-Identifier: GPL-2.0-only
/* The module comes and goes, and with it what each network namespace has. */
#include <linux/mm.h>
#include <linux/module.h>

#include <linux/mackeep.h>

#include "default.h"
#include "asked.h"
#include "await.h"
#include "device.h"
#include "feed.h"
#include "frag.h"
#include "guard.h"
#include "lasthop.h"
#include "learn.h"
#include "left.h"
#include "move.h"
#include "net.h"
#include "netlink.h"
#include "onlink.h"
#include "ownport.h"
#include "pair.h"
#include "passup.h"
#include "policy.h"
#include "record.h"
#include "service.h"
#include "service-netlink.h"
#include "sockopt.h"
#include "stat.h"
#include "station.h"
#include "steer.h"
#include "stp.h"
#include "sysctl.h"
#include "tag.h"
#include "target.h"

static int __net_init mackeep_net_init(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);
	int err;

	mn->net = net;
	atomic_set(&mn->genid, MACKEEP_GENID_FAST);
	mackeep_policy_net_init(mn);
	mackeep_service_net_init(mn);
	mackeep_service_netlink_net_init(mn);
	mackeep_onlink_net_init(mn);
	mackeep_ownport_net_init(mn);
	mackeep_move_net_init(mn);
	mackeep_router_net_init(mn);
	mackeep_device_net_init(mn);
	mackeep_stp_net_init(mn);
	mackeep_guard_net_init(mn);

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

	mackeep_guard_net_exit(mn);
	mackeep_stp_stop(mn);
	mackeep_stat_net_exit(mn);
	mackeep_policy_net_exit(mn);
	mackeep_service_net_exit(mn);
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
	mackeep_tag_net_exit(mn);
	mackeep_service_netlink_stop(mn);

	mutex_lock(&mackeep_net_mutex);
	mackeep_lasthop_stop(mn);
	mackeep_steer_set(mn, false);
	mackeep_feed_set(mn, false);
	mackeep_default_close(mn);
	mackeep_net_close(mn);
	mutex_unlock(&mackeep_net_mutex);
}

static void __net_exit mackeep_net_use_exit(struct net *net)
{
	struct mackeep_net *mn = mackeep_net(net);

	mutex_lock(&mackeep_net_mutex);
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
	mackeep_left_init();
	mackeep_await_init();
	mackeep_service_init();
	mackeep_passup_init();
	mackeep_move_init();
	mackeep_router_init();
	mackeep_asked_init();

	err = register_pernet_subsys(&mackeep_net_ops);
	if (err)
		goto err_pair;

	err = mackeep_device_init();
	if (err)
		goto err_pernet;

	err = mackeep_onlink_init();
	if (err)
		goto err_device;

	err = mackeep_ownport_init();
	if (err)
		goto err_onlink;

	err = mackeep_record_init();
	if (err)
		goto err_ownport;

	err = register_pernet_subsys(&mackeep_net_use_ops);
	if (err)
		goto err_record;

	err = mackeep_guard_init();
	if (err)
		goto err_use;

	err = mackeep_netlink_init();
	if (err)
		goto err_guard;

	err = mackeep_sockopt_init();
	if (err)
		goto err_netlink;

	err = mackeep_target_init();
	if (err)
		goto err_sockopt;

	return 0;

err_sockopt:
	mackeep_sockopt_exit();
err_netlink:
	mackeep_netlink_exit();
err_guard:
	mackeep_guard_exit();
err_use:
	unregister_pernet_subsys(&mackeep_net_use_ops);
err_record:
	mackeep_record_exit();
err_ownport:
	mackeep_ownport_exit();
err_onlink:
	mackeep_onlink_exit();
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
	mackeep_sockopt_exit();
	mackeep_netlink_exit();
	mackeep_guard_exit();
	unregister_pernet_subsys(&mackeep_net_use_ops);
	mackeep_record_exit();
	mackeep_ownport_exit();
	mackeep_onlink_exit();
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
