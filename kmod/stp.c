// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports that do not forward, or not in some VLANs, as STP or MST say. What comes
 * in by one is the bridge's to drop; what would leave by one has to be left to
 * the bridge as well, not lifted.
 *
 * The bridge tells that only to holders of RTNL. So a work asks it about all
 * ports whenever the configuration of a bridge changes, and hooks read what it
 * found, under RCU. It never waits for RTNL: who waits for the work may hold it.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "net.h"
#include "stp.h"

struct mackeep_stp_port {
	u32 ifindex;
	DECLARE_BITMAP(vids, VLAN_N_VID);	/* in which it does not */
};

struct mackeep_stp_ports {
	struct rcu_head rcu;
	unsigned int count;
	struct mackeep_stp_port port[];
};

/* Under rcu_read_lock(). vid is that of the bridge's FDB. */
bool mackeep_stp_forwards(const struct mackeep_stp *stp,
			  const struct net_device *port, u16 vid)
{
	const struct mackeep_stp_ports *ports = rcu_dereference(stp->blocked);
	unsigned int i;

	if (likely(!ports))
		return true;
	for (i = 0; i < ports->count; i++)
		if (ports->port[i].ifindex == port->ifindex)
			return !test_bit(vid, ports->port[i].vids);
	return true;
}

/* Under RTNL. Where the port does not forward; false: nowhere. */
static bool mackeep_stp_ask(struct net_device *dev, unsigned long *vids)
{
	struct net_device *br = netdev_master_upper_dev_get(dev);

	if (!br)
		return false;
	if (mackeep_mst_blocked(br, dev, vids))
		return !bitmap_empty(vids, VLAN_N_VID);
	if (br_port_get_stp_state(dev) == BR_STATE_FORWARDING)
		return false;
	bitmap_fill(vids, VLAN_N_VID);
	return true;
}

/* Under RTNL. NULL: all ports forward; an error: not known. */
static struct mackeep_stp_ports *mackeep_stp_scan(struct mackeep_net *mn)
{
	struct mackeep_stp_ports *ports;
	struct mackeep_stp_port *port;
	struct net_device *dev;
	unsigned int n = 0;

	for_each_netdev(mn->net, dev)
		n += netif_is_bridge_port(dev);
	ports = n ? kvzalloc(struct_size(ports, port, n), GFP_KERNEL_ACCOUNT) :
		    NULL;
	if (!ports) {
		if (!n)
			return NULL;
		MACKEEP_STAT_INC(mn, nomem);
		return ERR_PTR(-ENOMEM);
	}
	for_each_netdev(mn->net, dev) {
		if (!netif_is_bridge_port(dev))
			continue;
		port = &ports->port[ports->count];
		port->ifindex = dev->ifindex;
		ports->count += mackeep_stp_ask(dev, port->vids);
	}
	if (ports->count)
		return ports;
	kvfree(ports);
	return NULL;
}

static void mackeep_stp_work(struct work_struct *work)
{
	struct mackeep_net *mn = container_of(to_delayed_work(work),
					      struct mackeep_net, stp.work);
	struct mackeep_stp_ports *old, *ports;

	if (!READ_ONCE(mn->stp.running))
		return;
	if (!rtnl_trylock()) {
		queue_delayed_work(system_wq, &mn->stp.work, 1);
		return;
	}
	old = rtnl_dereference(mn->stp.blocked);
	ports = mackeep_stp_scan(mn);
	rcu_assign_pointer(mn->stp.blocked, IS_ERR(ports) ? NULL : ports);
	/* Behind what was found, for mackeep_stp_sure() */
	smp_store_release(&mn->stp.changed, IS_ERR(ports));
	rtnl_unlock();
	mackeep_genid_bump(mn);
	if (old)
		kvfree_rcu(old, rcu);
}

/* The configuration of a bridge has changed. Under RTNL, but for the first time. */
void mackeep_stp_changed(struct mackeep_net *mn)
{
	WRITE_ONCE(mn->stp.changed, true);
	if (READ_ONCE(mn->stp.running))
		mod_delayed_work(system_wq, &mn->stp.work, 0);
}

void mackeep_stp_start(struct mackeep_net *mn)
{
	WRITE_ONCE(mn->stp.running, true);
	mackeep_stp_changed(mn);
}

/* May sleep; nobody looks any more. */
void mackeep_stp_stop(struct mackeep_net *mn)
{
	WRITE_ONCE(mn->stp.running, false);
	/* Who saw it run may start the work once more. */
	cancel_delayed_work_sync(&mn->stp.work);
	kvfree(rcu_replace_pointer(mn->stp.blocked, NULL, true));
}

void mackeep_stp_net_init(struct mackeep_net *mn)
{
	INIT_DELAYED_WORK(&mn->stp.work, mackeep_stp_work);
}
