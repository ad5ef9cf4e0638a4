// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "clock.h"
#include "file.h"
#include "genl.h"
#include "say.h"
#include "signals.h"
#include "watch.h"

/* Milliseconds: a burst ends when nothing comes for so long, and after so long. */
#define QUIET	100
#define BURST	500

/* Who tells, which is what epoll hands out */
enum { RULES, ROUTES, MODULE, SIGNALS, SOURCES };

static struct mnl_socket *module;
static unsigned int asked;		/* sequence number; its answer is no event */
static int source[SOURCES];		/* descriptors */
static char who[SOURCES][48];		/* has changed something last; "": unknown */

/* --- what messages are about --------------------------------------------------- */

/* The process, which nft tells at the end of what it has changed at once */
static void rules_by(const struct nlmsghdr *nlh)
{
	const char *name = "";
	uint32_t process = 0;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_PID &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			process = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
	}
	*who[RULES] = '\0';
	if (*name)
		snprintf(who[RULES], sizeof(who[RULES]), "%s, process %u,", name,
			 process);
}

/* A program's first socket has the number of its process. */
static void routes_by(const struct nlmsghdr *nlh)
{
	char path[32], name[24];

	*who[ROUTES] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/comm", nlh->nlmsg_pid);
	if (nlh->nlmsg_pid && file_line(path, name, sizeof(name)))
		snprintf(who[ROUTES], sizeof(who[ROUTES]), "%s, process %u,",
			 name, nlh->nlmsg_pid);
}

const char *watch_who(unsigned int what)
{
	return what & WATCH_RULES ? who[RULES] :
	       what & (WATCH_LINKS | WATCH_ROUTES) ? who[ROUTES] : "";
}

/* Sets get and lose elements all the time, as traffic goes. */
static unsigned int on_rules(const struct nlmsghdr *nlh)
{
	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return 0;
	switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
	case NFT_MSG_NEWGEN:
		rules_by(nlh);
		return 0;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		return 0;
	}
	return WATCH_RULES;
}

/* Neighbours are asked again all the time, and bridges learn stations. */
static unsigned int on_neighbour(const struct nlmsghdr *nlh)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*neighbour) ||
	    neighbour->ndm_family == AF_BRIDGE)
		return 0;
	return nlh->nlmsg_type == RTM_DELNEIGH ||
	       neighbour->ndm_state & (NUD_FAILED | NUD_PERMANENT) ?
	       WATCH_NEIGHBOURS : 0;
}

static unsigned int on_routes(const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_DELLINK:
		routes_by(nlh);
		return WATCH_LINKS;
	case RTM_NEWLINK:
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		return WATCH_LINKS;
	case RTM_DELADDR:
	case RTM_DELROUTE:
	case RTM_DELRULE:
		routes_by(nlh);
		return WATCH_ROUTES;
	case RTM_NEWADDR:
	case RTM_NEWROUTE:
	case RTM_NEWRULE:
		return WATCH_ROUTES;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return on_neighbour(nlh);
	}
	return 0;
}

/* The module's group leaves the socket with the module. */
static unsigned int on_module(const struct nlmsghdr *nlh)
{
	switch (genl_what(nlh)) {
	case GENL_THERE:
		genl_follow(module);
		return nlh->nlmsg_seq == asked ? 0 : WATCH_MODULE;
	case GENL_GONE:
		return WATCH_MODULE;
	case GENL_MESSAGE:
		return WATCH_SERVICES;
	case GENL_OTHER:
		break;
	}
	return 0;
}

/* --- receiving ----------------------------------------------------------------- */

static unsigned int receive(unsigned int from)
{
	static unsigned int (*const on[])(const struct nlmsghdr *) = {
		[RULES] = on_rules, [ROUTES] = on_routes, [MODULE] = on_module,
	};
	static char buf[128 * 1024];
	unsigned int changed = 0;
	struct nlmsghdr *nlh;
	int len;

	if (from == SIGNALS)
		return signals_read(source[from]) ? WATCH_END : 0;
	while ((len = recv(source[from], buf, sizeof(buf), MSG_DONTWAIT)) >= 0 ||
	       errno == ENOBUFS || errno == EINTR) {
		if (len < 0 && errno == ENOBUFS) {
			/* The module may be another by now. */
			asked = genl_ask_family(module);
			changed = WATCH_CHANGES;
		}
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			changed |= on[from](nlh);
	}
	if (errno != EAGAIN)
		die(FAILED, "events: %s", strerror(errno));
	return changed;
}

unsigned int watch_wait(int fd, int timeout_ms)
{
	int64_t end = timeout_ms < 0 ? NEVER : clock_ms() + timeout_ms;
	int64_t burst = NEVER, until = end;
	struct epoll_event events[SOURCES];
	unsigned int changed = 0, came;
	int n;

	for (;;) {
		n = epoll_wait(fd, events, SOURCES, clock_until(until));
		if (n < 0 && errno != EINTR)
			die(FAILED, "events: %s", strerror(errno));
		for (came = 0; n > 0; n--)
			came |= receive(events[n - 1].data.u32);
		changed |= came;
		if (changed & WATCH_END || clock_ms() >= until)
			return changed;
		if (!came)
			continue;
		burst = clock_first(burst, clock_ms() + BURST);
		until = clock_first(burst, clock_ms() + QUIET);
	}
}

/* --- opening ------------------------------------------------------------------- */

static int listen_to(int family, const char *what, const int *groups, unsigned int n)
{
	struct mnl_socket *nl = mnl_socket_open2(family, SOCK_CLOEXEC);
	unsigned int i;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die(FAILED, "%s: %s", what, strerror(errno));
	for (i = 0; i < n; i++)
		if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP,
					  (void *)&groups[i], sizeof(groups[i])) < 0)
			die(FAILED, "%s: %s; run it as root", what, strerror(errno));
	return mnl_socket_get_fd(nl);
}

int watch_open(void)
{
	static const int rules[] = { NFNLGRP_NFTABLES };
	static const int routes[] = {
		RTNLGRP_LINK, RTNLGRP_NEIGH,
		RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE,
		RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
	};
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	source[RULES] = listen_to(NETLINK_NETFILTER, "nft events", rules, 1);
	source[ROUTES] = listen_to(NETLINK_ROUTE, "rtnetlink events", routes,
				   sizeof(routes) / sizeof(*routes));
	module = genl_listen();
	asked = genl_ask_family(module);
	source[MODULE] = mnl_socket_get_fd(module);
	source[SIGNALS] = signals_open();
	for (event.data.u32 = 0; event.data.u32 < SOURCES; event.data.u32++)
		if (epoll_ctl(fd, EPOLL_CTL_ADD, source[event.data.u32],
			      &event) < 0)
			die(FAILED, "events: %s", strerror(errno));
	return fd;
}
