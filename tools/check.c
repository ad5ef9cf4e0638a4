// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep check: the doctor. Each check finds one thing that keeps MACs from
 * being kept, and the command that mends it. It changes nothing itself, but
 * for remembering the counters it has seen. Here is what is done with findings,
 * and those of the module's rule.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

struct finding {
	enum rank rank;
	unsigned int order;	/* as found, which follows a packet's way */
	const char *id;
	char *text;
	char *remedy;
};

static struct finding findings[128];
static unsigned int found_count;

void found(enum rank rank, const char *id, char *text, char *remedy)
{
	if (found_count == 128)
		return;
	findings[found_count] = (struct finding){ rank, found_count, id, text,
						  remedy };
	found_count++;
}

const char *our_device(const struct probe *probe)
{
	return probe->devices ? probe->device[0] : "br0";
}

/* --- rules --------------------------------------------------------------------------- */

static bool any_seen(void)
{
	return stat_value("saved") || stat_value("refreshed") ||
	       stat_value("noether") || stat_value("untracked") ||
	       stat_value("proto") || stat_value("helper") ||
	       stat_value("late");
}

static void check_rule(const struct probe *probe, const struct module *module)
{
	if (!module->rules)
		found(BROKEN, "rule",
		      format("there is no MACKEEP rule, nothing is kept"),
		      format("iptables -t mangle -I PREROUTING -i %s -j MACKEEP",
			     our_device(probe)));
	else if (stat_value("lifted") && !any_seen())
		found(BROKEN, "unmatched",
		      format("%llu frames were lifted, but no MACKEEP rule saw one",
			     (unsigned long long)stat_value("lifted")),
		      format("iptables -t mangle -I PREROUTING -i %s -j MACKEEP",
			     our_device(probe)));
}

/* --- the report ------------------------------------------------------------------------- */

static int worse(const void *a, const void *b)
{
	const struct finding *one = a, *other = b;

	return one->rank != other->rank ? (int)one->rank - (int)other->rank :
					  (int)one->order - (int)other->order;
}

static int report(const struct args *args)
{
	static const char *const rank[] = { "broken", "wrong", "doubtful" };
	const char *const colour[] = { red, yellow, cyan };
	unsigned int i;

	qsort(findings, found_count, sizeof(*findings), worse);
	if (args->out & OUT_JSON)
		json_begin();
	for (i = 0; i < found_count; i++) {
		const struct finding *one = &findings[i];

		if (args->out & OUT_JSON)
			json_print(json_pack("{s:s, s:s, s:s, s:s}", "id",
					     one->id, "rank", rank[one->rank],
					     "text", one->text, "remedy",
					     one->remedy));
		else
			printf("%s%s%s: %s; mend: %s%s%s\n", colour[one->rank],
			       one->id, plain, one->text, bold, one->remedy,
			       plain);
	}
	if (args->out & OUT_JSON)
		json_end();
	note("%u findings.", found_count);
	return found_count ? FAILED : DONE;
}

int cmd_check(struct args *args)
{
	struct module module;
	struct probe probe;

	if (geteuid())
		die(FAILED, "rules and routes: only root sees them all; run it as root");
	if (args->bridge && !if_nametoindex(args->bridge))
		die(FAILED, "bridge %s: no such device; \"ip link show type bridge\" tells which there are",
		    args->bridge);
	if (genl_module(&module)) {
		check_not_loaded();
		return report(args);
	}
	probe_make(&probe, args->bridge);
	check_version(&module);
	check_rule(&probe, &module);
	check_lift(&probe);
	check_forward(&probe);
	check_redirect(&probe);
	check_tproxy(&probe);
	check_divert(&probe);
	check_listeners(&probe);
	check_policy(&probe);
	check_upstream(&probe);
	check_rp_filter(&probe);
	check_bridge_nf();
	check_flowtable(&probe);
	check_flows(&probe);
	check_own(&probe);
	check_eapol(&probe);
	return report(args);
}

