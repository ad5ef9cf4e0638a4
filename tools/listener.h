/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets of this network namespace that wait for clients. */
#ifndef _TOOLS_LISTENER_H
#define _TOOLS_LISTENER_H

#include <stdint.h>

enum listener { LISTENER_NONE, LISTENER_OPAQUE, LISTENER_TRANSPARENT };

/* Who listens on a port; transparent: with the option IP_TRANSPARENT */
struct listeners {
	enum listener best;
	uint32_t opaque;		/* the inode of one that is not; 0: none */
	uint32_t beside;		/* of one that takes any address */
};

struct listeners listeners_find(int family, int proto, uint16_t port);
/* The port of any transparent TCP listener, or 0 */
uint16_t listener_any(void);

#endif /* _TOOLS_LISTENER_H */
