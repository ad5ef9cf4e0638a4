// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep follow-link: when a port of a bridge has no carrier, the others are
 * taken down, so that whoever is behind them sees it too.
 *
 * A port that is down has no carrier to look at. So one that has lost its own is
 * left up: when its cable is back it shows, and the others are set up again. Two
 * such boxes in a row do not wait for each other, for the same reason: of a cable
 * between them, each box takes its end down only for another port, which is up.
 *
 * A port that was set up needs time for its carrier. Until that has passed the lack
 * of one is no loss; else two ports would take each other down for ever.
 *
 * Events only say that something has changed, and all ports are then asked for: an
 * event may be older than what was done meanwhile.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <linux/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "clock.h"
#include "commands.h"
#include "netlink.h"
#include "say.h"
#include "signals.h"
#include "state.h"

#define RETRY	1000			/* milliseconds, when a port refuses */

struct port {
	struct port *next;
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	bool up, carrier;
	bool ours;			/* it is down because we took it down */
	bool seen;			/* it is a port of the bridge */
	int64_t settled;		/* from then on it should have a carrier */
};

struct follow {
	const struct args *args;
	unsigned int bridge;		/* its ifindex */
	struct port *ports;
	struct mnl_socket *nl;		/* for what is asked; events have their own */
	int64_t whole;			/* since when all have a carrier; NEVER */
	const char *path;
	int file;
};

/* --- what is ours, for the next one if we are killed ----------------------------- */

/* Lines of one length: half of the old and half of the new are lines as well. */
#define LINE	32

/* Call it before a port is taken down, and after it was set up. */
static void save(const struct follow *follow)
{
	const struct port *port;
	char line[LINE + 1];
	off_t at = 0;

	for (port = follow->ports; port; port = port->next) {
		if (!port->ours)
			continue;
		snprintf(line, sizeof(line), "%-10u %-20s\n", port->ifindex,
			 port->name);
		if (pwrite(follow->file, line, LINE, at) != LINE)
			complain("%s: %s; if this is killed, set the port up by hand: ip link set %s up",
				 follow->path, strerror(errno), port->name);
		at += LINE;
	}
	if (ftruncate(follow->file, at) < 0)
		complain("%s: %s", follow->path, strerror(errno));
}

static struct port *find(struct follow *follow, unsigned int ifindex)
{
	struct port *port;

	for (port = follow->ports; port; port = port->next)
		if (port->ifindex == ifindex)
			return port;
	port = calloc(1, sizeof(*port));
	if (!port)
		out_of_memory();
	port->ifindex = ifindex;
	port->next = follow->ports;
	follow->ports = port;
	return port;
}

static void load(struct follow *follow)
{
	char line[LINE + 1] = "", name[IF_NAMESIZE];
	unsigned int ifindex;
	struct port *port;
	off_t at = 0;

	follow->path = state_file(follow->args->bridge, ".link");
	follow->file = state_open(follow->path);
	if (flock(follow->file, LOCK_EX | LOCK_NB) < 0)
		die(FAILED, "bridge %s: it is followed already; see \"systemctl status mackeep-link@%s\", or end the other one",
		    follow->args->bridge, follow->args->bridge);
	for (; pread(follow->file, line, LINE, at) == LINE; at += LINE) {
		if (sscanf(line, "%u %15s", &ifindex, name) != 2)
			continue;
		port = find(follow, ifindex);
		port->ours = true;
		snprintf(port->name, sizeof(port->name), "%s", name);
	}
}

/* --- the kernel ----------------------------------------------------------------------- */

static struct mnl_socket *open_route(unsigned int groups)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!nl || mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "rtnetlink: %s", strerror(errno));
	return nl;
}

static struct nlmsghdr *message(void *buf, uint16_t type, uint16_t flags,
				struct ifinfomsg **info)
{
	static unsigned int seq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	if (!seq)
		seq = time(NULL);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++seq;
	*info = mnl_nlmsg_put_extra_header(nlh, sizeof(**info));
	return nlh;
}

static int on_port(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct follow *follow = data;
	const struct nlattr *attr;
	const char *name = NULL;
	uint32_t master = 0;
	struct port *port;
	bool up;

	mnl_attr_for_each(attr, nlh, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == IFLA_MASTER &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			master = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
	}
	if (master != follow->bridge || !name)
		return MNL_CB_OK;
	port = find(follow, info->ifi_index);
	snprintf(port->name, sizeof(port->name), "%s", name);
	up = info->ifi_flags & IFF_UP;
	if (up && !port->up)
		port->settled = clock_ms() + follow->args->wait * 1000LL;
	port->up = up;
	port->carrier = info->ifi_flags & IFF_LOWER_UP;
	if (port->carrier)
		port->settled = 0;
	port->seen = true;
	return MNL_CB_OK;
}

static void ask_ports(struct follow *follow)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *nlh;
	struct port *port;

	do {
		for (port = follow->ports; port; port = port->next)
			port->seen = false;
		nlh = message(buf, RTM_GETLINK, NLM_F_DUMP, &info);
		mnl_attr_put_u32(nlh, IFLA_MASTER, follow->bridge);
		if (mnl_socket_sendto(follow->nl, nlh, nlh->nlmsg_len) < 0)
			die(FAILED, "rtnetlink: %s", strerror(errno));
	} while (!netlink_receive(follow->nl, nlh->nlmsg_seq, on_port, follow));
}

/* False: errno tells why. */
static bool set_port(struct follow *follow, const struct port *port, bool up)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *nlh = message(buf, RTM_SETLINK, NLM_F_ACK, &info);
	unsigned int seq = nlh->nlmsg_seq;
	int len;

	info->ifi_index = port->ifindex;
	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	if (mnl_socket_sendto(follow->nl, nlh, nlh->nlmsg_len) < 0)
		return false;
	do
		len = mnl_socket_recvfrom(follow->nl, buf, sizeof(buf));
	while (len < 0 && errno == EINTR);
	return len >= 0 && mnl_cb_run(buf, len, seq, 0, NULL, NULL) >= 0;
}

/* --- following ------------------------------------------------------------------------- */

/* A device that is gone needs nothing. */
static void set_up(struct follow *follow, struct port *port, const char *why)
{
	if (set_port(follow, port, true)) {
		note("%s: port %s is set up: %s.", follow->args->bridge,
		     port->name, why);
	} else if (errno != ENODEV) {
		complain("port %s: it cannot be set up: %s", port->name,
			 strerror(errno));
		return;
	}
	port->ours = false;
	port->up = true;
	port->settled = clock_ms() + follow->args->wait * 1000LL;
	save(follow);
}

static void take_down(struct follow *follow, struct port *port,
		      const struct port *lost)
{
	port->ours = true;
	save(follow);
	if (!set_port(follow, port, false)) {
		complain("port %s: it cannot be taken down: %s", port->name,
			 strerror(errno));
		port->ours = false;
		save(follow);
		return;
	}
	note("%s: port %s is taken down: %s has no carrier.",
	     follow->args->bridge, port->name, lost->name);
	port->up = false;
}

/* Ports that left the bridge, and those that somebody else has set up */
static void let_go(struct follow *follow)
{
	struct port **at = &follow->ports, *port;

	while ((port = *at)) {
		if (port->ours && !port->seen) {
			set_up(follow, port, "it has left the bridge");
		} else if (port->ours && port->up) {
			port->ours = false;
			save(follow);
		}
		if (port->seen || port->ours) {
			at = &port->next;
			continue;
		}
		*at = port->next;
		free(port);
	}
}

static bool watched(const struct port *port)
{
	return port->seen && port->up;
}

/* When to look again */
static int64_t follow_ports(struct follow *follow)
{
	int64_t now = clock_ms(), next = NEVER;
	const struct port *lost = NULL;
	struct port *port;
	bool whole = true, ours = false;

	for (port = follow->ports; port; port = port->next) {
		ours = ours || port->ours;
		if (!watched(port) || port->carrier)
			continue;
		whole = false;
		if (port->settled <= now)
			lost = port;
		else
			next = clock_first(next, port->settled);
	}
	if (!whole)
		follow->whole = NEVER;
	else if (follow->whole == NEVER)
		follow->whole = now;

	for (port = follow->ports; lost && port; port = port->next) {
		if (!watched(port) ||
		    (!port->carrier && port->settled <= now))
			continue;
		take_down(follow, port, lost);
		if (!port->ours)
			next = clock_first(next, now + RETRY);
	}
	if (!whole || !ours)
		return next;
	if (now < follow->whole + follow->args->hold * 1000LL)
		return follow->whole + follow->args->hold * 1000LL;
	for (port = follow->ports; port; port = port->next) {
		if (!port->ours)
			continue;
		set_up(follow, port, "the others have their carrier");
		next = clock_first(next, port->ours ? now + RETRY :
				   port->settled);
	}
	return next;
}

static void drain(struct mnl_socket *events)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int fd = mnl_socket_get_fd(events);

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

static int on_bridge(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *nested;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(nested, attr)
			if (mnl_attr_get_type(nested) == IFLA_INFO_KIND &&
			    mnl_attr_get_payload_len(nested) >= 6 &&
			    !strncmp(mnl_attr_get_str(nested), "bridge", 6))
				*(bool *)data = true;
	}
	return MNL_CB_OK;
}

static void find_bridge(struct follow *follow)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *nlh = message(buf, RTM_GETLINK, NLM_F_ACK, &info);
	const char *name = follow->args->bridge;
	bool bridge = false;

	follow->bridge = if_nametoindex(name);
	if (!follow->bridge)
		die(FAILED, "bridge %s: no such device; \"ip link show type bridge\" tells which there are",
		    name);
	info->ifi_index = follow->bridge;
	if (mnl_socket_sendto(follow->nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "rtnetlink: %s", strerror(errno));
	netlink_receive(follow->nl, nlh->nlmsg_seq, on_bridge, &bridge);
	if (!bridge)
		die(FAILED, "bridge %s: it is not a bridge; \"ip link show type bridge\" tells which there are",
		    name);
}

int cmd_follow_link(struct args *args)
{
	struct follow follow = { .args = args, .whole = NEVER };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct mnl_socket *events;
	struct port *port;
	bool ended = false;

	if (!args->bridge)
		die(BAD_ARGS, "--bridge: which bridge? \"ip link show type bridge\" tells which there are");
	follow.nl = open_route(0);
	find_bridge(&follow);
	load(&follow);
	events = open_route(RTMGRP_LINK);
	fds[0].fd = mnl_socket_get_fd(events);
	fds[1].fd = signals_open();
	/* Scripts wait for this line. */
	note("%s: its ports are followed.", args->bridge);

	while (!ended) {
		drain(events);
		ask_ports(&follow);
		let_go(&follow);
		if (if_nametoindex(args->bridge) != follow.bridge) {
			note("%s: it is gone.", args->bridge);
			break;
		}
		poll(fds, 2, clock_until(follow_ports(&follow)));
		ended = signals_read(fds[1].fd);
	}
	for (port = follow.ports; port; port = port->next)
		if (port->ours)
			set_up(&follow, port, "nobody follows any more");
	if (!lseek(follow.file, 0, SEEK_END))
		unlink(follow.path);
	return DONE;
}
