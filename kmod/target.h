/* SPDX-License-Identifier: GPL-2.0-only */
/* -j MACKEEP */
#ifndef _MACKEEP_TARGET_H
#define _MACKEEP_TARGET_H

int mackeep_target_init(void);
void mackeep_target_exit(void);

#endif /* _MACKEEP_TARGET_H */
