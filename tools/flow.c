// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/time.h>

#include "flow.h"
#include "line.h"
#include "netlink.h"
#include "say.h"
#include "tag.h"
#include "text.h"

static bool has_helper(const struct nf_conntrack *ct)
{
	return nfct_attr_is_set(ct, ATTR_HELPER_NAME) > 0 &&
	       !strcmp(nfct_get_attr(ct, ATTR_HELPER_NAME),
		       MACKEEP_HELPER_NAME);
}

/* Version 1 has zeros where the tag is now. */
static bool is_known(const uint8_t *version)
{
	return *version == MACKEEP_INFO_VERSION || *version == 1;
}

bool flow_kept(struct flow *flow)
{
	const struct nf_conntrack *ct = flow->ct;
	const void *info;

	memset(&flow->info, 0, sizeof(flow->info));
	if (!has_helper(ct))
		return false;
	if (nfct_attr_is_set(ct, ATTR_HELPER_INFO) <= 0)
		return true;
	info = nfct_get_attr(ct, ATTR_HELPER_INFO);
	if (info && is_known(info))
		memcpy(&flow->info, info, sizeof(flow->info));
	return true;
}

static bool in_prefix(const struct address *want, const void *addr)
{
	const uint8_t *a = (const void *)&want->in6, *b = addr;
	unsigned int whole = want->prefix / 8, rest = want->prefix % 8;

	return !memcmp(a, b, whole) &&
	       (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

static bool match_address(const struct args *args, const struct flow *flow)
{
	bool v6 = nfct_get_attr_u8(flow->ct, ATTR_L3PROTO) == AF_INET6;
	const void *src = nfct_get_attr(flow->ct, v6 ? ATTR_IPV6_SRC :
						       ATTR_IPV4_SRC);
	const void *dst = nfct_get_attr(flow->ct, v6 ? ATTR_IPV6_DST :
						       ATTR_IPV4_DST);
	int family = v6 ? AF_INET6 : AF_INET;

	if (args->src.family &&
	    (args->src.family != family || !src || !in_prefix(&args->src, src)))
		return false;
	return !args->dst.family ||
	       (args->dst.family == family && dst && in_prefix(&args->dst, dst));
}

bool flow_match(const struct args *args, const struct flow *flow)
{
	const struct nf_conntrack *ct = flow->ct;
	const struct mackeep_info *info = &flow->info;
	int zone = 0;

	if (args->family && nfct_get_attr_u8(ct, ATTR_L3PROTO) != args->family)
		return false;
	if (args->proto && nfct_get_attr_u8(ct, ATTR_L4PROTO) != args->proto)
		return false;
	if (args->ifindex && info->ifindex != args->ifindex)
		return false;
	if (args->by_mac &&
	    !(info->flags & MACKEEP_INFO_SRC && !memcmp(info->src, args->mac, 6)) &&
	    !(info->flags & MACKEEP_INFO_DST && !memcmp(info->dst, args->mac, 6)))
		return false;
	if (args->zone >= 0) {
		if (nfct_attr_is_set(ct, ATTR_ZONE) > 0)
			zone = nfct_get_attr_u16(ct, ATTR_ZONE);
		else if (nfct_attr_is_set(ct, ATTR_ORIG_ZONE) > 0)
			zone = nfct_get_attr_u16(ct, ATTR_ORIG_ZONE);
		if (zone != args->zone)
			return false;
	}
	return match_address(args, flow);
}

/* --- printing ------------------------------------------------------------------ */

static json_t *json_direction(const struct flow *flow, bool reply)
{
	const struct nf_conntrack *ct = flow->ct;
	bool v6 = nfct_get_attr_u8(ct, ATTR_L3PROTO) == AF_INET6;
	int shift = reply ? ATTR_REPL_IPV4_SRC - ATTR_ORIG_IPV4_SRC : 0;
	enum nf_conntrack_attr packets, bytes;
	const void *src, *dst;
	char text[2][INET6_ADDRSTRLEN] = { "", "" };
	json_t *object = json_object();

	src = nfct_get_attr(ct, (v6 ? ATTR_ORIG_IPV6_SRC : ATTR_ORIG_IPV4_SRC) + shift);
	dst = nfct_get_attr(ct, (v6 ? ATTR_ORIG_IPV6_DST : ATTR_ORIG_IPV4_DST) + shift);
	if (src)
		inet_ntop(v6 ? AF_INET6 : AF_INET, src, text[0], sizeof(text[0]));
	if (dst)
		inet_ntop(v6 ? AF_INET6 : AF_INET, dst, text[1], sizeof(text[1]));
	json_text(object, "src", text[0]);
	json_text(object, "dst", text[1]);
	shift = reply ? ATTR_REPL_PORT_SRC - ATTR_ORIG_PORT_SRC : 0;
	if (nfct_attr_is_set(ct, ATTR_ORIG_PORT_SRC + shift) > 0) {
		json_int(object, "sport", ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC + shift)));
		json_int(object, "dport", ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST + shift)));
	}
	packets = reply ? ATTR_REPL_COUNTER_PACKETS : ATTR_ORIG_COUNTER_PACKETS;
	bytes = reply ? ATTR_REPL_COUNTER_BYTES : ATTR_ORIG_COUNTER_BYTES;
	if (nfct_attr_is_set(ct, packets) > 0) {
		json_int(object, "packets", nfct_get_attr_u64(ct, packets));
		json_int(object, "bytes", nfct_get_attr_u64(ct, bytes));
	}
	return object;
}

static const char *event_text(enum nf_conntrack_msg_type type)
{
	switch (type) {
	case NFCT_T_NEW:
		return "new";
	case NFCT_T_DESTROY:
		return "destroy";
	default:
		return "update";
	}
}

static void json_record(json_t *object, const struct mackeep_info *info)
{
	if (info->flags & MACKEEP_INFO_SRC)
		json_text(object, "smac", mac_text(info->src));
	if (info->flags & MACKEEP_INFO_DST)
		json_text(object, "dmac", mac_text(info->dst));
	if (info->ifindex) {
		json_text(object, "dev", device_text(info->ifindex));
		json_int(object, "ifindex", info->ifindex);
	}
	if (info->vlan)
		tag_json(object, (struct tag){ info->vlan, info->vlan_proto });
	json_text(object, "via", via_text(info->via));
}

static void flow_print_json(const struct args *args, const struct flow *flow)
{
	const struct nf_conntrack *ct = flow->ct;
	uint8_t proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	json_t *object = json_object();
	struct timeval now;
	const char *state;
	char number[4];
	bool assured;

	if (args->out & OUT_TIMESTAMP) {
		gettimeofday(&now, NULL);
		json_object_set_new(object, "time",
				    json_real(now.tv_sec + now.tv_usec / 1e6));
	}
	if (flow->now)
		json_text(object, "event", "left");
	else if (flow->type != NFCT_T_UNKNOWN)
		json_text(object, "event", event_text(flow->type));
	json_text(object, "family", nfct_get_attr_u8(ct, ATTR_L3PROTO) == AF_INET6 ? "ipv6" : "ipv4");
	snprintf(number, sizeof(number), "%u", proto);
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		json_text(object, "proto", proto == IPPROTO_TCP ? "tcp" : "udp");
	else
		json_text(object, "proto", number);
	if (nfct_attr_is_set(ct, ATTR_TIMEOUT) > 0)
		json_int(object, "timeout", nfct_get_attr_u32(ct, ATTR_TIMEOUT));
	if (nfct_attr_is_set(ct, ATTR_TCP_STATE) > 0) {
		state = tcp_text(nfct_get_attr_u8(ct, ATTR_TCP_STATE));
		if (state)
			json_text(object, "state", state);
	}
	json_object_set_new(object, "orig", json_direction(flow, false));
	json_object_set_new(object, "reply", json_direction(flow, true));
	assured = nfct_get_attr_u32(ct, ATTR_STATUS) & IPS_ASSURED;
	if (!flow->now)
		json_object_set_new(object, "assured", json_boolean(assured));
	if (nfct_attr_is_set(ct, ATTR_MARK) > 0)
		json_int(object, "mark", nfct_get_attr_u32(ct, ATTR_MARK));
	if (nfct_attr_is_set(ct, ATTR_ZONE) > 0)
		json_int(object, "zone", nfct_get_attr_u16(ct, ATTR_ZONE));
	if (args->out & OUT_ID)
		json_int(object, "id", nfct_get_attr_u32(ct, ATTR_ID));
	if (!flow->bare)
		json_record(object, &flow->info);
	if (flow->left)
		json_object_set_new(object, "left", left_json(flow->left));
	json_print(object);
}

void flow_print(const struct args *args, const struct flow *flow)
{
	const struct mackeep_info *info = &flow->info;
	unsigned int flags = 0;
	struct timeval now;
	char line[2048], *end;
	int n = 0, used;

	if (args->out & OUT_JSON) {
		flow_print_json(args, flow);
		return;
	}

	if (args->out & OUT_EXTENDED)
		flags |= NFCT_OF_SHOW_LAYER3;
	if (args->out & OUT_ID)
		flags |= NFCT_OF_ID;
	if (args->out & OUT_TIMESTAMP) {
		gettimeofday(&now, NULL);
		n = snprintf(line, sizeof(line), "[%-8ld.%-6ld]\t",
			     (long)now.tv_sec, (long)now.tv_usec);
	}
	if (flow->now)
		n += sprintf(line + n, "   [LEFT] ");
	used = flags || flow->type != NFCT_T_UNKNOWN ? 0 :
	       line_conntrack(line + n, flow->ct);
	if (!used)
		/* What comes behind it takes less than 256. */
		used = nfct_snprintf(line + n, sizeof(line) - n - 256, flow->ct,
				     flow->type, NFCT_O_DEFAULT, flags);
	n += used;
	if (n > (int)sizeof(line) - 256)
		n = sizeof(line) - 256;
	while (n && line[n - 1] == ' ')
		n--;
	end = line + n;
	*end = '\0';
	if (!flow->bare)
		end = line_record(end, info);
	if (flow->left)
		left_line(end, flow->left);
	print_line(line);
}

/* --- listing ---------------------------------------------------------------------- */

struct dump {
	void (*each)(struct nf_conntrack *ct, void *data);
	void *data;
};

static int on_answer(enum nf_conntrack_msg_type type, struct nf_conntrack *ct,
		     void *data)
{
	const struct dump *dump = data;

	(void)type;
	dump->each(ct, dump->data);
	return NFCT_CB_CONTINUE;
}

/* False: the entry has gone meanwhile. */
static bool ask_for(const struct nf_conntrack *ct, struct dump *dump)
{
	static struct nfct_handle *handle;

	if (!handle)
		handle = nfct_open(CONNTRACK, 0);
	if (!handle)
		die(FAILED, "conntrack: %s", strerror(errno));
	nfct_callback_unregister(handle);
	nfct_callback_register(handle, NFCT_T_ALL, on_answer, dump);
	return nfct_query(handle, NFCT_Q_GET, ct) >= 0;
}

/*
 * An entry may fit into what is left of a block only without its record; the
 * kernel then leaves the record out. Asked for by itself the entry is whole.
 */
static int on_entry(const struct nlmsghdr *nlh, void *data)
{
	struct dump *dump = data;
	struct nf_conntrack *ct = nfct_new();

	if (!ct)
		out_of_memory();
	if (nfct_nlmsg_parse(nlh, ct) < 0)
		complain("conntrack table: an entry that cannot be read");
	else if (!has_helper(ct) || nfct_attr_is_set(ct, ATTR_HELPER_INFO) > 0 ||
		 !ask_for(ct, dump))
		dump->each(ct, dump->data);
	nfct_destroy(ct);
	return MNL_CB_OK;
}

/*
 * From 5.17 on the kernel filters: it dumps only entries that have a helper.
 * Each entry is freed before the next one is read.
 */
void flow_dump(int family, bool whole, void (*each)(struct nf_conntrack *, void *),
	       void *data)
{
	const int status_mask = CTA_FILTER + 1; /* no name before 5.17 */
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct dump dump = { each, data };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "conntrack: %s; run: modprobe nf_conntrack_netlink",
		    strerror(errno));
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	if (!whole) {
		mnl_attr_put_u32(nlh, CTA_STATUS, htonl(IPS_HELPER));
		mnl_attr_put_u32(nlh, status_mask, htonl(IPS_HELPER));
	}
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "conntrack: %s", strerror(errno));
	if (!netlink_receive(nl, nlh->nlmsg_seq, on_entry, &dump))
		complain("conntrack table: it changed meanwhile, entries may be missing; run it again");
	mnl_socket_close(nl);
}
