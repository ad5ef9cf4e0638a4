/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports that STP or MST keeps from forwarding. */
#ifndef _MACKEEP_STP_H
#define _MACKEEP_STP_H

#include <linux/netdevice.h>
#include <linux/workqueue.h>

struct mackeep_net;

struct mackeep_stp {
	struct mackeep_stp_ports __rcu *blocked;	/* NULL: none */
	bool running;
	bool changed;			/* since ports were asked, see stp.c */
	struct delayed_work work;
};

bool mackeep_stp_forwards(const struct mackeep_net *mn,
			  const struct net_device *port, u16 vid);
void mackeep_stp_changed(struct mackeep_net *mn);
void mackeep_stp_start(struct mackeep_net *mn);
void mackeep_stp_stop(struct mackeep_net *mn);
void mackeep_stp_net_init(struct mackeep_net *mn);

#endif /* _MACKEEP_STP_H */
