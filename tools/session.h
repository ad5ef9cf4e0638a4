/* SPDX-License-Identifier: GPL-2.0-only */
/* What a transparent proxy on this machine still has under way. */
#ifndef _TOOLS_SESSION_H
#define _TOOLS_SESSION_H

#include "values.h"

/*
 * The number of sessions with servers on these ports. TCP: what the proxy has
 * closed counts until its last byte has arrived; TIME_WAIT does not. UDP: the
 * sockets that the proxy has for a client or a server.
 */
unsigned long session_count(int proto, const struct ports *ports);

#endif /* _TOOLS_SESSION_H */
