// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep monitor: what happens to the flows that have a record.
 *
 * The kernel's "destroy" event has no record in it. So the records of all flows
 * are kept here by the entry's id, first those of the flows that exist at the
 * start.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "flow.h"
#include "netlink.h"
#include "say.h"
#include "services-monitor.h"
#include "text.h"

#define SLOTS	65536

struct known {
	struct known *next;
	uint32_t id;
	struct mackeep_info info;
};

struct monitor {
	const struct args *args;
	struct known *known[SLOTS];
	unsigned long shown;
	unsigned long overruns;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static struct known **find(struct monitor *monitor, uint32_t id)
{
	struct known **at = &monitor->known[id % SLOTS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void remember(struct monitor *monitor, const struct flow *flow)
{
	uint32_t id = nfct_get_attr_u32(flow->ct, ATTR_ID);
	struct known **at = find(monitor, id);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			out_of_memory();
		(*at)->id = id;
	}
	(*at)->info = flow->info;
}

static bool recall(struct monitor *monitor, struct flow *flow)
{
	struct known **at = find(monitor, nfct_get_attr_u32(flow->ct, ATTR_ID));
	struct known *known = *at;

	if (!known)
		return false;
	flow->info = known->info;
	*at = known->next;
	free(known);
	return true;
}

static void seen_before(struct nf_conntrack *ct, void *data)
{
	struct flow flow = { .ct = ct };

	if (flow_kept(&flow))
		remember(data, &flow);
}

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct flow flow = { .type = NFCT_T_UPDATE };
	struct monitor *monitor = data;
	struct nf_conntrack *ct;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_CTNETLINK)
		return MNL_CB_OK;
	if (NFNL_MSG_TYPE(nlh->nlmsg_type) == IPCTNL_MSG_CT_DELETE)
		flow.type = NFCT_T_DESTROY;
	else if (nlh->nlmsg_flags & NLM_F_CREATE)
		flow.type = NFCT_T_NEW;

	ct = nfct_new();
	if (!ct)
		out_of_memory();
	flow.ct = ct;
	if (nfct_nlmsg_parse(nlh, ct) < 0)
		goto out;
	if (flow.type == NFCT_T_DESTROY) {
		if (!recall(monitor, &flow))
			goto out;
	} else {
		if (!flow_kept(&flow))
			goto out;
		remember(monitor, &flow);
	}
	if (flow_match(monitor->args, &flow)) {
		flow_print(monitor->args, &flow);
		monitor->shown++;
	}
out:
	nfct_destroy(ct);
	return MNL_CB_OK;
}

static struct mnl_socket *subscribe(const struct args *args)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);

	if (!nl || mnl_socket_bind(nl, NF_NETLINK_CONNTRACK_NEW |
				   NF_NETLINK_CONNTRACK_UPDATE |
				   NF_NETLINK_CONNTRACK_DESTROY,
				   MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "conntrack events: %s; run it as root, after: modprobe nf_conntrack_netlink",
		    strerror(errno));
	netlink_buffer(nl, args->buffer);
	return nl;
}

static void overrun(struct monitor *monitor)
{
	monitor->overruns++;
	if (monitor->args->out & OUT_JSON)
		json_print(json_pack("{s:s}", "event", "overrun"));
	fflush(stdout);
	complain("events were lost here: they came faster than they were read; give --buffer-size more bytes or filter in conntrack");
}

static int flows_monitor(struct args *args)
{
	struct sigaction action = { .sa_handler = on_signal };
	static char buf[256 * 1024];
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct mnl_socket *nl;
	int len;

	if (!monitor)
		out_of_memory();
	monitor->args = args;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	nl = subscribe(args);
	flow_dump(AF_UNSPEC, seen_before, monitor);
	/* Scripts wait for this line. */
	note("waiting for events.");

	while (!stopped) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len >= 0) {
			mnl_cb_run(buf, len, 0, 0, on_event, monitor);
			fflush(stdout);
		} else if (errno == ENOBUFS) {
			overrun(monitor);
		} else if (errno != EINTR) {
			die(FAILED, "conntrack events: %s", strerror(errno));
		}
		if (ferror(stdout))
			break;
	}
	note("%lu flow events have been shown, %lu times some were lost.",
	     monitor->shown, monitor->overruns);
	return DONE;
}

int cmd_monitor(struct args *args)
{
	if (args->hooks && !args->services)
		die(BAD_ARGS, "--hooks: hooks are told of services alone; add --services");
	return args->services ? services_monitor(args) : flows_monitor(args);
}
