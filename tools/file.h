/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files, as those of /proc and /sys are. */
#ifndef _TOOLS_FILE_H
#define _TOOLS_FILE_H

#include <stddef.h>

/* The first line, without its end; NULL: the file cannot be read. */
char *file_line(const char *name, char *text, size_t size);

#endif /* _TOOLS_FILE_H */
