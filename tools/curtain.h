/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules of nft that stand in for the kernel module while it is away. Nothing of
 * this box leaves by its bridges, and frames for its sockets stay where they are:
 * TCP sends both again.
 */
#ifndef _TOOLS_CURTAIN_H
#define _TOOLS_CURTAIN_H

#include <jansson.h>

/* Dies when there is no nft, or no bridge. */
void curtain_check(void);
/* Draws it; settings are those of memory.h. 0, or it has said what was wrong. */
int curtain_draw(const json_t *settings);
/* Frames that belong to the box, now that it is silent; elements of UDP flows */
int curtain_flows(const char *udp4, const char *udp6);
/* The module will not be back: frames pass, the box speaks in its own name only. */
int curtain_fail(void);
int curtain_open(void);

#endif /* _TOOLS_CURTAIN_H */
