// SPDX-License-Identifier: GPL-2.0-only
/* mackeep services rehearsed: what would be lifted, by its MACs */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/mackeep.h>

#include "args.h"
#include "genl.h"
#include "say.h"
#include "services.h"
#include "text.h"

struct rehearsed {
	const struct args *args;
	uint64_t flows;
	uint64_t beyond;
};

static void show_json(const struct nlattr **attrs, const char *proto,
		      uint64_t flows)
{
	json_t *object = json_object();

	json_text(object, "proto", proto);
	json_int(object, "mark", mnl_attr_get_u32(attrs[MACKEEP_A_MARK]));
	json_text(object, "smac",
		  mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_SRC])));
	json_text(object, "dmac",
		  mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_DST])));
	json_text(object, "dev",
		  device_text(mnl_attr_get_u32(attrs[MACKEEP_A_IFINDEX])));
	json_int(object, "vlan", mnl_attr_get_u16(attrs[MACKEEP_A_VLAN]));
	json_int(object, "flows", flows);
	json_print(object);
}

static void show_line(const struct nlattr **attrs, const char *proto,
		      uint64_t flows)
{
	uint16_t vlan = mnl_attr_get_u16(attrs[MACKEEP_A_VLAN]);
	char line[256];
	int n;

	n = sprintf(line, "%s mark=0x%x smac=%s dmac=%s dev=%s", proto,
		    mnl_attr_get_u32(attrs[MACKEEP_A_MARK]),
		    mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_SRC])),
		    mac_text(mnl_attr_get_payload(attrs[MACKEEP_A_DST])),
		    device_text(mnl_attr_get_u32(attrs[MACKEEP_A_IFINDEX])));
	if (vlan)
		n += sprintf(line + n, " vlan=%u", vlan);
	sprintf(line + n, " flows=%llu", (unsigned long long)flows);
	print_line(line);
}

static int on_rehearsed(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct rehearsed *rehearsed = data;
	const struct args *args = rehearsed->args;
	uint64_t flows;
	uint8_t proto;

	genl_parse(nlh, attrs);
	if (!attrs[MACKEEP_A_FLOWS])
		return MNL_CB_OK;
	memcpy(&flows, mnl_attr_get_payload(attrs[MACKEEP_A_FLOWS]),
	       sizeof(flows));
	if (!attrs[MACKEEP_A_PROTO]) {
		rehearsed->beyond = flows;
		return MNL_CB_OK;
	}
	proto = mnl_attr_get_u8(attrs[MACKEEP_A_PROTO]);
	if (!attrs[MACKEEP_A_MARK] || !attrs[MACKEEP_A_SRC] ||
	    !attrs[MACKEEP_A_DST] || !attrs[MACKEEP_A_IFINDEX] ||
	    !attrs[MACKEEP_A_VLAN] ||
	    (args->proto && args->proto != proto) ||
	    (args->marked && args->mark != mnl_attr_get_u32(attrs[MACKEEP_A_MARK])))
		return MNL_CB_OK;
	rehearsed->flows += flows;
	(args->out & OUT_JSON ? show_json : show_line)(attrs,
		proto == IPPROTO_TCP ? "tcp" : "udp", flows);
	return MNL_CB_OK;
}

int services_rehearsed(const struct args *args)
{
	struct rehearsed rehearsed = { .args = args };
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];

	if (args->out & OUT_JSON)
		json_begin();
	genl_talk(nl, genl_message(buf, MACKEEP_CMD_REHEARSED, NLM_F_DUMP),
		  on_rehearsed, &rehearsed);
	if (args->out & OUT_JSON)
		json_end();
	mnl_socket_close(nl);
	if (rehearsed.beyond)
		complain("%llu flows more had other MACs: there is no room for those",
			 (unsigned long long)rehearsed.beyond);
	note("%llu flows would have been lifted.",
	     (unsigned long long)rehearsed.flows);
	return DONE;
}
