/* SPDX-License-Identifier: GPL-2.0-only */
/* What a bridge needs for a transparent proxy, as an array of steps. */
#ifndef _TOOLS_PLAN_H
#define _TOOLS_PLAN_H

#include <jansson.h>

#include "args.h"

/* Dies when the bridge is not fit for it. */
void plan_check(const struct args *args);
json_t *plan_make(const struct args *args);

#endif /* _TOOLS_PLAN_H */
