/* SPDX-License-Identifier: GPL-2.0-only */
/* Services, as they open and close */
#ifndef _TOOLS_SERVICES_H
#define _TOOLS_SERVICES_H

struct args;

#include <jansson.h>

int services_monitor(const struct args *args);

/* The services, as an array of objects; empty without the module. */
json_t *services_read(void);
/* Makes one of these, or if it is there sets what can be set. */
void services_write(const json_t *service, bool bypass);

#endif /* _TOOLS_SERVICES_H */
