/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a service's listener has room. */
#ifndef _MACKEEP_BACKLOG_H
#define _MACKEEP_BACKLOG_H

#include <linux/types.h>

struct mackeep_net;
struct mackeep_service;
struct sock;

bool mackeep_backlog_full(const struct mackeep_net *mn,
			  struct mackeep_service *service, struct sock *sk);

#endif /* _MACKEEP_BACKLOG_H */
