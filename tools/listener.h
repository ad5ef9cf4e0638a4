/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets of this network namespace that wait for clients. */
#ifndef _TOOLS_LISTENER_H
#define _TOOLS_LISTENER_H

#include <stdint.h>

enum listener { LISTENER_NONE, LISTENER_OPAQUE, LISTENER_TRANSPARENT };

/* Who listens on a port; transparent: with the option IP_TRANSPARENT */
enum listener listener_find(int family, int proto, uint16_t port);
/* The port of any transparent TCP listener, or 0 */
uint16_t listener_any(void);

#endif /* _TOOLS_LISTENER_H */
