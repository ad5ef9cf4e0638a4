// SPDX-License-Identifier: GPL-2.0-only
/* Findings about tables that are full: pairs, conntrack. */
#include "checks.h"
#include "counters.h"
#include "finding.h"
#include "seen.h"
#include "state.h"
#include "text.h"

/* Percent: conntrack is said to be nearly full, and services close */
#define NEARLY		90
#define CLOSES		95

/* What the module takes for mackeep_pair_max */
#define PAIRS_MOST	16777216L

/* Twice as many; where that is not allowed, pairs have to go sooner. */
static char *more_pairs(long most)
{
	if (most < PAIRS_MOST)
		return format("sysctl -w net.netfilter.mackeep_pair_max=%ld",
			      most > PAIRS_MOST / 2 ? PAIRS_MOST : 2 * most);
	return format("sysctl -w net.netfilter.mackeep_pair_timeout=%ld",
		      probe_sysctl("net/netfilter/mackeep_pair_timeout") / 2);
}

void check_pairs(void)
{
	long most = probe_sysctl("net/netfilter/mackeep_pair_max");
	unsigned long long pairs = counter_value("pairs");
	unsigned long long refused = seen_since("pair_full");
	unsigned long long evicted = seen_since("pair_evicted");

	if (refused)
		found(WRONG, "pairs",
		      format("the pair cache is full, %llu of %ld: all are in use, and %llu were not learned since the last check",
			     pairs, most, refused), more_pairs(most));
	else if (evicted)
		found(DOUBTFUL, "pairs",
		      format("the pair cache is full, %llu of %ld: %llu were pushed out since the last check",
			     pairs, most, evicted), more_pairs(most));
	else if (most > 0 && pairs * 100 >= (unsigned long long)most * NEARLY)
		found(DOUBTFUL, "pairs",
		      format("the pair cache is nearly full: %llu of %ld",
			     pairs, most), more_pairs(most));
}

/* The limit is that of all namespaces, and set in the first. */
void check_conntrack(void)
{
	long count = probe_sysctl("net/netfilter/nf_conntrack_count");
	long most = probe_sysctl("net/netfilter/nf_conntrack_max");
	const char *where = *namespace_suffix() ? "nsenter -t 1 -n " : "";
	char *remedy;

	if (most <= 0 || count * 100 < most * NEARLY)
		return;
	remedy = format("%ssysctl -w net.netfilter.nf_conntrack_max=%ld", where,
			2 * most);
	if (count * 100 < most * CLOSES)
		found(DOUBTFUL, "conntrack",
		      format("the conntrack table is nearly full, %ld of %ld: services take nothing new from %d %% on",
			     count, most, CLOSES), remedy);
	else
		found(WRONG, "conntrack",
		      format("the conntrack table is full, %ld of %ld: services take nothing new",
			     count, most), remedy);
}
