// SPDX-License-Identifier: GPL-2.0-only
/* Findings about the policy route that delivers TPROXY's packets: policy. */
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "mend.h"
#include "numbers.h"
#include "rule.h"
#include "run.h"
#include "text.h"

/* The program runs, and nobody has told it to leave rules of others alone. */
static bool networkd_takes_rules(void)
{
	struct result active = RUN("systemctl", "-q", "is-active",
				   "systemd-networkd");
	struct result config = { 0 };
	bool takes = !active.status;

	run_free(&active);
	if (!takes)
		return false;
	config = RUN("systemd-analyze", "cat-config", "systemd/networkd.conf");
	takes = !strstr(config.out, "\nManageForeignRoutingPolicyRules=no") &&
		!strstr(config.out, "\nManageForeignRoutingPolicyRules=false");
	run_free(&config);
	return takes;
}

#define NETWORKD \
	", and systemd-networkd takes away rules that others made; networkd.conf(5) has ManageForeignRoutingPolicyRules=no against that"

/* networkd leaves rules of the kernel alone, so this one is to look like that. */
static void policy_missing(const struct probe *probe, int family, uint32_t mark)
{
	const char *ip = rule_ip(family);
	char *rule;

	rule = format("%s rule add fwmark 0x%x lookup %u protocol kernel && %s route replace local default dev lo table %u",
		      ip, mark, TABLE, ip, TABLE);
	found(BROKEN, "policy",
	      format("packets with TPROXY's mark 0x%x are not routed to this machine%s",
		     mark, networkd_takes_rules() ? NETWORKD : ""),
	      mend_by_up(probe, rule));
}

static void check_policy_of(const struct probe *probe, int family,
			    uint32_t mark)
{
	const char *ip = rule_ip(family), *table;
	uint32_t of, before;

	table = rule_table(family, mark, &of);
	if (!*table) {
		policy_missing(probe, family, mark);
		return;
	}
	before = rule_before(family, mark);
	if (before)
		found(BROKEN, "policy",
		      format("the rule for all packets without mark 0x%x takes those with TPROXY's mark 0x%x, too",
			     before, mark),
		      format("%s rule del fwmark 0x%x lookup %s && %s rule add fwmark 0x%x lookup %s protocol kernel",
			     ip, of, table, ip, of, table));
	if (!rule_local(family, table))
		found(BROKEN, "policy",
		      format("table %s, for TPROXY's mark 0x%x, has no local route",
			     table, mark),
		      mend_by_up(probe, format("%s route add local default dev lo table %s",
					       ip, table)));
}

/* True if an earlier TPROXY rule has the same mark. */
static bool marked_before(const struct probe *probe, unsigned int i)
{
	const struct tproxy *one = &probe->tproxy[i];
	unsigned int j;

	for (j = 0; j < i; j++)
		if (probe->tproxy[j].family == one->family &&
		    probe->tproxy[j].mark == one->mark)
			return true;
	return false;
}

void check_policy(const struct probe *probe)
{
	const struct tproxy *one;
	unsigned int i;

	for (i = 0; i < probe->tproxies; i++) {
		one = &probe->tproxy[i];
		if (one->mark && !marked_before(probe, i))
			check_policy_of(probe, one->family, one->mark);
	}
}
