/* SPDX-License-Identifier: GPL-2.0-only */
/* Generic netlink family "mackeep", see include/linux/mackeep.h. */
#ifndef _MACKEEP_NETLINK_H
#define _MACKEEP_NETLINK_H

/* The family's multicast groups */
enum {
	MACKEEP_GROUP_SERVICES,
	MACKEEP_GROUP_LEFT,
};

int mackeep_netlink_init(void);
void mackeep_netlink_exit(void);

#endif /* _MACKEEP_NETLINK_H */
