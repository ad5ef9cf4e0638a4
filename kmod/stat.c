// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/net/stat/mackeep: a line of names, then a line per CPU, in decimal. The
 * first column is the number of pairs the namespace has now; it is on the first
 * CPU's line and 0 on the others, so that columns add up.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "net.h"
#include "stat.h"

static const char *const mackeep_stat_names[] = {
#define MACKEEP_STAT(name) #name,
#include "stat-names.h"
#undef MACKEEP_STAT
};

const char *mackeep_stat_name(unsigned int at)
{
	return mackeep_stat_names[at];
}

static int mackeep_stat_show(struct seq_file *seq, void *v)
{
	struct mackeep_net *mn = mackeep_net(seq_file_single_net(seq));
	unsigned int pairs = READ_ONCE(mn->pairs.count);
	const struct mackeep_stat *stat;
	int cpu, i;

	seq_puts(seq, "pairs");
	for (i = 0; i < MACKEEP_STAT_MAX; i++)
		seq_printf(seq, " %s", mackeep_stat_names[i]);
	seq_putc(seq, '\n');

	for_each_possible_cpu(cpu) {
		stat = per_cpu_ptr(mn->stat, cpu);
		seq_printf(seq, "%u", pairs);
		for (i = 0; i < MACKEEP_STAT_MAX; i++)
			seq_printf(seq, " %lu", READ_ONCE(stat->count[i]));
		seq_putc(seq, '\n');
		pairs = 0;
	}
	return 0;
}

int mackeep_stat_net_init(struct mackeep_net *mn)
{
	if (!proc_create_net_single("mackeep", 0444, mn->net->proc_net_stat,
				    mackeep_stat_show, NULL))
		return -ENOMEM;
	return 0;
}

void mackeep_stat_net_exit(struct mackeep_net *mn)
{
	remove_proc_entry("mackeep", mn->net->proc_net_stat);
}
