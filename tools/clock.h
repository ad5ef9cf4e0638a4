/* SPDX-License-Identifier: GPL-2.0-only */
/* Time that only goes forward, in milliseconds */
#ifndef _TOOLS_CLOCK_H
#define _TOOLS_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define NEVER	INT64_MAX

static inline int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static inline int64_t clock_first(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* What poll(2) takes to wait until then */
static inline int clock_until(int64_t when)
{
	int64_t left = when - clock_ms();

	if (when == NEVER)
		return -1;
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

#endif /* _TOOLS_CLOCK_H */
