// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bridge without an address is a piece of wire, and a wire has no MAC. But the
 * stack announces itself by MLD, IGMP, DAD and router solicitations, and so do
 * agents on the box by LLDP, DHCP or STP. A guard keeps their frames, all those
 * whose source is a MAC of the box, from leaving by the ports of a bridge.
 *
 * A guard is a name: of a bridge, whose ports it guards as they come and go, or
 * of a device that may become a port. The device may come later, go and come
 * back. What the box's MACs are is found out under RTNL, each time a device
 * changes; a frame only looks for its own source among them. A frame that has
 * one may pass all the same:
 * - It is not of this box: a station on the other side has the same MAC.
 * - The bridge, or a device on top of it, has that MAC and an address of its
 *   own. It is a host then, and whoever manages the box is not locked out.
 *
 * Who runs at once: frames, in any context, under rcu_read_lock(); whoever adds
 * and deletes guards and the notifier, under RTNL. A frame may still be in a
 * hook that is gone, so guards and hooks are freed after a grace period. A guard
 * holds neither module nor namespace: a namespace goes after its devices, and
 * with them went the hooks; the module takes them away and waits for frames.
 *
 * The hook is behind all others of the port, and judges what really leaves.
 * Kernels without such a hook have one where the box's frames leave the bridge.
 * What is sent on the port itself does not come by there.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>

#include <linux/mackeep.h>

#include "guard.h"
#include "net.h"

struct mackeep_guard_port {
	struct list_head list;
	const struct net_device *dev;
	bool wanted;			/* by the update that is under way */
	struct nf_hook_ops ops;
	struct rcu_head rcu;
};

/* What a notifier tells: the device is gone, or is about to have this MAC. */
struct mackeep_guard_change {
	const struct net_device *dev;
	bool gone;
	const u8 *mac;
};

static LIST_HEAD(mackeep_guard_nets);	/* with guards; under RTNL */

/* --- frames ----------------------------------------------------------------- */

/*
 * What makes a host of the box is an address that somebody gave it: not one that
 * is link-local, or ends with a lease or a router's advertisement. NetworkManager
 * asks for such at each port that nobody told it of.
 */
static bool mackeep_guard_addressed(const struct net_device *dev)
{
	const struct in_device *in4 = __in_dev_get_rcu(dev);
	const struct inet6_dev *in6 = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa6;
	const struct in_ifaddr *ifa4;

	if (in4)
		in_dev_for_each_ifa_rcu(ifa4, in4)
			if (ifa4->ifa_flags & IFA_F_PERMANENT &&
			    ifa4->ifa_scope < RT_SCOPE_LINK &&
			    !ipv4_is_linklocal_169(ifa4->ifa_local))
				return true;
	if (in6)
		list_for_each_entry_rcu(ifa6, &in6->addr_list, if_list)
			if ((ifa6->flags &
			     (IFA_F_PERMANENT | IFA_F_MANAGETEMPADDR |
			      IFA_F_TEMPORARY)) == IFA_F_PERMANENT &&
			    !(ipv6_addr_type(&ifa6->addr) & IPV6_ADDR_LINKLOCAL))
				return true;
	return false;
}

static int mackeep_guard_host(struct net_device *dev,
			      struct netdev_nested_priv *priv)
{
	const u8 *mac = priv->data;

	return ether_addr_equal(dev->dev_addr, mac) &&
	       mackeep_guard_addressed(dev);
}

/*
 * The bridge is above the port, and so are VLAN devices on both. The port's own
 * address is of no use in a bridge.
 */
static bool mackeep_guard_talks(struct net_device *port, u8 *mac)
{
	struct netdev_nested_priv priv = { .data = mac };

	return (!netdev_master_upper_dev_get_rcu(port) &&
		mackeep_guard_host(port, &priv)) ||
	       netdev_walk_all_upper_dev_rcu(port, mackeep_guard_host, &priv);
}

/* A frame of the stack itself came in nowhere, or by the bridge. */
static bool mackeep_guard_bridged(const struct sk_buff *skb,
				  struct net_device *port)
{
	struct net_device *br = netdev_master_upper_dev_get_rcu(port);
	struct net_device *in;

	if (!br || !skb->skb_iif)
		return false;
	in = dev_get_by_index_rcu(dev_net(port), skb->skb_iif);
	return in && netdev_master_upper_dev_get_rcu(in) == br;
}

/*
 * It looks sent to whoever sends it: programs that have an error for each frame
 * would log it for ever.
 */
static unsigned int mackeep_guard_own(struct mackeep_guard *guard,
				      struct sk_buff *skb,
				      struct net_device *port)
{
	if (mackeep_guard_bridged(skb, port) ||
	    mackeep_guard_talks(port, eth_hdr(skb)->h_source))
		return NF_ACCEPT;
	MACKEEP_STAT_INC(guard->mn, guarded);
	atomic64_inc(&guard->dropped);
	kfree_skb(skb);
	return NF_STOLEN;
}

/* Under rcu_read_lock(). For each frame that leaves by a port. */
static unsigned int mackeep_guard_out(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	struct mackeep_guard *guard = priv;
	const struct mackeep_guard_macs *macs = rcu_dereference(guard->macs);
	u64 mac = get_unaligned_be64(eth_hdr(skb)->h_source) >> 16;
	unsigned int i;

	for (i = 0; i < macs->n; i++)
		if (macs->mac[i] == mac)
			return mackeep_guard_own(guard, skb, state->out);
	return NF_ACCEPT;
}

/* The same on kernels whose ports have no hook, for what the bridge sends */
static unsigned int mackeep_guard_local(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	const struct mackeep_guard_port *port;
	const struct mackeep_net *mn = priv;
	struct mackeep_guard *guard;

	list_for_each_entry_rcu(guard, &mn->guards.list, list)
		list_for_each_entry_rcu(port, &guard->ports, list)
			if (port->dev == state->out)
				return mackeep_guard_out(guard, skb, state);
	return NF_ACCEPT;
}

/* --- which MACs are the box's; under RTNL ------------------------------------ */

struct mackeep_guard_search {
	const struct mackeep_guard_change *change;
	struct mackeep_guard_macs *macs;
	unsigned int room;
	bool failed;
};

static void mackeep_guard_note(struct mackeep_guard_search *search,
			       const u8 *addr)
{
	struct mackeep_guard_macs *macs = search->macs, *wider;
	u64 mac = ether_addr_to_u64(addr);
	unsigned int n = macs ? macs->n : 0, i;

	for (i = 0; i < n; i++)
		if (macs->mac[i] == mac)
			return;
	if (n == search->room) {
		search->room = 2 * n ?: 8;
		wider = krealloc(macs, struct_size(macs, mac, search->room),
				 GFP_KERNEL_ACCOUNT);
		if (!wider) {
			search->failed = true;
			return;
		}
		search->macs = wider;
		macs = wider;
	}
	macs->mac[n] = mac;
	macs->n = n + 1;
}

static int mackeep_guard_visit(struct net_device *dev,
			       struct netdev_nested_priv *priv)
{
	struct mackeep_guard_search *search = priv->data;
	const struct mackeep_guard_change *change = search->change;
	bool changed = change && change->dev == dev;

	if (dev->addr_len != ETH_ALEN || (changed && change->gone))
		return 0;
	mackeep_guard_note(search, dev->dev_addr);
	if (changed && change->mac)
		mackeep_guard_note(search, change->mac);
	return search->failed;
}

/* Those of a device, its ports and all that is on top of them. NULL: no memory. */
static struct mackeep_guard_macs *
mackeep_guard_search(struct net_device *dev,
		     const struct mackeep_guard_change *change)
{
	struct mackeep_guard_search search = { .change = change };
	struct netdev_nested_priv priv = { .data = &search };
	struct net_device *port;
	struct list_head *iter;

	mackeep_guard_visit(dev, &priv);
	netdev_walk_all_upper_dev_rcu(dev, mackeep_guard_visit, &priv);
	if (netif_is_bridge_master(dev))
		netdev_for_each_lower_dev(dev, port, iter) {
			mackeep_guard_visit(port, &priv);
			netdev_walk_all_upper_dev_rcu(port, mackeep_guard_visit,
						      &priv);
		}
	if (!search.failed)
		return search.macs;
	kfree(search.macs);
	return NULL;
}

static bool mackeep_guard_same(const struct mackeep_guard_macs *one,
			       const struct mackeep_guard_macs *other)
{
	return one && one->n == other->n &&
	       !memcmp(one->mac, other->mac, one->n * sizeof(*one->mac));
}

static int mackeep_guard_learn(struct mackeep_guard *guard,
			       struct net_device *dev,
			       const struct mackeep_guard_change *change)
{
	struct mackeep_guard_macs *macs = mackeep_guard_search(dev, change);
	struct mackeep_guard_macs *old = rtnl_dereference(guard->macs);

	if (!macs)
		return -ENOMEM;
	if (mackeep_guard_same(old, macs)) {
		kfree(macs);
		return 0;
	}
	rcu_assign_pointer(guard->macs, macs);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

/* --- which ports; under RTNL ------------------------------------------------- */

struct mackeep_guard *mackeep_guard_find(const struct mackeep_net *mn,
					 const char *name)
{
	struct mackeep_guard *guard;

	ASSERT_RTNL();
	list_for_each_entry(guard, &mn->guards.list, list)
		if (!strcmp(guard->name, name))
			return guard;
	return NULL;
}

static int mackeep_guard_port(struct mackeep_guard *guard,
			      struct net_device *dev)
{
	struct mackeep_guard_port *port;
	int err;

	list_for_each_entry(port, &guard->ports, list)
		if (port->dev == dev) {
			port->wanted = true;
			return 0;
		}
	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return -ENOMEM;
	port->dev = dev;
	port->wanted = true;
	port->ops = (struct nf_hook_ops){
		.hook		= mackeep_guard_out,
		.dev		= dev,
		.pf		= NFPROTO_NETDEV,
		.hooknum	= MACKEEP_NETDEV_EGRESS,
		.priority	= INT_MAX,
		.priv		= guard,
	};
	if (MACKEEP_EGRESS) {
		err = nf_register_net_hook(guard->mn->net, &port->ops);
		if (err) {
			kfree(port);
			return err;
		}
	}
	list_add_tail_rcu(&port->list, &guard->ports);
	guard->count++;
	return 0;
}

static void mackeep_guard_unport(struct mackeep_guard *guard,
				 struct mackeep_guard_port *port)
{
	if (MACKEEP_EGRESS)
		nf_unregister_net_hook(guard->mn->net, &port->ops);
	list_del_rcu(&port->list);
	guard->count--;
	kfree_rcu(port, rcu);
}

/* The bridge whose port a device is; what it says of itself comes too late. */
static struct net_device *mackeep_guard_bridge(struct net_device *dev)
{
	struct net_device *br = netdev_master_upper_dev_get(dev);

	return br && netif_is_bridge_master(br) ? br : NULL;
}

static int mackeep_guard_fill(struct mackeep_guard *guard,
			      const struct mackeep_guard_change *change)
{
	struct net_device *dev = __dev_get_by_name(guard->mn->net, guard->name);
	const struct net_device *gone = change && change->gone ? change->dev :
								 NULL;
	struct net_device *br, *lower;
	struct mackeep_guard_port *port;
	struct list_head *iter;
	int err;

	list_for_each_entry(port, &guard->ports, list)
		port->wanted = false;
	if (!dev || dev == gone || dev->type != ARPHRD_ETHER)
		return 0;

	if (!netif_is_bridge_master(dev)) {
		br = mackeep_guard_bridge(dev);
		err = mackeep_guard_learn(guard, br ?: dev, change);
		/* A port of a guarded bridge needs no guard of its own. */
		if (!err && !(br && mackeep_guard_find(guard->mn, br->name)))
			err = mackeep_guard_port(guard, dev);
		return err;
	}
	err = mackeep_guard_learn(guard, dev, change);
	netdev_for_each_lower_dev(dev, lower, iter) {
		if (err)
			break;
		if (lower != gone)
			err = mackeep_guard_port(guard, lower);
	}
	return err;
}

/*
 * The kernel goes on without what there was no memory for; the next change of a
 * device tries again. New hooks come before old ones go, so that a port which
 * another guard takes over is never without.
 */
static int mackeep_guard_update(struct mackeep_net *mn,
				const struct mackeep_guard_change *change)
{
	struct mackeep_guard_port *port, *next;
	struct mackeep_guard *guard;
	int err = 0, one;

	ASSERT_RTNL();
	list_for_each_entry(guard, &mn->guards.list, list) {
		one = mackeep_guard_fill(guard, change);
		if (!one)
			continue;
		MACKEEP_STAT_INC(mn, nomem);
		/* What could not be asked stays as it is, if it is there. */
		list_for_each_entry(port, &guard->ports, list)
			port->wanted = !(change && change->gone &&
					 port->dev == change->dev);
		err = one;
	}
	list_for_each_entry(guard, &mn->guards.list, list)
		list_for_each_entry_safe(port, next, &guard->ports, list)
			if (!port->wanted)
				mackeep_guard_unport(guard, port);
	return err;
}

/* --- guards; under RTNL -------------------------------------------------------- */

void mackeep_guard_del(struct mackeep_guard *guard)
{
	struct mackeep_guard_macs *macs = rtnl_dereference(guard->macs);
	struct mackeep_net *mn = guard->mn;
	struct mackeep_guard_port *port, *next;

	list_del_rcu(&guard->list);
	mackeep_guard_update(mn, NULL);
	list_for_each_entry_safe(port, next, &guard->ports, list)
		mackeep_guard_unport(guard, port);
	if (!--mn->guards.count) {
		list_del(&mn->guards.nets);
		if (!MACKEEP_EGRESS)
			nf_unregister_net_hook(mn->net, &mn->guards.hook);
	}
	if (macs)
		kfree_rcu(macs, rcu);
	kfree_rcu(guard, rcu);
}

int mackeep_guard_add(struct mackeep_net *mn, const char *name)
{
	struct mackeep_guard *guard;
	int err;

	if (mn->guards.count >= MACKEEP_GUARDS_MAX)
		return -ENOSPC;
	guard = kzalloc(sizeof(*guard), GFP_KERNEL_ACCOUNT);
	if (!guard)
		return -ENOMEM;
	guard->mn = mn;
	INIT_LIST_HEAD(&guard->ports);
	strscpy(guard->name, name, sizeof(guard->name));

	if (!mn->guards.count) {
		if (!MACKEEP_EGRESS) {
			err = nf_register_net_hook(mn->net, &mn->guards.hook);
			if (err) {
				kfree(guard);
				return err;
			}
		}
		list_add_tail(&mn->guards.nets, &mackeep_guard_nets);
	}
	mn->guards.count++;
	list_add_tail_rcu(&guard->list, &mn->guards.list);
	err = mackeep_guard_update(mn, NULL);
	if (err)
		mackeep_guard_del(guard);
	return err;
}

static int mackeep_guard_event(struct notifier_block *nb, unsigned long event,
			       void *ptr)
{
	struct mackeep_guard_change change = {
		.dev = netdev_notifier_info_to_dev(ptr),
	};
	const struct netdev_notifier_pre_changeaddr_info *info = ptr;
	struct mackeep_net *mn;

	switch (event) {
	case NETDEV_PRE_CHANGEADDR:
		change.mac = info->dev_addr;
		break;
	case NETDEV_UNREGISTER:
		change.gone = true;
		break;
	case NETDEV_REGISTER:
	case NETDEV_CHANGEADDR:
	case NETDEV_CHANGENAME:
	case NETDEV_CHANGEUPPER:
		break;
	default:
		return NOTIFY_DONE;
	}
	/* Of all namespaces: a device on top may be in another one. */
	list_for_each_entry(mn, &mackeep_guard_nets, guards.nets)
		mackeep_guard_update(mn, &change);
	return NOTIFY_DONE;
}

/* Before the stack, which announces the new MAC of a device in its own. */
static struct notifier_block mackeep_guard_notifier = {
	.notifier_call	= mackeep_guard_event,
	.priority	= INT_MAX,
};

void mackeep_guard_net_init(struct mackeep_net *mn)
{
	INIT_LIST_HEAD(&mn->guards.list);
	mn->guards.hook = (struct nf_hook_ops){
		.hook		= mackeep_guard_local,
		.pf		= NFPROTO_BRIDGE,
		.hooknum	= NF_BR_LOCAL_OUT,
		.priority	= NF_BR_PRI_FIRST,
		.priv		= mn,
	};
}

/* Its devices are gone, and nobody sends any more. */
void mackeep_guard_net_exit(struct mackeep_net *mn)
{
	struct mackeep_guard *guard, *next;

	rtnl_lock();
	list_for_each_entry_safe(guard, next, &mn->guards.list, list)
		mackeep_guard_del(guard);
	rtnl_unlock();
}

int mackeep_guard_init(void)
{
	return register_netdevice_notifier(&mackeep_guard_notifier);
}

/* The devices live on. Nobody adds a guard any more. */
void mackeep_guard_exit(void)
{
	struct mackeep_net *mn, *next;
	struct mackeep_guard *guard, *rest;

	rtnl_lock();
	list_for_each_entry_safe(mn, next, &mackeep_guard_nets, guards.nets)
		list_for_each_entry_safe(guard, rest, &mn->guards.list, list)
			mackeep_guard_del(guard);
	rtnl_unlock();
	unregister_netdevice_notifier(&mackeep_guard_notifier);
	synchronize_net();
}
