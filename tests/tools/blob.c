// SPDX-License-Identifier: GPL-2.0-only
/*
 * An iptables plugin for tests: -j MACKEEP --blob HEX hands the kernel any
 * struct xt_mackeep_tginfo, byte for byte, and -save shows what the kernel
 * gives back, the part that is its own included.
 *
 * Built as libxt_MACKEEP.so, in a directory of its own for XTABLES_LIBDIR.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xtables.h>
#include <linux/netfilter/xt_MACKEEP.h>

#define SIZE sizeof(struct xt_mackeep_tginfo)

static const struct xt_option_entry blob_opts[] = {
	{.name = "blob", .id = 0, .type = XTTYPE_STRING, .flags = XTOPT_MAND},
	XTOPT_TABLEEND,
};

static void blob_parse(struct xt_option_call *cb)
{
	uint8_t *data = cb->data;
	size_t i;

	xtables_option_parse(cb);
	if (strlen(cb->arg) != 2 * SIZE)
		xtables_error(PARAMETER_PROBLEM, "blob: %zu bytes wanted", SIZE);
	for (i = 0; i < SIZE; i++)
		if (sscanf(cb->arg + 2 * i, "%2hhx", &data[i]) != 1)
			xtables_error(PARAMETER_PROBLEM, "blob: not hex");
}

static void blob_save(const void *ip, const struct xt_entry_target *target)
{
	size_t i;

	(void)ip;
	printf(" --blob ");
	for (i = 0; i < SIZE; i++)
		printf("%02x", target->data[i]);
}

static struct xtables_target blob_reg = {
	.version	= XTABLES_VERSION,
	.name		= "MACKEEP",
	.family		= NFPROTO_UNSPEC,
	.size		= XT_ALIGN(SIZE),
	.userspacesize	= XT_ALIGN(SIZE),
	.save		= blob_save,
	.x6_parse	= blob_parse,
	.x6_options	= blob_opts,
};

static void __attribute__((constructor)) blob_init(void)
{
	xtables_register_target(&blob_reg);
}
