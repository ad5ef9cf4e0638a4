// SPDX-License-Identifier: GPL-2.0-only
/* mackeep policy */
#include <stdio.h>
#include <string.h>

#include <linux/mackeep.h>

#include "args.h"
#include "commands.h"
#include "file.h"
#include "genl.h"
#include "policy.h"
#include "say.h"
#include "step.h"
#include "text.h"

static const char *const keeps[] = {
	[MACKEEP_KEEP_BOTH] = "both",
	[MACKEEP_KEEP_SRC] = "src",
	[MACKEEP_KEEP_DST] = "dst",
	NULL
};

static const char *const refreshes[] = {
	[MACKEEP_REFRESH_LAST] = "last",
	[MACKEEP_REFRESH_FIRST] = "first",
	NULL
};

static const char *const next_hops[] = {
	[MACKEEP_NEXT_HOP_LEARNED] = "learned",
	[MACKEEP_NEXT_HOP_ROUTE] = "route",
	NULL
};

/* --- as text ----------------------------------------------------------------------- */

static uint8_t word(const char *option, const char *text, const char *const *words,
		    const char *want)
{
	uint8_t i;

	for (i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	value_bad(option, text, want);
}

uint8_t policy_keep(const char *text)
{
	return word("keep", text, keeps, "both, src or dst");
}

uint8_t policy_refresh(const char *text)
{
	return word("refresh", text, refreshes, "last or first");
}

uint8_t policy_next_hop(const char *text)
{
	return word("next-hop", text, next_hops, "learned or route");
}

void policy_check(const struct policy *policy)
{
	if (policy->keep == MACKEEP_KEEP_SRC && policy->last_hop)
		die(BAD_ARGS, "--last-hop: it sends to the MAC address that --keep src says to take from the route; leave one of the two out");
}

static const char *mark_text(const struct mark *mark)
{
	static char text[2][32];
	static int turn;
	char *s = text[turn++ % 2];

	snprintf(s, sizeof(text[0]), "0x%x/0x%x", mark->value, mark->mask);
	return s;
}

static const char *mark_asked(const struct mark *mark)
{
	return mark->mask ? mark_text(mark) : "any";
}

const char *policy_line(const struct policy *policy)
{
	static char line[2][192];
	static int turn;
	char *s = line[turn++ % 2];

	snprintf(s, sizeof(line[0]),
		 "keep=%s refresh=%s next-hop=%s last-hop=%s strict=%s orig-mark=%s reply-mark=%s",
		 keeps[policy->keep], refreshes[policy->refresh],
		 next_hops[policy->next_hop],
		 policy->last_hop ? "yes" : "no", policy->strict ? "yes" : "no",
		 mark_asked(&policy->orig), mark_asked(&policy->reply));
	return s;
}

bool policy_same(const struct policy *one, const struct policy *other)
{
	return !strcmp(policy_line(one), policy_line(other));
}

static void option(json_t *words, const char *name, const char *value)
{
	json_array_append_new(words, json_string(name));
	if (value)
		json_array_append_new(words, json_string(value));
}

json_t *policy_options(const struct policy *policy)
{
	json_t *words = json_array();

	if (policy->orig.mask)
		option(words, "--orig-mark", mark_text(&policy->orig));
	if (policy->reply.mask)
		option(words, "--reply-mark", mark_text(&policy->reply));
	if (policy->keep != MACKEEP_KEEP_BOTH)
		option(words, "--keep", keeps[policy->keep]);
	if (policy->refresh != MACKEEP_REFRESH_LAST)
		option(words, "--refresh", refreshes[policy->refresh]);
	if (policy->next_hop != MACKEEP_NEXT_HOP_LEARNED)
		option(words, "--next-hop", next_hops[policy->next_hop]);
	if (policy->last_hop)
		option(words, "--last-hop", NULL);
	if (policy->strict)
		option(words, "--strict", NULL);
	return words;
}

json_t *policy_command(const struct policy *policy)
{
	json_t *options = policy_options(policy), *command;

	command = WORDS("mackeep", "policy",
			json_array_size(options) ? "set" : "reset");
	json_array_extend(command, options);
	json_decref(options);
	return command;
}

json_t *policy_json(const struct policy *policy)
{
	json_t *object = json_pack("{s:b, s:b}", "strict", policy->strict,
				   "last_hop", policy->last_hop);

	if (policy->keep != MACKEEP_KEEP_BOTH)
		json_text(object, "keep", keeps[policy->keep]);
	if (policy->refresh != MACKEEP_REFRESH_LAST)
		json_text(object, "refresh", refreshes[policy->refresh]);
	if (policy->next_hop != MACKEEP_NEXT_HOP_LEARNED)
		json_text(object, "next_hop", next_hops[policy->next_hop]);
	if (policy->orig.mask)
		json_text(object, "orig_mark", mark_text(&policy->orig));
	if (policy->reply.mask)
		json_text(object, "reply_mark", mark_text(&policy->reply));
	return object;
}

struct policy policy_of_json(const json_t *object)
{
	const char *keep = json_get_text(object, "keep");
	const char *refresh = json_get_text(object, "refresh");
	const char *next_hop = json_get_text(object, "next_hop");
	const char *orig = json_get_text(object, "orig_mark");
	const char *reply = json_get_text(object, "reply_mark");
	struct policy policy = {
		.strict = json_is_true(json_object_get(object, "strict")),
		.last_hop = json_is_true(json_object_get(object, "last_hop")),
	};

	if (*keep)
		policy.keep = policy_keep(keep);
	if (*refresh)
		policy.refresh = policy_refresh(refresh);
	if (*next_hop)
		policy.next_hop = policy_next_hop(next_hop);
	if (*orig)
		policy.orig = value_mark("orig-mark", orig);
	if (*reply)
		policy.reply = value_mark("reply-mark", reply);
	return policy;
}

/* --- of the namespace -------------------------------------------------------------- */

static struct mark mark_read(const struct nlattr *mark, const struct nlattr *mask)
{
	if (!mark || !mask)
		return (struct mark){ 0 };
	return (struct mark){ mnl_attr_get_u32(mark), mnl_attr_get_u32(mask) };
}

static int on_policy(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct policy *policy = data;

	genl_parse(nlh, attrs);
	if (attrs[MACKEEP_A_KEEP] &&
	    mnl_attr_get_u8(attrs[MACKEEP_A_KEEP]) <= MACKEEP_KEEP_MAX)
		policy->keep = mnl_attr_get_u8(attrs[MACKEEP_A_KEEP]);
	if (attrs[MACKEEP_A_REFRESH] &&
	    mnl_attr_get_u8(attrs[MACKEEP_A_REFRESH]) <= MACKEEP_REFRESH_MAX)
		policy->refresh = mnl_attr_get_u8(attrs[MACKEEP_A_REFRESH]);
	if (attrs[MACKEEP_A_NEXT_HOP] &&
	    mnl_attr_get_u8(attrs[MACKEEP_A_NEXT_HOP]) <= MACKEEP_NEXT_HOP_MAX)
		policy->next_hop = mnl_attr_get_u8(attrs[MACKEEP_A_NEXT_HOP]);
	policy->last_hop = attrs[MACKEEP_A_LAST_HOP];
	policy->strict = attrs[MACKEEP_A_STRICT];
	policy->orig = mark_read(attrs[MACKEEP_A_ORIG_MARK],
				 attrs[MACKEEP_A_ORIG_MASK]);
	policy->reply = mark_read(attrs[MACKEEP_A_REPLY_MARK],
				  attrs[MACKEEP_A_REPLY_MASK]);
	return MNL_CB_OK;
}

static struct policy ask(void)
{
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct policy policy = { 0 };

	genl_talk(nl, genl_message(buf, MACKEEP_CMD_POLICY, NLM_F_ACK),
		  on_policy, &policy);
	mnl_socket_close(nl);
	return policy;
}

struct policy policy_read(void)
{
	struct module module;

	if (!genl_module(&module) || !genl_has(MACKEEP_CMD_POLICY))
		return (struct policy){ 0 };
	return ask();
}

static void put_mark(struct nlmsghdr *nlh, const struct mark *mark, int which,
		     int which_mask)
{
	if (!mark->mask)
		return;
	mnl_attr_put_u32(nlh, which, mark->value);
	mnl_attr_put_u32(nlh, which_mask, mark->mask);
}

void policy_write(const struct policy *policy)
{
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = genl_message(buf, MACKEEP_CMD_POLICY_SET, NLM_F_ACK);

	mnl_attr_put_u8(nlh, MACKEEP_A_KEEP, policy->keep);
	mnl_attr_put_u8(nlh, MACKEEP_A_REFRESH, policy->refresh);
	/* A module of before has none. */
	if (policy->next_hop != MACKEEP_NEXT_HOP_LEARNED)
		mnl_attr_put_u8(nlh, MACKEEP_A_NEXT_HOP, policy->next_hop);
	if (policy->last_hop)
		mnl_attr_put(nlh, MACKEEP_A_LAST_HOP, 0, NULL);
	if (policy->strict)
		mnl_attr_put(nlh, MACKEEP_A_STRICT, 0, NULL);
	put_mark(nlh, &policy->orig, MACKEEP_A_ORIG_MARK, MACKEEP_A_ORIG_MASK);
	put_mark(nlh, &policy->reply, MACKEEP_A_REPLY_MARK, MACKEEP_A_REPLY_MASK);
	genl_talk(nl, nlh, NULL, NULL);
	mnl_socket_close(nl);
}

/* ---------------------------------------------------------------------------------- */

/* As at first it changes nothing, and there is nothing to say. */
static void tell_unused(const struct policy *policy)
{
	const struct policy none = { 0 };
	char hooks[8];

	if (!policy_same(policy, &none) &&
	    file_line("/proc/sys/net/netfilter/mackeep_hooks", hooks,
		      sizeof(hooks)) && !strcmp(hooks, "0"))
		note("net.netfilter.mackeep_hooks is 0: no flow is under this policy; set it to 1.");
}

static int show(const struct args *args)
{
	struct policy policy = ask();
	json_t *object;
	char line[192];

	if (args->out & OUT_JSON) {
		object = policy_json(&policy);
		json_text(object, "keep", keeps[policy.keep]);
		json_text(object, "refresh", refreshes[policy.refresh]);
		json_print(object);
	} else {
		snprintf(line, sizeof(line), "%s", policy_line(&policy));
		print_line(line);
	}
	tell_unused(&policy);
	return DONE;
}

int cmd_policy(struct args *args)
{
	const char *verb = args->verb ?: "show";
	bool set = !strcmp(verb, "set");

	if (!set && strcmp(verb, "show") && strcmp(verb, "reset"))
		die(BAD_ARGS, "policy %s: it is show, set or reset", verb);
	if (!set && args->policy.given)
		die(BAD_ARGS, "policy %s: it takes no options of the policy; \"mackeep policy set\" does",
		    verb);
	if (!strcmp(verb, "show"))
		return show(args);
	if (set && !args->policy.given)
		die(BAD_ARGS, "policy set: nothing is to be set; give --strict or another option, or \"mackeep policy reset\"");
	policy_check(&args->policy);
	policy_write(&args->policy);
	tell_unused(&args->policy);
	return DONE;
}
