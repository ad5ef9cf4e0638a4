/* SPDX-License-Identifier: GPL-2.0-only */
/* The stations that a bridge was asked about. */
#ifndef _MACKEEP_ASKED_H
#define _MACKEEP_ASKED_H

#include <linux/types.h>

struct mackeep_net;

int mackeep_asked_start(struct mackeep_net *mn);
void mackeep_asked_stop(struct mackeep_net *mn);
void mackeep_asked_note(struct mackeep_net *mn, const u8 *mac);
void mackeep_asked_changed(struct mackeep_net *mn, const u8 *mac);
void mackeep_asked_init(void);

#endif /* _MACKEEP_ASKED_H */
