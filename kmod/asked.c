// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stations that a bridge was asked about, for answers that are kept: whether a
 * flow may take the fast path (adopt.c), and slots (passup.c, ownport.c). A bridge
 * tells of each station that it learns or forgets, which in a large network happens
 * all the time. Only one that was asked about has its turn, which makes answers about
 * it old; see MACKEEP_GENID_FAST.
 *
 * The set is of MACs, by hash: one that stands in for another only makes answers old
 * that are not. Who is silent until a bridge forgets him has no packets that ask.
 *
 * Who asks reads the turn, adds to the set, and asks the bridge; what it finds holds for
 * that number. Who tells runs when the FDB has changed: it looks into the set, takes the
 * station out, and bumps its turn. So
 * - either the one who asks sees the change, or the one who tells sees the station:
 *   both have a full barrier between their write and their read;
 * - what another one has taken out meanwhile was added under the old number, or comes
 *   behind the reading of the new one, and so behind the taking out.
 *
 * Who asks is a hook, in any context; who tells, switchdev's notifier. Both run under
 * rcu_read_lock().
 */
#include <linux/bitmap.h>
#include <linux/etherdevice.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "asked.h"
#include "hash.h"
#include "net.h"

#define MACKEEP_ASKED_BITS	16

struct mackeep_asked {
	struct rcu_head rcu;		/* kvfree_rcu() wants it near the beginning */
	DECLARE_BITMAP(macs, 1 << MACKEEP_ASKED_BITS);
};

static u64 mackeep_asked_secret[2] __read_mostly;

/*
 * Who has one bit has one turn, or the one who is taken out would take others with him,
 * and they would not be told.
 */
static unsigned int mackeep_asked_bit(const u8 *mac)
{
	u64 hash = mackeep_hash(ether_addr_to_u64(mac) ^ mackeep_asked_secret[0],
				mackeep_asked_secret[1]);

	BUILD_BUG_ON(MACKEEP_ASKED_BITS < 8);

	return (hash >> (64 - MACKEEP_ASKED_BITS) & ~0xffU) | mac[ETH_ALEN - 1];
}

/* Under rcu_read_lock(). The station's turn has been read, and the bridge is asked next. */
void mackeep_asked_note(struct mackeep_net *mn, const u8 *mac)
{
	struct mackeep_asked *asked = rcu_dereference(mn->asked);
	unsigned int bit = mackeep_asked_bit(mac);

	smp_mb(); /* the number before the set */
	if (!test_bit(bit, asked->macs))
		set_bit(bit, asked->macs);
	smp_mb(); /* the set before the FDB */
}

/* Under rcu_read_lock(). What a bridge knows of that station has changed. */
void mackeep_asked_changed(struct mackeep_net *mn, const u8 *mac)
{
	struct mackeep_asked *asked = rcu_dereference(mn->asked);

	if (!asked)
		return;
	smp_mb(); /* the FDB before the set */
	if (test_and_clear_bit(mackeep_asked_bit(mac), asked->macs))
		mackeep_genid_bump_at(mn, mac);
}

int mackeep_asked_start(struct mackeep_net *mn)
{
	struct mackeep_asked *asked = kvzalloc(sizeof(*asked),
					       GFP_KERNEL_ACCOUNT);

	rcu_assign_pointer(mn->asked, asked);
	return asked ? 0 : -ENOMEM;
}

/* No packet asks any more. */
void mackeep_asked_stop(struct mackeep_net *mn)
{
	struct mackeep_asked *asked = rcu_dereference_protected(mn->asked, 1);

	RCU_INIT_POINTER(mn->asked, NULL);
	if (asked)
		kvfree_rcu(asked, rcu);
}

void mackeep_asked_init(void)
{
	get_random_bytes(mackeep_asked_secret, sizeof(mackeep_asked_secret));
}
