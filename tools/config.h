/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of "mackeep up" as the state file has them */
#ifndef _TOOLS_CONFIG_H
#define _TOOLS_CONFIG_H

#include <jansson.h>

#include "args.h"

json_t *config_json(const struct args *args);
/* The way back; false: there is something in it that this version does not know. */
bool config_args(struct args *args, const json_t *config);

#endif /* _TOOLS_CONFIG_H */
