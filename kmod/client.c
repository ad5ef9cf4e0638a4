// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client in the neighbour table, where programs ask who has which MAC, by SIOCGARP
 * or rtnetlink; see feed.c.
 *
 * An entry is stale, and marked as learned by somebody else than the stack. So the
 * stack neither drops it nor counts it for its limits: it comes and goes with the
 * client's pair, and there are no more than pairs. What the stack found out itself
 * stays, and what an admin has entered.
 *
 * All of it runs under rcu_read_lock(), mostly in softirq, and holds no lock: what
 * waits for a neighbour may be sent from here.
 */
#include <linux/etherdevice.h>
#include <net/arp.h>
#include <net/ndisc.h>
#include <net/neighbour.h>

#include "client.h"
#include "net.h"
#include "pair.h"

static struct neigh_table *
mackeep_client_table(const struct mackeep_pair_key *key)
{
	return key->family == NFPROTO_IPV6 ? &nd_tbl : &arp_tbl;
}

/* In contact with the stack, or an admin's, or of another program like us */
static bool mackeep_client_taken(const struct neighbour *n, bool fed)
{
	if (n->flags & NTF_EXT_LEARNED)
		return !fed;
	return READ_ONCE(n->nud_state) & (NUD_PERMANENT | NUD_NOARP |
					  NUD_REACHABLE | NUD_DELAY |
					  NUD_PROBE);
}

static bool mackeep_client_has(const struct neighbour *n,
			       const struct net_device *dev, const u8 *mac)
{
	u8 now[MAX_ADDR_LEN];

	if (!(n->flags & NTF_EXT_LEARNED) ||
	    !(READ_ONCE(n->nud_state) & NUD_VALID))
		return false;
	neigh_ha_snapshot(now, n, dev);
	return ether_addr_equal(now, mac);
}

/*
 * The client has this MAC; fed: it was there already. A client that was lost from
 * the table, as with a device that went down, is put there again. False: the entry is
 * not ours.
 */
bool mackeep_client_enter(struct mackeep_net *mn,
			  const struct mackeep_pair_key *key, const u8 *mac,
			  bool fed)
{
	struct net_device *dev = dev_get_by_index_rcu(mn->net, key->ifindex);
	struct neigh_table *tbl = mackeep_client_table(key);
	struct neighbour *n;
	bool ours;

	if (!dev || !(dev->flags & IFF_UP) || dev->addr_len != ETH_ALEN)
		return false;
	n = neigh_lookup(tbl, &key->client, dev);
	if (n && mackeep_client_taken(n, fed)) {
		neigh_release(n);
		return false;
	}
	if (!n)
		n = neigh_create(tbl, &key->client, dev);
	if (IS_ERR(n)) {
		MACKEEP_STAT_INC(mn, nomem);
		return false;
	}
	ours = mackeep_client_has(n, dev, mac);
	if (!ours && !neigh_update(n, mac, NUD_STALE,
				   NEIGH_UPDATE_F_OVERRIDE |
				   NEIGH_UPDATE_F_ADMIN |
				   NEIGH_UPDATE_F_EXT_LEARNED, 0)) {
		MACKEEP_STAT_INC(mn, fed);
		ours = true;
	}
	neigh_release(n);
	return ours;
}

/*
 * The client is not known any more. Nothing lets a module take an entry out of the
 * table. One that failed goes by itself; SIOCGARP would show its MAC until then.
 */
void mackeep_client_leave(struct mackeep_net *mn,
			  const struct mackeep_pair_key *key)
{
	struct net_device *dev = dev_get_by_index_rcu(mn->net, key->ifindex);
	static const u8 none[ETH_ALEN];
	struct neighbour *n;

	if (!dev)
		return;
	n = neigh_lookup(mackeep_client_table(key), &key->client, dev);
	if (!n)
		return;
	if (n->flags & NTF_EXT_LEARNED) {
		neigh_update(n, none, NUD_STALE,
			     NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
		neigh_update(n, NULL, NUD_FAILED,
			     NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
	}
	neigh_release(n);
}
