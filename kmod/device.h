/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that went, which have their names now, and who is a host. */
#ifndef _MACKEEP_DEVICE_H
#define _MACKEEP_DEVICE_H

#include <linux/netdevice.h>
#include <linux/spinlock.h>

struct mackeep_net;

struct mackeep_device {
	u32 ifindex;			/* 0: none */
	char name[IFNAMSIZ];
};

struct mackeep_devices {
	spinlock_t lock;		/* all of it but any */
	bool any;			/* read without */
	unsigned int next;
	struct mackeep_device gone[16];
};

bool mackeep_device_addressed(const struct net_device *dev, bool v6);
u32 mackeep_device_now(struct mackeep_net *mn, u32 ifindex);
void mackeep_device_net_init(struct mackeep_net *mn);
int mackeep_device_init(void);
void mackeep_device_exit(void);

#endif /* _MACKEEP_DEVICE_H */
