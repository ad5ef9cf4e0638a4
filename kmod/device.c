// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that were deleted and made again. The new one has another ifindex; its
 * name says that it is meant for the same network. Records that have the old
 * ifindex go on with the new one.
 *
 * The last few are remembered: bridges, VLAN devices and hardware, not what
 * containers come and go with. Written under RTNL, read in hooks.
 */
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>

#include "device.h"
#include "net.h"

static void mackeep_device_gone(struct mackeep_net *mn,
				const struct net_device *dev)
{
	struct mackeep_devices *devices = &mn->devices;
	struct mackeep_device *gone;

	spin_lock_bh(&devices->lock);
	gone = &devices->gone[devices->next++ % ARRAY_SIZE(devices->gone)];
	gone->ifindex = dev->ifindex;
	strscpy(gone->name, dev->name, sizeof(gone->name));
	WRITE_ONCE(devices->any, true);
	spin_unlock_bh(&devices->lock);
}

/*
 * Under rcu_read_lock(). Whether the box is a host by this device, and may ask who has
 * an address there: a bridge that has none would ask in nobody's name.
 */
bool mackeep_device_addressed(const struct net_device *dev, bool v6)
{
	const struct in_device *in4 = __in_dev_get_rcu(dev);
	const struct inet6_dev *in6 = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa;

	if (!v6)
		return in4 && rcu_access_pointer(in4->ifa_list);
	if (in6)
		list_for_each_entry_rcu(ifa, &in6->addr_list, if_list)
			if (!(ipv6_addr_type(&ifa->addr) & IPV6_ADDR_LINKLOCAL))
				return true;
	return false;
}

/* Under rcu_read_lock(). The ifindex that a device has now. */
u32 mackeep_device_now(struct mackeep_net *mn, u32 ifindex)
{
	struct mackeep_devices *devices = &mn->devices;
	const struct net_device *dev = NULL;
	int i;

	if (likely(!READ_ONCE(devices->any)))
		return ifindex;
	spin_lock_bh(&devices->lock);
	for (i = 0; i < ARRAY_SIZE(devices->gone); i++) {
		if (devices->gone[i].ifindex != ifindex)
			continue;
		dev = dev_get_by_name_rcu(mn->net, devices->gone[i].name);
		break;
	}
	spin_unlock_bh(&devices->lock);
	return dev ? dev->ifindex : ifindex;
}

static int mackeep_device_event(struct notifier_block *nb, unsigned long event,
				void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER &&
	    (netif_is_bridge_master(dev) || is_vlan_dev(dev) ||
	     dev->dev.parent))
		mackeep_device_gone(mackeep_net(dev_net(dev)), dev);
	return NOTIFY_DONE;
}

static struct notifier_block mackeep_device_notifier = {
	.notifier_call = mackeep_device_event,
};

void mackeep_device_net_init(struct mackeep_net *mn)
{
	spin_lock_init(&mn->devices.lock);
}

int mackeep_device_init(void)
{
	return register_netdevice_notifier(&mackeep_device_notifier);
}

void mackeep_device_exit(void)
{
	unregister_netdevice_notifier(&mackeep_device_notifier);
}
