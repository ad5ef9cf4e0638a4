/* SPDX-License-Identifier: GPL-2.0-only */
/* What any netlink family answers; libmnl does the rest. */
#ifndef _TOOLS_NETLINK_H
#define _TOOLS_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

/* The size of the buffer that messages wait in; 0: as it is */
void netlink_buffer(struct mnl_socket *nl, int size);

/*
 * Hands each answer to a request to cb. Dies of an error, with the kernel's own
 * words. False: the table changed meanwhile, so that the dump is not exact.
 */
bool netlink_receive(struct mnl_socket *nl, unsigned int seq, mnl_cb_t cb,
		     void *data);

#endif /* _TOOLS_NETLINK_H */
