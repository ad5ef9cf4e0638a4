// SPDX-License-Identifier: GPL-2.0-only
/*
 * iptables and ip6tables plugin for -j MACKEEP.
 *
 * The kernel can only say "Invalid argument", so the plugin says what is wrong
 * with the options. A plugin does not know table and chain: the kernel checks
 * these, and logs what is wrong.
 *
 * There is no .xlate: nftables has no expression for this target. Without .xlate
 * iptables-translate prints the rule as a comment.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xtables.h>
#include <linux/netfilter/xt_MACKEEP.h>

#define __maybe_unused __attribute__((unused))

enum {
	O_ORIG_MARK,
	O_REPLY_MARK,
	O_KEEP,
	O_REFRESH,
	O_NEXT_HOP,
	O_LAST_HOP,
	O_STRICT,
};

static void mackeep_tg_help(void)
{
	printf("MACKEEP target options:\n"
"  --orig-mark value[/mask]     Rewrite packets of the flow's original direction\n"
"                               only when their nfmark matches\n"
"  --reply-mark value[/mask]    Rewrite packets of the flow's reply direction\n"
"                               only when their nfmark matches\n"
"  --keep both|src|dst          Which of the MAC addresses to keep (both)\n"
"  --refresh last|first         Follow the addresses that the flow's frames show,\n"
"                               or stay with those of the first frame (last)\n"
"  --next-hop learned|route     Where a flow that the proxy opens goes if its client\n"
"                               never sent to the server: to the client's router, or\n"
"                               as the route says (learned)\n"
"  --last-hop                   Send answers to the address and the device that the\n"
"                               flow came from, without a route, forwarded ones too\n"
"  --strict                     Drop packets whose addresses are not known, instead\n"
"                               of sending them with this machine's own\n"
"Without options every packet of the flow is rewritten. Valid in table mangle,\n"
"chains PREROUTING and OUTPUT and chains called from them; see xt_MACKEEP(8).\n");
}

/*
 * XTTYPE_STRING, because with XTTYPE_MARKMASK32 libxtables takes marks that can
 * never match, and does not say what is wrong with a bad one.
 */
static const struct xt_option_entry mackeep_tg_opts[] = {
	{.name = "orig-mark", .id = O_ORIG_MARK, .type = XTTYPE_STRING},
	{.name = "reply-mark", .id = O_REPLY_MARK, .type = XTTYPE_STRING},
	{.name = "keep", .id = O_KEEP, .type = XTTYPE_STRING},
	{.name = "refresh", .id = O_REFRESH, .type = XTTYPE_STRING},
	{.name = "next-hop", .id = O_NEXT_HOP, .type = XTTYPE_STRING},
	{.name = "last-hop", .id = O_LAST_HOP, .type = XTTYPE_NONE},
	{.name = "strict", .id = O_STRICT, .type = XTTYPE_NONE},
	XTOPT_TABLEEND,
};

/* Base 0 would not do: libcs differ on "0b" and "0o". */
static int mackeep_parse_base(const char *s)
{
	if (s[0] != '0')
		return 10;
	return s[1] == 'x' || s[1] == 'X' ? 16 : 8;
}

/* Parses a number of "value/mask" up to *end; what: "value" or "mask" */
static uint32_t mackeep_parse_u32(const struct xt_option_call *cb,
				  const char *what, const char *s, char **end)
{
	const char *opt = cb->entry->name;
	unsigned long long num;

	/* strtoull() would skip blanks and take a sign */
	if (*s < '0' || *s > '9')
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s \"%s\": the %s is not a number; give value[/mask], such as 0x1/0xff or 16",
			      opt, cb->arg, what);

	errno = 0;
	num = strtoull(s, end, mackeep_parse_base(s));
	if (**end != '\0' && **end != '/')
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s \"%s\": the %s is not a number from \"%s\" on; give value[/mask], such as 0x1/0xff or 16",
			      opt, cb->arg, what, *end);
	if (errno == ERANGE || num > UINT32_MAX)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s \"%s\": the %s does not fit in 32 bits; the largest is 0xffffffff",
			      opt, cb->arg, what);
	return num;
}

static void mackeep_parse_mark(const struct xt_option_call *cb,
			       uint32_t *mark, uint32_t *mask)
{
	const char *opt = cb->entry->name;
	char *end;

	/* getopt takes whatever follows as the argument, even an option */
	if (cb->arg[0] == '\0' || strncmp(cb->arg, "--", 2) == 0)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s needs a mark but is followed by \"%s\"; give value[/mask], such as 0x1/0xff or 16",
			      opt, cb->arg);

	*mark = mackeep_parse_u32(cb, "value", cb->arg, &end);
	*mask = UINT32_MAX;
	if (*end == '/') {
		*mask = mackeep_parse_u32(cb, "mask", end + 1, &end);
		if (*end != '\0')
			xtables_error(PARAMETER_PROBLEM,
				      "MACKEEP: --%s \"%s\": \"%s\" follows the mask; give one value and at most one mask",
				      opt, cb->arg, end);
	}

	if (*mask == 0)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s \"%s\": mask 0 compares no bit, every packet would match; leave the option out to mean that",
			      opt, cb->arg);
	if (*mark & ~*mask)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s \"%s\": the value has bits outside the mask and could never match; give 0x%x/0x%x or 0x%x/0x%x",
			      opt, cb->arg, *mark & *mask, *mask,
			      *mark, *mark | *mask);
}

/* The flag of a word. The first word is the default and has no flag. */
static uint32_t mackeep_parse_word(const struct xt_option_call *cb,
				   const char *const *words,
				   const uint32_t *flags)
{
	char list[64] = "";
	unsigned int i;

	for (i = 0; words[i]; i++) {
		if (strcmp(cb->arg, words[i]) == 0)
			return flags[i];
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s\"%s\"", i ? " or " : "", words[i]);
	}
	xtables_error(PARAMETER_PROBLEM,
		      "MACKEEP: --%s \"%s\" is not known: give %s",
		      cb->entry->name, cb->arg, list);
}

static const char *const keep_words[] = { "both", "src", "dst", NULL };
static const uint32_t keep_flags[] = {
	0, XT_MACKEEP_KEEP_SRC, XT_MACKEEP_KEEP_DST
};

static const char *const refresh_words[] = { "last", "first", NULL };
static const uint32_t refresh_flags[] = { 0, XT_MACKEEP_REFRESH_FIRST };

static const char *const next_hop_words[] = { "learned", "route", NULL };
static const uint32_t next_hop_flags[] = { 0, XT_MACKEEP_NEXT_HOP_ROUTE };

static void mackeep_tg_parse(struct xt_option_call *cb)
{
	struct xt_mackeep_tginfo *info = cb->data;

	if (cb->invert)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s cannot be inverted; leave out the \"!\" and say what to do",
			      cb->entry->name);
	if (cb->xflags & (1 << cb->entry->id))
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --%s is given twice; a rule has one of each, keep one",
			      cb->entry->name);
	cb->xflags |= 1 << cb->entry->id;

	switch (cb->entry->id) {
	case O_ORIG_MARK:
		mackeep_parse_mark(cb, &info->orig_mark, &info->orig_mask);
		info->flags |= XT_MACKEEP_ORIG_MARK;
		break;
	case O_REPLY_MARK:
		mackeep_parse_mark(cb, &info->reply_mark, &info->reply_mask);
		info->flags |= XT_MACKEEP_REPLY_MARK;
		break;
	case O_KEEP:
		info->flags |= mackeep_parse_word(cb, keep_words, keep_flags);
		break;
	case O_REFRESH:
		info->flags |= mackeep_parse_word(cb, refresh_words,
						  refresh_flags);
		break;
	case O_NEXT_HOP:
		info->flags |= mackeep_parse_word(cb, next_hop_words,
						  next_hop_flags);
		break;
	case O_LAST_HOP:
		info->flags |= XT_MACKEEP_LAST_HOP;
		break;
	case O_STRICT:
		info->flags |= XT_MACKEEP_STRICT;
		break;
	}
}

static void mackeep_tg_check(struct xt_fcheck_call *cb)
{
	const struct xt_mackeep_tginfo *info = cb->data;

	if (info->flags & XT_MACKEEP_KEEP_SRC &&
	    info->flags & XT_MACKEEP_LAST_HOP)
		xtables_error(PARAMETER_PROBLEM,
			      "MACKEEP: --last-hop sends to the MAC address that --keep src says to take from the route; leave one of them out");
}

static void mackeep_tg_print_opts(const struct xt_entry_target *target,
				  const char *dashes)
{
	const struct xt_mackeep_tginfo *info = (const void *)target->data;

	if (info->flags & XT_MACKEEP_ORIG_MARK) {
		printf(" %sorig-mark", dashes);
		xtables_print_mark_mask(info->orig_mark, info->orig_mask);
	}
	if (info->flags & XT_MACKEEP_REPLY_MARK) {
		printf(" %sreply-mark", dashes);
		xtables_print_mark_mask(info->reply_mark, info->reply_mask);
	}
	if (info->flags & XT_MACKEEP_KEEP_SRC)
		printf(" %skeep src", dashes);
	if (info->flags & XT_MACKEEP_KEEP_DST)
		printf(" %skeep dst", dashes);
	if (info->flags & XT_MACKEEP_REFRESH_FIRST)
		printf(" %srefresh first", dashes);
	if (info->flags & XT_MACKEEP_NEXT_HOP_ROUTE)
		printf(" %snext-hop route", dashes);
	if (info->flags & XT_MACKEEP_LAST_HOP)
		printf(" %slast-hop", dashes);
	if (info->flags & XT_MACKEEP_STRICT)
		printf(" %sstrict", dashes);
}

static void mackeep_tg_print(const void *ip __maybe_unused,
			     const struct xt_entry_target *target,
			     int numeric __maybe_unused)
{
	mackeep_tg_print_opts(target, "");
}

static void mackeep_tg_save(const void *ip __maybe_unused,
			    const struct xt_entry_target *target)
{
	mackeep_tg_print_opts(target, "--");
}

static struct xtables_target mackeep_tg_reg = {
	.version	= XTABLES_VERSION,
	.name		= "MACKEEP",
	.revision	= 0,
	.family		= NFPROTO_UNSPEC,
	.size		= XT_ALIGN(sizeof(struct xt_mackeep_tginfo)),
	.userspacesize	= offsetof(struct xt_mackeep_tginfo, policy),
	.help		= mackeep_tg_help,
	.print		= mackeep_tg_print,
	.save		= mackeep_tg_save,
	.x6_parse	= mackeep_tg_parse,
	.x6_fcheck	= mackeep_tg_check,
	.x6_options	= mackeep_tg_opts,
};

static void __attribute__((constructor)) mackeep_tg_init(void)
{
	xtables_register_target(&mackeep_tg_reg);
}
