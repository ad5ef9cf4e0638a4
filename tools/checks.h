/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checks that check.c runs. Each looks for the findings of its name in what
 * probe.c has seen.
 */
#ifndef _TOOLS_CHECKS_H
#define _TOOLS_CHECKS_H

#include "genl.h"
#include "probe.h"

struct args;

/* --- check-module.c ---------------------------------------------------------- */

void check_not_loaded(void);
void check_version(const struct module *module);

/* --- check-rehearsal.c ------------------------------------------------------- */

/* True: nothing is to be lifted, and the other checks have nothing to look at. */
bool check_rehearsal(const char *bridge);

/* --- check-lift.c ------------------------------------------------------------ */

void check_lift(const struct probe *probe);

/* --- check-rules.c ----------------------------------------------------------- */

void check_rule(const struct probe *probe, const struct module *module);
void check_redirect(const struct probe *probe);
void check_flowtable(const struct probe *probe);

/* --- check-proxy.c ----------------------------------------------------------- */

void check_tproxy(const struct probe *probe);
void check_divert(const struct probe *probe);
void check_listeners(const struct probe *probe);

/* --- check-policy.c ---------------------------------------------------------- */

void check_policy(const struct probe *probe);

/* --- check-exempt.c ---------------------------------------------------------- */

void check_exempt(const struct probe *probe);

/* --- check-bridge.c ---------------------------------------------------------- */

void check_upstream(const struct probe *probe);
void check_rp_filter(const struct probe *probe);
void check_bridge_nf(void);
void check_forwarding(const struct probe *probe);
void check_eapol(const struct probe *probe);
void check_noisy(const struct probe *probe);

/* --- check-forward.c, check-narrow.c, check-ports.c, check-tagged.c ---------- */

void check_forward(const struct probe *probe);
void check_narrow(const struct probe *probe, const struct module *module);
void check_ports(const struct probe *probe);
void check_tagged(const struct probe *probe);

/* --- check-firewall.c -------------------------------------------------------- */

void check_firewall(const struct probe *probe);

/* --- check-flows.c ----------------------------------------------------------- */

void check_flows(const struct probe *probe);

/* --- check-own.c ------------------------------------------------------------- */

void check_own(const struct probe *probe);

/* --- check-tables.c ---------------------------------------------------------- */

void check_pairs(void);
void check_conntrack(void);

/* --- check-watch.c ----------------------------------------------------------- */

/* Stays, and has all of the above done again and again. Returns the exit status. */
int check_watch(const struct args *args, void (*look)(const struct args *));

#endif /* _TOOLS_CHECKS_H */
