/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has a socket */
#ifndef _TOOLS_PROGRAM_H
#define _TOOLS_PROGRAM_H

#include <stdint.h>

struct program {
	int pid;			/* 0: nobody that can be seen here */
	char name[16];			/* fit to be printed */
};

/* The first process that has the socket of this inode */
struct program program_of(uint32_t inode);

#endif /* _TOOLS_PROGRAM_H */
