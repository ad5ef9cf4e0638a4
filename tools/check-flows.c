// SPDX-License-Identifier: GPL-2.0-only
/* Findings in flows: helper, device-gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "finding.h"
#include "flow.h"
#include "nft.h"
#include "text.h"

struct flows {
	const struct probe *probe;
	unsigned long helped;		/* proxied, with another helper */
	char helper[32];
	int proto;
	uint16_t port;
	unsigned int gone;		/* ifindex of a device that is gone */
	unsigned long orphans;		/* records with that ifindex */
};

static void flows_one(struct nf_conntrack *ct, void *data)
{
	struct flow flow = { .ct = ct };
	struct flows *flows = data;
	char name[IF_NAMESIZE];
	uint16_t port;
	uint8_t proto;

	if (flow_kept(&flow)) {
		if (flow.info.ifindex &&
		    (flow.info.ifindex == flows->gone ||
		     !if_indextoname(flow.info.ifindex, name))) {
			flows->gone = flow.info.ifindex;
			flows->orphans++;
		}
		return;
	}
	if (nfct_attr_is_set(ct, ATTR_HELPER_NAME) <= 0)
		return;
	proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	port = ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST));
	if (!probe_is_proxied(flows->probe, proto, port))
		return;
	flows->helped++;
	flows->proto = proto;
	flows->port = port;
	snprintf(flows->helper, sizeof(flows->helper), "%s",
		 (const char *)nfct_get_attr(ct, ATTR_HELPER_NAME));
}

/* The command that deletes the rule that gives flows this helper, or NULL */
static char *helper_rule(const struct probe *probe, const char *helper)
{
	json_t *one, *object;
	const char *name;
	unsigned int k;
	size_t i, j;

	for (k = 0; k < probe->rules; k++)
		if (!strcmp(saved_option(&probe->saved[k], "--helper"), helper))
			return saved_delete(&probe->saved[k]);
	json_array_foreach(probe->nft, i, one) {
		name = json_string_value(nft_expression(nft_rule(one), "ct helper"));
		if (!name)
			continue;
		json_array_foreach(probe->nft, j, object) {
			object = json_object_get(object, "ct helper");
			if (json_is(object, "name", name) &&
			    json_is(object, "type", helper))
				return nft_delete(nft_rule(one));
		}
	}
	return NULL;
}

void check_flows(const struct probe *probe)
{
	struct flows flows = { .probe = probe };
	char *rule;

	flow_dump(AF_UNSPEC, false, flows_one, &flows);
	if (flows.helped) {
		rule = helper_rule(probe, flows.helper);
		found(WRONG, "helper",
		      format("%lu proxied flows have the conntrack helper %s and no room for a record",
			     flows.helped, flows.helper),
		      format("%s%sconntrack -D -p %s --orig-port-dst %u",
			     rule ?: "", rule ? " && " : "",
			     flows.proto == IPPROTO_UDP ? "udp" : "tcp",
			     flows.port));
		free(rule);
	}
	if (flows.orphans)
		found(DOUBTFUL, "device-gone",
		      format("%lu records name device %u, which is not there any more",
			     flows.orphans, flows.gone),
		      format("mackeep flush -i if%u", flows.gone));
}
