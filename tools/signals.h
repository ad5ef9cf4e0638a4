/* SPDX-License-Identifier: GPL-2.0-only */
/* For commands that stay: signals as something to poll(2) for */
#ifndef _TOOLS_SIGNALS_H
#define _TOOLS_SIGNALS_H

/* Blocks SIGINT, SIGTERM and SIGCHLD; a descriptor that is readable when they come */
int signals_open(void);
/* How many of those that have come are to end the program */
unsigned int signals_read(int fd);

#endif /* _TOOLS_SIGNALS_H */
