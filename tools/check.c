// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep check: runs the checks. Each finds one kind of thing that keeps MACs
 * from being kept, and the command that mends it. They change nothing, except
 * that the counters they saw are remembered.
 */
#include <net/if.h>
#include <unistd.h>

#include "args.h"
#include "checks.h"
#include "commands.h"
#include "finding.h"
#include "say.h"
#include "seen.h"

static void look(const struct args *args)
{
	struct module module;
	struct probe probe;

	if (!genl_module(&module)) {
		check_not_loaded();
		return;
	}
	check_version(&module);
	if (check_rehearsal(args->bridge))
		return;
	probe_make(&probe, args->bridge);
	check_rule(&probe, &module);
	check_lift(&probe);
	check_narrow(&probe, &module);
	check_ports(&probe);
	check_forward(&probe);
	check_redirect(&probe);
	check_tproxy(&probe);
	check_divert(&probe);
	check_exempt(&probe);
	check_listeners(&probe);
	check_policy(&probe);
	check_firewall(&probe);
	check_upstream(&probe);
	check_rp_filter(&probe);
	check_bridge_nf();
	check_forwarding(&probe);
	check_flowtable(&probe);
	check_tagged(&probe);
	check_flows(&probe);
	check_own(&probe);
	check_pairs();
	check_conntrack();
	check_eapol(&probe);
	check_noisy(&probe);
}

int cmd_check(struct args *args)
{
	if (geteuid())
		die(FAILED, "rules and routes: only root sees them all; run it as root");
	if (args->bridge && !if_nametoindex(args->bridge))
		die(FAILED, "bridge %s: no such device; \"ip link show type bridge\" tells which there are",
		    args->bridge);
	if (args->watch)
		return check_watch(args, look);
	look(args);
	seen_save();
	return finding_report(args->out);
}
