// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bridge floods what this box sends to a station that it does not know, and
 * the copies carry the MAC of another station. The one for the port where that
 * station is must not leave: the switch there would learn that it has moved to
 * this box, and a port with port security would be shut. A frame that comes in
 * by a port is never sent back by it, unless that is in hairpin mode, nor from
 * one isolated port to another, so the same is done for what we send in a
 * station's name.
 *
 * A hook where copies leave drops that one. All that the box sends by any bridge
 * would pay for it, and floods are rare: it is there from the first frame that
 * is flooded, which waits for it, until there was none for a while. Whether it
 * will be flooded is asked of the FDB: for a flow on the fast path when the FDB
 * has changed, for other frames between two stations once per jiffy as well.
 *
 * Who may run at once: packets in the hooks of fast.c, on any CPU, under
 * rcu_read_lock(); the work, which alone puts the hook in place and takes it
 * away; whoever starts and stops the namespace, under mackeep_net_mutex; and
 * switchdev's notifiers, which only bump the genid, if at all.
 * A packet that has seen "guarded" is sent before the hook goes.
 */
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>
#include <net/switchdev.h>

#include "asked.h"
#include "bridge.h"
#include "hash.h"
#include "net.h"
#include "ownport.h"
#include "station.h"
#include "stp.h"
#include "tag.h"

#define MACKEEP_OWNPORT_HELD	256		/* frames that wait, at most */
#define MACKEEP_OWNPORT_QUIET	(30 * HZ)	/* without a flood */

static u64 mackeep_ownport_key[2] __read_mostly;

static const struct net_device *
mackeep_ownport_at(struct mackeep_net *mn, const struct net_device *br,
		   const u8 *mac, u16 vid)
{
	return mackeep_station_port(mn, br, mac, vid,
				    mackeep_bridge_port(br, mac, vid));
}

/* Whether a frame of a station at one port may leave by another; counted. */
static bool mackeep_ownport_may(struct mackeep_net *mn,
				const struct net_device *from,
				const struct net_device *to)
{
	if (mackeep_bridge_connects(from, to))
		return true;
	if (from == to)
		MACKEEP_STAT_INC(mn, ownport);
	else
		MACKEEP_STAT_INC(mn, isolated);
	return false;
}

/* Under rcu_read_lock(), softirqs are off. */
static unsigned int mackeep_ownport_out(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	struct net_device *port = state->out, *br;
	const struct net_device *from, *to;
	const struct ethhdr *eth = eth_hdr(skb);
	struct mackeep_net *mn = priv;
	u16 vid = 0;

	/* The FDB has this box's own addresses as well. */
	if ((skb->protocol != htons(ETH_P_IP) &&
	     skb->protocol != htons(ETH_P_IPV6)) ||
	    is_multicast_ether_addr(eth->h_dest) ||
	    ether_addr_equal(eth->h_source, port->dev_addr))
		return NF_ACCEPT;

	br = netdev_master_upper_dev_get_rcu(port);
	if (!br || ether_addr_equal(eth->h_source, br->dev_addr))
		return NF_ACCEPT;
	if (br_vlan_enabled(br)) {
		if (skb_vlan_tag_present(skb))
			vid = skb_vlan_tag_get_id(skb);
		else if (br_vlan_get_pvid_rcu(port, &vid))
			return NF_ACCEPT;
	}
	from = mackeep_ownport_at(mn, br, eth->h_source, vid);
	if (from)
		return mackeep_ownport_may(mn, from, port) ? NF_ACCEPT :
							     NF_DROP;
	/* It may be at any port but the one where the other end is. */
	to = mackeep_ownport_at(mn, br, eth->h_dest, vid);
	if (!to || to == port)
		return NF_ACCEPT;
	MACKEEP_STAT_INC(mn, ownport);
	return NF_DROP;
}

static void mackeep_ownport_send(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	dev_queue_xmit(skb);
	dev_put(dev);
}

static void mackeep_ownport_discard(struct mackeep_net *mn)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&mn->ownport.held))) {
		MACKEEP_STAT_INC(mn, dropped);
		dev_put(skb->dev);
		kfree_skb(skb);
	}
}

static void mackeep_ownport_work(struct work_struct *work)
{
	struct mackeep_ownport *own = container_of(work, struct mackeep_ownport,
						   work.work);
	struct mackeep_net *mn = container_of(own, struct mackeep_net, ownport);
	struct sk_buff *skb;

	if (READ_ONCE(own->closed) ||
	    (!own->guarded && nf_register_net_hook(mn->net, &own->hook))) {
		mackeep_ownport_discard(mn);
		return;
	}
	WRITE_ONCE(own->guarded, true);
	while ((skb = skb_dequeue(&own->held)))
		mackeep_ownport_send(skb);

	if (time_before(jiffies,
			READ_ONCE(own->flooded) + MACKEEP_OWNPORT_QUIET)) {
		queue_delayed_work(system_wq, &own->work,
				   MACKEEP_OWNPORT_QUIET / 3);
		return;
	}
	WRITE_ONCE(own->guarded, false);
	synchronize_net();
	nf_unregister_net_hook(mn->net, &own->hook);
}

static int mackeep_ownport_hold(struct mackeep_net *mn, struct sk_buff *skb)
{
	struct mackeep_ownport *own = &mn->ownport;

	if (READ_ONCE(own->closed) ||
	    skb_queue_len_lockless(&own->held) >= MACKEEP_OWNPORT_HELD) {
		MACKEEP_STAT_INC(mn, dropped);
		kfree_skb(skb);
		return -ENOBUFS;
	}
	skb_dst_force(skb);
	dev_hold(skb->dev);
	skb_queue_tail(&own->held, skb);
	mod_delayed_work(system_wq, &own->work, 0);
	return 0;
}

/*
 * Under rcu_read_lock(). Whether nothing of the above can happen to frames of a
 * VLAN between these stations, either way: the bridge knows them, at two ports that
 * it connects. Holds for the genid and the turns of both.
 */
bool mackeep_ownport_apart(struct mackeep_net *mn, const struct net_device *br,
			   u32 vlan, const u8 *src, const u8 *dst)
{
	const struct net_device *from, *to;
	u16 vid;

	/* Without switchdev nobody tells when that changes. */
	if (!IS_ENABLED(CONFIG_NET_SWITCHDEV) ||
	    mackeep_bridge_of(br, vlan, &vid) != br)
		return false;
	mackeep_asked_note(mn, src);
	mackeep_asked_note(mn, dst);
	from = mackeep_bridge_port(br, src, vid);
	to = mackeep_bridge_port(br, dst, vid);
	return from && to && from != to && mackeep_bridge_connects(from, to) &&
	       mackeep_station_port(mn, br, src, vid, from) == from &&
	       mackeep_station_port(mn, br, dst, vid, to) == to;
}

static u64 *mackeep_ownport_slot(const struct mackeep_net *mn, u64 pair)
{
	return &mn->slots->known[pair >> (64 - MACKEEP_SLOTS_BITS)];
}

/* Consumes skb. */
static int mackeep_ownport_ask(struct mackeep_net *mn, struct sk_buff *skb,
			       u64 pair)
{
	const struct ethhdr *eth = (struct ethhdr *)skb->data;
	const struct net_device *br, *from, *to;
	u16 vid;

	br = mackeep_bridge_of(skb->dev, mackeep_tag_bridged(skb), &vid);
	if (br && !ether_addr_equal(eth->h_source, br->dev_addr)) {
		mackeep_asked_note(mn, eth->h_source);
		mackeep_asked_note(mn, eth->h_dest);
		from = mackeep_ownport_at(mn, br, eth->h_source, vid);
		to = mackeep_bridge_port(br, eth->h_dest, vid);
		if (from && to && !mackeep_ownport_may(mn, from, to)) {
			kfree_skb(skb);
			return 0;
		}
		if (!to && (from || mackeep_ownport_at(mn, br, eth->h_dest,
						       vid))) {
			WRITE_ONCE(mn->ownport.flooded, jiffies);
			if (!READ_ONCE(mn->ownport.guarded))
				return mackeep_ownport_hold(mn, skb);
		}
	}
	WRITE_ONCE(*mackeep_ownport_slot(mn, pair), pair);
	return dev_queue_xmit(skb);
}

/*
 * As dev_queue_xmit(), for a packet with its Ethernet header. A slot with the
 * two stations, device, tag and this jiffy: the bridge has been asked already.
 */
int mackeep_ownport_xmit(struct mackeep_net *mn, struct sk_buff *skb)
{
	u64 from = get_unaligned((u32 *)(skb->data + 8));
	u64 to = get_unaligned((u64 *)skb->data);
	u64 pair, moment;

	from |= (u64)((u32)skb->dev->ifindex ^ skb_vlan_all(skb)) << 32;
	pair = mackeep_hash(to ^ mackeep_ownport_key[0],
			    from ^ mackeep_ownport_key[1]);
	moment = jiffies + mackeep_genid(mn) +
		 mackeep_genid_turns(mn, skb->data + ETH_ALEN, skb->data);
	pair = (pair & ~0xfffffULL) | (moment & 0xfffff);
	if (likely(READ_ONCE(*mackeep_ownport_slot(mn, pair)) == pair))
		return dev_queue_xmit(skb);
	return mackeep_ownport_ask(mn, skb, pair);
}

void mackeep_ownport_start(struct mackeep_net *mn)
{
	mn->ownport.closed = false;
}

/* Packets may still be in a hook and call for the work, which then does nothing. */
void mackeep_ownport_close(struct mackeep_net *mn)
{
	struct mackeep_ownport *own = &mn->ownport;

	WRITE_ONCE(own->closed, true);
	cancel_delayed_work_sync(&own->work);
	if (own->guarded)
		nf_unregister_net_hook(mn->net, &own->hook);
	WRITE_ONCE(own->guarded, false);
}

/* No packet may be in a hook any more. */
void mackeep_ownport_stop(struct mackeep_net *mn)
{
	cancel_delayed_work_sync(&mn->ownport.work);
	mackeep_ownport_discard(mn);
}

void mackeep_ownport_net_init(struct mackeep_net *mn)
{
	struct mackeep_ownport *own = &mn->ownport;

	skb_queue_head_init(&own->held);
	INIT_DELAYED_WORK(&own->work, mackeep_ownport_work);
	own->hook = (struct nf_hook_ops){
		.hook		= mackeep_ownport_out,
		.pf		= NFPROTO_BRIDGE,
		.hooknum	= NF_BR_LOCAL_OUT,
		.priority	= NF_BR_PRI_FIRST,
		.priv		= mn,
	};
}

static const u8 *
mackeep_ownport_station(const struct switchdev_notifier_info *info)
{
	return container_of(info, struct switchdev_notifier_fdb_info,
			    info)->addr;
}

/* A station of a bridge is known, forgotten, or at another port. */
static int mackeep_ownport_fdb(struct notifier_block *nb, unsigned long event,
			       void *data)
{
	const struct switchdev_notifier_info *info = data;

	if (event == SWITCHDEV_FDB_ADD_TO_DEVICE ||
	    event == SWITCHDEV_FDB_DEL_TO_DEVICE)
		mackeep_asked_changed(mackeep_net(dev_net(info->dev)),
				      mackeep_ownport_station(info));
	return NOTIFY_DONE;
}

/* A bridge's configuration has changed, its VLANs or STP maybe. */
static int mackeep_ownport_setup(struct notifier_block *nb, unsigned long event,
				 void *data)
{
	const struct switchdev_notifier_info *info = data;
	struct mackeep_net *mn = mackeep_net(dev_net(info->dev));

	mackeep_stp_changed(mn);
	mackeep_genid_bump(mn);
	return NOTIFY_DONE;
}

static struct notifier_block mackeep_ownport_fdb_nb = {
	.notifier_call	= mackeep_ownport_fdb,
};

static struct notifier_block mackeep_ownport_setup_nb = {
	.notifier_call	= mackeep_ownport_setup,
};

int mackeep_ownport_init(void)
{
	int err;

	get_random_bytes(mackeep_ownport_key, sizeof(mackeep_ownport_key));
	err = register_switchdev_notifier(&mackeep_ownport_fdb_nb);
	if (err)
		return err;
	err = register_switchdev_blocking_notifier(&mackeep_ownport_setup_nb);
	if (err)
		unregister_switchdev_notifier(&mackeep_ownport_fdb_nb);
	return err;
}

void mackeep_ownport_exit(void)
{
	unregister_switchdev_blocking_notifier(&mackeep_ownport_setup_nb);
	unregister_switchdev_notifier(&mackeep_ownport_fdb_nb);
}
