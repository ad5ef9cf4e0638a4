/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports that STP or MST keeps from forwarding. */
#ifndef _MACKEEP_STP_H
#define _MACKEEP_STP_H

#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

struct mackeep_net;

struct mackeep_stp {
	struct mackeep_stp_ports __rcu *blocked;	/* NULL: none */
	bool running;
	bool changed;			/* since ports were asked, see stp.c */
	struct delayed_work work;
};

bool mackeep_stp_forwards(const struct mackeep_stp *stp,
			  const struct net_device *port, u16 vid);

/* The same, without VLANs, when nothing has changed since it was asked. */
static __always_inline bool mackeep_stp_sure(const struct mackeep_stp *stp,
					     const struct net_device *port)
{
	/* Before what was found: mackeep_stp_work() */
	return !smp_load_acquire(&stp->changed) &&
	       (likely(!rcu_access_pointer(stp->blocked)) ||
		mackeep_stp_forwards(stp, port, 0));
}

void mackeep_stp_changed(struct mackeep_net *mn);
void mackeep_stp_start(struct mackeep_net *mn);
void mackeep_stp_stop(struct mackeep_net *mn);
void mackeep_stp_net_init(struct mackeep_net *mn);

#endif /* _MACKEEP_STP_H */
