// SPDX-License-Identifier: GPL-2.0-only
/* mackeep list: the flows that have a record */
#include "commands.h"
#include "flow.h"
#include "left.h"
#include "say.h"
#include "text.h"

struct list {
	const struct args *args;
	unsigned long shown;
};

static void list_one(struct nf_conntrack *ct, void *data)
{
	struct flow flow = { .ct = ct, .type = NFCT_T_UNKNOWN };
	struct list *list = data;

	flow.bare = !flow_kept(&flow);
	flow.left = left_of(ct);
	if (list->args->left ? !flow.left : flow.bare)
		return;
	if (!flow_match(list->args, &flow))
		return;
	flow_print(list->args, &flow);
	list->shown++;
}

int cmd_list(struct args *args)
{
	struct list list = { .args = args };

	if (args->out & OUT_JSON)
		json_begin();
	left_read();
	flow_dump(args->family, args->left, list_one, &list);
	if (args->out & OUT_JSON)
		json_end();
	note("%lu flow entries have been shown.", list.shown);
	return DONE;
}
