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
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "commands.h"
#include "flow.h"
#include "left.h"
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
	struct mnl_socket *left;
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

/* A packet of a flow was left alone; what is known of the flow is told with it. */
static void on_left(struct monitor *monitor, const struct nlmsghdr *nlh)
{
	struct flow flow = { .type = NFCT_T_UNKNOWN, .now = true };
	struct nf_conntrack *ct;
	struct known *known;
	struct left left;
	uint32_t untold;

	ct = left_event(monitor->left, nlh, &left, &untold);
	if (!ct)
		return;
	if (untold && monitor->args->out & OUT_JSON)
		json_print(json_pack("{s:s, s:i}", "event", "untold", "count",
				     untold));
	if (untold)
		complain("%u more flows had packets that were left alone, which is too many to tell",
			 untold);
	known = *find(monitor, left.id);
	flow.ct = ct;
	flow.left = &left;
	flow.bare = !known;
	if (known)
		flow.info = known->info;
	if (flow_match(monitor->args, &flow)) {
		flow_print(monitor->args, &flow);
		monitor->shown++;
	}
	nfct_destroy(ct);
}

/* Takes all that has come. */
static void receive_left(struct monitor *monitor)
{
	int fd = mnl_socket_get_fd(monitor->left), len;
	static char buf[128 * 1024];
	struct nlmsghdr *nlh;

	while ((len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0 ||
	       errno == ENOBUFS)
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			on_left(monitor, nlh);
	if (errno != EAGAIN && errno != EINTR)
		die(FAILED, "events of the kernel module: %s", strerror(errno));
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

static void receive(struct monitor *monitor, struct mnl_socket *nl)
{
	static char buf[256 * 1024];
	int len = recv(mnl_socket_get_fd(nl), buf, sizeof(buf), MSG_DONTWAIT);

	if (len >= 0)
		mnl_cb_run(buf, len, 0, 0, on_event, monitor);
	else if (errno == ENOBUFS)
		overrun(monitor);
	else if (errno != EINTR && errno != EAGAIN)
		die(FAILED, "conntrack events: %s", strerror(errno));
}

static int flows_monitor(struct args *args)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct mnl_socket *nl;

	if (!monitor)
		out_of_memory();
	monitor->args = args;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	nl = subscribe(args);
	monitor->left = left_listen();
	fds[0].fd = mnl_socket_get_fd(nl);
	fds[1].fd = mnl_socket_get_fd(monitor->left);
	flow_dump(AF_UNSPEC, false, seen_before, monitor);
	/* The kernel has answered by now: the group is joined before the line. */
	receive_left(monitor);
	/* Scripts wait for this line. */
	note("waiting for events.");

	while (!stopped && !ferror(stdout)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			receive(monitor, nl);
		if (fds[1].revents)
			receive_left(monitor);
		fflush(stdout);
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
