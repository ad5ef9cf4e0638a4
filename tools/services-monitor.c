// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events, and what there was before them, come by one socket. When the module
 * comes, or events were lost, the services are asked for: what has changed is told
 * like an event. The list has states of that very moment, of which the kernel may
 * never tell again: so it counts only until there is an event, and is asked for
 * until it is twice the same.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "args.h"
#include "clock.h"
#include "genl.h"
#include "hooks.h"
#include "netlink.h"
#include "say.h"
#include "services.h"
#include "services-monitor.h"
#include "signals.h"
#include "text.h"

/* Milliseconds */
#define AGAIN	100			/* after an answer that was no use */
#define CONFIRM	1000			/* to ask whether it is still the same */
#define LATE	5000			/* no answer comes any more */

struct known {
	struct service service;
	uint8_t state[2];		/* IPv4, IPv6 */
	bool told[2];			/* by an event, and none was lost since */
	bool seen;			/* in this list */
};

struct watch {
	const struct args *args;
	struct mnl_socket *nl;
	unsigned int n;
	struct known known[MACKEEP_SERVICES_MAX];
	bool begun;			/* the services are known, or no module */
	bool lost;			/* events were, or may have been */
	bool same;			/* this list has nothing new */
	unsigned int awaited;		/* sequence number of an answer; 0: none */
	int64_t ask_at;
};

/* --- what is known ----------------------------------------------------------------- */

static void show(const struct watch *watch, const struct service *service,
		 bool v6, uint8_t state)
{
	const char *family = v6 ? "ipv6" : "ipv4";
	json_t *object;
	char line[256];
	int n;

	if (watch->args->out & OUT_JSON) {
		object = service_json(service);
		json_object_set_new(object, family,
				    json_string(service_state(state)));
		json_print(object);
		return;
	}
	n = service_line(line, service);
	sprintf(line + n, " %s=%s", family, service_state(state));
	print_line(line);
}

/* What is there at the start is told to hooks alone. */
static void changed(struct watch *watch, struct known *known, bool v6,
		    uint8_t state)
{
	if (known->state[v6] == state)
		return;
	watch->same = false;
	known->state[v6] = state;
	if (watch->begun)
		show(watch, &known->service, v6, state);
	hooks_tell(&known->service, v6, state);
}

static struct known *find(struct watch *watch, const struct service *service)
{
	struct known *known;

	for (known = watch->known; known < watch->known + watch->n; known++)
		if (known->service.mark == service->mark &&
		    known->service.proto == service->proto)
			return known;
	return NULL;
}

/* NULL: there are more than the kernel can have; some must have gone unseen. */
static struct known *learn(struct watch *watch, const struct service *service)
{
	struct known *known = find(watch, service);

	if (!known && watch->n == MACKEEP_SERVICES_MAX) {
		watch->ask_at = 0;
		return NULL;
	}
	if (!known) {
		known = &watch->known[watch->n++];
		memset(known, 0, sizeof(*known));
		known->state[0] = SERVICE_UNKNOWN;
		known->state[1] = SERVICE_UNKNOWN;
	}
	known->service = *service;
	return known;
}

static void forget(struct watch *watch, struct known *known)
{
	changed(watch, known, false, SERVICE_GONE);
	changed(watch, known, true, SERVICE_GONE);
	*known = watch->known[--watch->n];
}

/* --- messages ---------------------------------------------------------------------- */

static void on_event(struct watch *watch, const struct nlattr **attrs)
{
	const struct nlattr *state;
	struct service service;
	struct known *known;
	bool v6;

	if (!service_read(&service, attrs))
		return;
	if (!attrs[MACKEEP_A_FAMILY]) {
		known = find(watch, &service);
		if (known)
			forget(watch, known);
		return;
	}
	v6 = mnl_attr_get_u8(attrs[MACKEEP_A_FAMILY]) == AF_INET6;
	state = attrs[v6 ? MACKEEP_A_STATE6 : MACKEEP_A_STATE4];
	known = learn(watch, &service);
	if (!known || !state)
		return;
	changed(watch, known, v6, mnl_attr_get_u8(state));
	known->told[v6] = true;
	known->seen = true;
}

static void on_service(struct watch *watch, const struct nlattr **attrs)
{
	struct service service;
	struct known *known;

	if (!service_read(&service, attrs) || !attrs[MACKEEP_A_STATE4] ||
	    !attrs[MACKEEP_A_STATE6])
		return;
	known = learn(watch, &service);
	if (!known)
		return;
	known->seen = true;
	if (!known->told[0])
		changed(watch, known, false,
			mnl_attr_get_u8(attrs[MACKEEP_A_STATE4]));
	if (!known->told[1])
		changed(watch, known, true,
			mnl_attr_get_u8(attrs[MACKEEP_A_STATE6]));
}

static void on_message(struct watch *watch, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];

	genl_parse(nlh, attrs);
	if (genl->cmd == MACKEEP_CMD_SERVICE_EVENT)
		on_event(watch, attrs);
	else if (genl->cmd == MACKEEP_CMD_SERVICES &&
		 nlh->nlmsg_seq == watch->awaited)
		on_service(watch, attrs);
}

static void begin(struct watch *watch)
{
	if (watch->begun)
		return;
	watch->begun = true;
	/* Scripts wait for this line. */
	note("waiting for events.");
}

/* The list is whole. */
static void on_done(struct watch *watch)
{
	unsigned int i;

	for (i = watch->n; i-- > 0;)
		if (!watch->known[i].seen)
			forget(watch, &watch->known[i]);
	watch->awaited = 0;
	watch->ask_at = watch->lost ? 0 : watch->same ? NEVER :
			clock_ms() + CONFIRM;
	begin(watch);
}

static void on_gone(struct watch *watch)
{
	while (watch->n)
		forget(watch, &watch->known[0]);
	watch->awaited = 0;
	watch->ask_at = NEVER;
	if (!watch->begun && !watch->args->hooks)
		die(FAILED, "kernel module: it is not loaded; run: modprobe mackeep");
	complain("kernel module: it is not loaded; this goes on when it is");
	begin(watch);
}

static void ask_services(struct watch *watch)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	unsigned int i;

	genl_join(watch->nl, MACKEEP_GENL_GROUP);
	for (i = 0; i < watch->n; i++) {
		watch->known[i].seen = false;
		if (watch->lost)
			memset(watch->known[i].told, 0,
			       sizeof(watch->known[i].told));
	}
	watch->lost = false;
	watch->same = true;
	nlh = genl_message(buf, MACKEEP_CMD_SERVICES, NLM_F_DUMP);
	if (mnl_socket_sendto(watch->nl, nlh, nlh->nlmsg_len) < 0)
		die(FAILED, "netlink: %s", strerror(errno));
	watch->awaited = nlh->nlmsg_seq;
}

static void ask(struct watch *watch)
{
	watch->awaited = genl_ask_family(watch->nl);
	watch->ask_at = clock_ms() + LATE;
}

/* Of what was asked: no such family, none any more, or not now */
static void on_error(struct watch *watch, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_seq != watch->awaited || !err->error)
		return;
	if (err->error == -EPERM)
		die(FAILED, "kernel: permission denied; run it as root of the namespace");
	if (err->error == -ENOENT && err->msg.nlmsg_type == GENL_ID_CTRL)
		on_gone(watch);
	else
		watch->ask_at = clock_ms() + AGAIN;
}

static void on_any(struct watch *watch, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		on_error(watch, nlh);
		return;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		if (nlh->nlmsg_seq == watch->awaited)
			on_done(watch);
		return;
	}
	switch (genl_what(nlh)) {
	case GENL_THERE:
		if (nlh->nlmsg_seq == watch->awaited) {
			ask_services(watch);
		} else {
			watch->lost = true;
			watch->ask_at = 0;
		}
		break;
	case GENL_GONE:
		on_gone(watch);
		break;
	case GENL_MESSAGE:
		on_message(watch, nlh);
		break;
	case GENL_OTHER:
		break;
	}
}

/* Takes all that has come. */
static void receive(struct watch *watch)
{
	static char buf[128 * 1024];
	int fd = mnl_socket_get_fd(watch->nl), len;
	struct nlmsghdr *nlh;

	while ((len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0 ||
	       errno == ENOBUFS) {
		if (len < 0) {
			complain("events were lost here: they came faster than they were read; the states are asked for again");
			watch->lost = true;
			watch->ask_at = 0;
			continue;
		}
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			on_any(watch, nlh);
	}
	if (errno != EAGAIN && errno != EINTR)
		die(FAILED, "service events: %s", strerror(errno));
	fflush(stdout);
}

/* --- the loop ------------------------------------------------------------------------- */

/*
 * Hooks learn what has come before the signal to end, and may take their time for
 * it once; a second signal ends them.
 */
int services_monitor(const struct args *args)
{
	static struct watch watch;
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int64_t next, end_at = NEVER;

	watch.args = args;
	watch.nl = genl_listen();
	netlink_buffer(watch.nl, args->buffer);
	if (args->hooks)
		hooks_open(args->hooks, args->hook_timeout * 1000LL);
	fds[0].fd = mnl_socket_get_fd(watch.nl);
	fds[1].fd = signals_open();

	while (!ferror(stdout)) {
		if (watch.ask_at <= clock_ms())
			ask(&watch);
		next = clock_first(hooks_run(), watch.ask_at);
		if (end_at != NEVER && (hooks_idle() || end_at <= clock_ms()))
			break;
		poll(fds, 2, clock_until(clock_first(next, end_at)));
		receive(&watch);
		switch (signals_read(fds[1].fd)) {
		case 0:
			break;
		case 1:
			end_at = end_at != NEVER ? 0 :
				 clock_ms() + args->hook_timeout * 1000LL;
			break;
		default:
			end_at = 0;
		}
	}
	hooks_kill();
	return DONE;
}
