/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps for a trunk whose VLANs have no devices. */
#ifndef _TOOLS_PLAN_VLAN_H
#define _TOOLS_PLAN_VLAN_H

#include <jansson.h>

#include "args.h"

void plan_vlans(json_t *plan, const struct args *args);
/*
 * The VLANs that args ask for and that one port of the bridge has, but the bridge
 * itself does not; none where it filters no VLANs.
 */
struct ports vlans_missing(const struct args *args);

#endif /* _TOOLS_PLAN_VLAN_H */
