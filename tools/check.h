/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The doctor: check.c reports what the others find. Each of their functions
 * looks for the findings that its name says, in what probe.c has seen.
 */
#ifndef _TOOLS_CHECK_H
#define _TOOLS_CHECK_H

#include "probe.h"

/* Worst first */
enum rank { BROKEN, WRONG, DOUBTFUL };

/* Takes both texts. */
void found(enum rank rank, const char *id, char *text, char *remedy);
/* The device that rules of a remedy are for */
const char *our_device(const struct probe *probe);

/* --- check-module.c ---------------------------------------------------------- */

void check_not_loaded(void);
void check_version(const struct module *module);

/* --- check-rules.c ----------------------------------------------------------- */

void check_lift(const struct probe *probe);
void check_forward(const struct probe *probe);
void check_redirect(const struct probe *probe);
void check_flowtable(const struct probe *probe);
/* The command that deletes a rule */
char *nft_delete(json_t *rule);

/* --- check-way.c --------------------------------------------------------------- */

void check_tproxy(const struct probe *probe);
void check_divert(const struct probe *probe);
void check_listeners(const struct probe *probe);
void check_policy(const struct probe *probe);
void check_upstream(const struct probe *probe);
void check_rp_filter(const struct probe *probe);
void check_bridge_nf(void);
void check_eapol(const struct probe *probe);

/* --- check-flows.c --------------------------------------------------------------- */

void check_flows(const struct probe *probe);
void check_own(const struct probe *probe);

#endif /* _TOOLS_CHECK_H */
