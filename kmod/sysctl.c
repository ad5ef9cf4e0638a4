// SPDX-License-Identifier: GPL-2.0-only
/* net.netfilter.mackeep_*, per namespace; module parameters give defaults. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "net.h"
#include "sysctl.h"
#include "tag.h"

static char *lift_mark = "0x4d4b";
module_param(lift_mark, charp, 0444);
MODULE_PARM_DESC(lift_mark,
		 "mark of bridge frames to lift, value[/mask]; 0/0: none");

static unsigned int pair_max;
module_param(pair_max, uint, 0444);
MODULE_PARM_DESC(pair_max,
		 "most entries of the pair cache; 0: as many as conntrack has");

static unsigned int pair_timeout = 300;
module_param(pair_timeout, uint, 0444);
MODULE_PARM_DESC(pair_timeout, "seconds an unused pair is kept");

static bool neigh = true;
module_param(neigh, bool, 0444);
MODULE_PARM_DESC(neigh, "take MACs from the neighbour table where none were learned");

static unsigned int mackeep_pair_max_min = 2;
static unsigned int mackeep_pair_max_max = MACKEEP_PAIR_MAX;
static unsigned int mackeep_pair_timeout_min = 16;
static unsigned int mackeep_pair_timeout_max = 7 * 24 * 3600;

/* "value" or "value/mask"; a value with bits outside its mask never matches. */
static int mackeep_sysctl_parse_mark(char *text, u32 *mark, u32 *mask)
{
	char *slash;
	int err;

	text = strim(text);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';

	err = kstrtou32(text, 0, mark);
	if (err)
		return err;
	*mask = U32_MAX;
	if (slash) {
		err = kstrtou32(slash, 0, mask);
		if (err)
			return err;
	}
	return *mark & ~*mask ? -EINVAL : 0;
}

/*
 * Mark and mask are two words: a frame just passing may see one of the old and
 * one of the new, which is no worse than having come a moment earlier or later
 * under an unluckier pair of settings.
 */
static int mackeep_sysctl_lift_mark(MACKEEP_CTL_CONST struct ctl_table *ctl,
				    int write, void *buffer, size_t *lenp,
				    loff_t *ppos)
{
	struct mackeep_net *mn = ctl->extra1;
	char text[32];
	struct ctl_table tmp = { .data = text, .maxlen = sizeof(text) };
	u32 mark, mask;
	int err;

	snprintf(text, sizeof(text), "0x%x/0x%x", mn->lift_mark, mn->lift_mask);
	if (write && *ppos)
		return -EINVAL;
	if (write && *lenp >= sizeof(text))
		return -EINVAL;

	err = proc_dostring(&tmp, write, buffer, lenp, ppos);
	if (err || !write)
		return err;

	err = mackeep_sysctl_parse_mark(text, &mark, &mask);
	if (err)
		return err;
	WRITE_ONCE(mn->lift_mark, mark);
	WRITE_ONCE(mn->lift_mask, mask);
	return 0;
}

/* What is read is the limit; to write just that changes nothing. 0: by itself */
static int mackeep_sysctl_pair_max(MACKEEP_CTL_CONST struct ctl_table *ctl,
				   int write, void *buffer, size_t *lenp,
				   loff_t *ppos)
{
	struct mackeep_net *mn = ctl->extra1;
	unsigned int now = mackeep_pair_limit(mn), want = now;
	struct ctl_table tmp = {
		.data	= &want,
		.maxlen	= sizeof(want),
		.extra1	= SYSCTL_ZERO,
		.extra2	= &mackeep_pair_max_max,
	};
	int err;

	err = proc_douintvec_minmax(&tmp, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	if (want && want < mackeep_pair_max_min)
		return -EINVAL;
	if (want != now)
		WRITE_ONCE(mn->pair_max, want);
	return 0;
}

/* 0 or 1, and something has to be done for it */
struct mackeep_sysctl_switch {
	size_t now;			/* offset of the bool that says so */
	int (*set)(struct mackeep_net *mn, bool on);
};

static const struct mackeep_sysctl_switch mackeep_sysctl_hooks = {
	offsetof(struct mackeep_net, dflt.wanted), mackeep_default_hook,
};

static const struct mackeep_sysctl_switch mackeep_sysctl_steer = {
	offsetof(struct mackeep_net, steer.on), mackeep_steer_set,
};

static const struct mackeep_sysctl_switch mackeep_sysctl_feed = {
	offsetof(struct mackeep_net, feed.on), mackeep_feed_set,
};

static const struct mackeep_sysctl_switch mackeep_sysctl_lift_vlan = {
	offsetof(struct mackeep_net, lift_vlan), mackeep_tag_set,
};

static int mackeep_sysctl_turn(MACKEEP_CTL_CONST struct ctl_table *ctl,
			       int write, void *buffer, size_t *lenp,
			       loff_t *ppos)
{
	const struct mackeep_sysctl_switch *one = ctl->extra1;
	struct mackeep_net *mn = ctl->data;
	unsigned int want = READ_ONCE(*((bool *)((char *)mn + one->now)));
	struct ctl_table tmp = {
		.data	= &want,
		.maxlen	= sizeof(want),
		.extra1	= SYSCTL_ZERO,
		.extra2	= SYSCTL_ONE,
	};
	int err;

	err = proc_douintvec_minmax(&tmp, write, buffer, lenp, ppos);
	if (err || !write)
		return err;

	mutex_lock(&mackeep_net_mutex);
	err = one->set(mn, want);
	mutex_unlock(&mackeep_net_mutex);
	return err;
}

/* The last, empty slot ends the table for kernels that look for an end. */
static const struct ctl_table mackeep_sysctls[] = {
	{
		.procname	= "mackeep_lift_mark",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_lift_mark,
	},
	{
		.procname	= "mackeep_pair_max",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_pair_max,
	},
	{
		.procname	= "mackeep_pair_timeout",
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= &mackeep_pair_timeout_min,
		.extra2		= &mackeep_pair_timeout_max,
	},
	{
		.procname	= "mackeep_neigh",
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "mackeep_hooks",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_turn,
		.extra1		= (void *)&mackeep_sysctl_hooks,
	},
	{
		.procname	= "mackeep_steer",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_turn,
		.extra1		= (void *)&mackeep_sysctl_steer,
	},
	{
		.procname	= "mackeep_feed_neigh",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_turn,
		.extra1		= (void *)&mackeep_sysctl_feed,
	},
	{
		.procname	= "mackeep_lift_vlan",
		.mode		= 0644,
		.proc_handler	= mackeep_sysctl_turn,
		.extra1		= (void *)&mackeep_sysctl_lift_vlan,
	},
	{}
};

int mackeep_sysctl_net_init(struct mackeep_net *mn)
{
	struct ctl_table *table;
	char text[32];

	strscpy(text, lift_mark, sizeof(text));
	mackeep_sysctl_parse_mark(text, &mn->lift_mark, &mn->lift_mask);
	mn->pair_max = pair_max;
	mn->pair_timeout = pair_timeout;
	mn->neigh = neigh;

	table = kmemdup(mackeep_sysctls, sizeof(mackeep_sysctls), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	table[0].extra1 = mn;
	table[1].extra1 = mn;
	table[2].data = &mn->pair_timeout;
	table[3].data = &mn->neigh;
	table[4].data = mn;
	table[5].data = mn;
	table[6].data = mn;
	table[7].data = mn;
	/* Memory of the whole machine is not for an unprivileged user to give. */
	if (mn->net->user_ns != &init_user_ns) {
		table[1].mode = 0444;
		table[2].mode = 0444;
	}

	mn->sysctl = register_net_sysctl_sz(mn->net, "net/netfilter", table,
					    ARRAY_SIZE(mackeep_sysctls) - 1);
	if (!mn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

void mackeep_sysctl_net_exit(struct mackeep_net *mn)
{
	const struct ctl_table *table = mn->sysctl->ctl_table_arg;

	unregister_net_sysctl_table(mn->sysctl);
	kfree(table);
}

/* The module parameters are input as well. */
int mackeep_sysctl_init(void)
{
	u32 mark, mask;
	char text[32];

	if (strscpy(text, lift_mark, sizeof(text)) < 0 ||
	    mackeep_sysctl_parse_mark(text, &mark, &mask)) {
		pr_err("lift_mark=%s: not value[/mask], both 32 bit, no bit of the value outside the mask\n",
		       lift_mark);
		return -EINVAL;
	}
	if ((pair_max && pair_max < mackeep_pair_max_min) ||
	    pair_max > mackeep_pair_max_max) {
		pr_err("pair_max=%u: must be 0, or %u to %u\n", pair_max,
		       mackeep_pair_max_min, mackeep_pair_max_max);
		return -EINVAL;
	}
	if (pair_timeout < mackeep_pair_timeout_min ||
	    pair_timeout > mackeep_pair_timeout_max) {
		pr_err("pair_timeout=%u: must be %u to %u seconds\n",
		       pair_timeout, mackeep_pair_timeout_min,
		       mackeep_pair_timeout_max);
		return -EINVAL;
	}
	return 0;
}
