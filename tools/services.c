// SPDX-License-Identifier: GPL-2.0-only
/* mackeep services, mackeep monitor --services */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/mackeep.h>

#include "args.h"
#include "commands.h"
#include "genl.h"
#include "say.h"
#include "services.h"
#include "text.h"

static const char *const states[] = {
	[MACKEEP_SERVICE_OPEN] = "open",
	[MACKEEP_SERVICE_NOLISTENER] = "nolistener",
	[MACKEEP_SERVICE_BACKLOG] = "backlog",
	[MACKEEP_SERVICE_TABLEFULL] = "tablefull",
	[MACKEEP_SERVICE_BYPASS] = "bypass",
	[MACKEEP_SERVICE_MIDSTREAM] = "midstream",
};

static const char *state_text(const struct nlattr *attr)
{
	uint8_t state = attr ? mnl_attr_get_u8(attr) : MACKEEP_SERVICE_MAX + 1;

	return state <= MACKEEP_SERVICE_MAX ? states[state] : "?";
}

static const char *proto_text(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : "udp";
}

static json_t *service_json(const struct nlattr **attrs)
{
	return json_pack("{s:s, s:i, s:I}", "proto",
			 proto_text(mnl_attr_get_u8(attrs[MACKEEP_A_PROTO])),
			 "to", mnl_attr_get_u16(attrs[MACKEEP_A_PORT]), "mark",
			 (json_int_t)mnl_attr_get_u32(attrs[MACKEEP_A_MARK]));
}

static int service_line(char *line, const struct nlattr **attrs)
{
	return sprintf(line, "%s to=%u mark=0x%x",
		       proto_text(mnl_attr_get_u8(attrs[MACKEEP_A_PROTO])),
		       mnl_attr_get_u16(attrs[MACKEEP_A_PORT]),
		       mnl_attr_get_u32(attrs[MACKEEP_A_MARK]));
}

static bool service_whole(const struct nlattr **attrs)
{
	return attrs[MACKEEP_A_PROTO] && attrs[MACKEEP_A_PORT] &&
	       attrs[MACKEEP_A_MARK];
}

struct services {
	const struct args *args;
	unsigned long shown;
};

static void show_json(const struct nlattr **attrs, const uint64_t *counts,
		      bool closed, bool bypass)
{
	json_t *object = service_json(attrs), *frames = json_object();
	unsigned int i;

	json_object_set_new(object, "fail", json_string(closed ? "closed" : "open"));
	json_object_set_new(object, "bypass", json_boolean(bypass));
	json_object_set_new(object, "synproxy",
			    json_boolean(attrs[MACKEEP_A_SYNPROXY]));
	json_object_set_new(object, "ipv4",
			    json_string(state_text(attrs[MACKEEP_A_STATE4])));
	json_object_set_new(object, "ipv6",
			    json_string(state_text(attrs[MACKEEP_A_STATE6])));
	for (i = 0; i <= MACKEEP_SERVICE_MAX; i++)
		json_object_set_new(frames, i ? states[i] : "lifted",
				    json_integer(counts[i]));
	json_object_set_new(object, "frames", frames);
	json_print(object);
}

static int on_service(const struct nlmsghdr *nlh, void *data)
{
	uint64_t counts[MACKEEP_SERVICE_MAX + 1];
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct services *services = data;
	bool closed, bypass;
	char line[512];
	unsigned int i;
	int n;

	genl_parse(nlh, attrs);
	if (!service_whole(attrs) || !attrs[MACKEEP_A_FAIL] ||
	    !attrs[MACKEEP_A_BYPASS] || !attrs[MACKEEP_A_COUNTS])
		return MNL_CB_OK;
	closed = mnl_attr_get_u8(attrs[MACKEEP_A_FAIL]) == MACKEEP_FAIL_CLOSED;
	bypass = mnl_attr_get_u8(attrs[MACKEEP_A_BYPASS]);
	memcpy(counts, mnl_attr_get_payload(attrs[MACKEEP_A_COUNTS]),
	       sizeof(counts));
	services->shown++;
	if (services->args->out & OUT_JSON) {
		show_json(attrs, counts, closed, bypass);
		return MNL_CB_OK;
	}
	n = service_line(line, attrs);
	n += sprintf(line + n, " ipv4=%s ipv6=%s fail=%s%s",
		     state_text(attrs[MACKEEP_A_STATE4]),
		     state_text(attrs[MACKEEP_A_STATE6]),
		     closed ? "closed" : "open",
		     attrs[MACKEEP_A_SYNPROXY] ? " synproxy" : "");
	for (i = 0; i <= MACKEEP_SERVICE_MAX; i++)
		if (counts[i] || !i)
			n += sprintf(line + n, " %s=%llu",
				     i ? states[i] : "lifted",
				     (unsigned long long)counts[i]);
	print_line(line);
	return MNL_CB_OK;
}

static int services_list(const struct args *args)
{
	struct services services = { .args = args };
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];

	if (args->out & OUT_JSON)
		json_begin();
	genl_talk(nl, genl_message(buf, MACKEEP_CMD_SERVICES, NLM_F_DUMP),
		  on_service, &services);
	if (args->out & OUT_JSON)
		json_end();
	note("%lu services have been shown.", services.shown);
	mnl_socket_close(nl);
	return DONE;
}

static int services_change(const struct args *args, uint8_t cmd)
{
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = genl_message(buf, cmd, NLM_F_ACK);

	mnl_attr_put_u32(nlh, MACKEEP_A_MARK, args->mark);
	mnl_attr_put_u8(nlh, MACKEEP_A_PROTO, args->proto);
	if (cmd == MACKEEP_CMD_SERVICE_NEW)
		mnl_attr_put_u16(nlh, MACKEEP_A_PORT, args->to);
	if (cmd != MACKEEP_CMD_SERVICE_DEL && args->fail >= 0)
		mnl_attr_put_u8(nlh, MACKEEP_A_FAIL, args->fail);
	if (cmd != MACKEEP_CMD_SERVICE_DEL && args->bypass >= 0)
		mnl_attr_put_u8(nlh, MACKEEP_A_BYPASS, args->bypass);
	if (cmd == MACKEEP_CMD_SERVICE_NEW && args->synproxy)
		mnl_attr_put(nlh, MACKEEP_A_SYNPROXY, 0, NULL);
	genl_talk(nl, nlh, NULL, NULL);
	mnl_socket_close(nl);
	return DONE;
}

/* --- as they are, and back ---------------------------------------------------------- */

static int on_read(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	json_t *services = data, *service;

	genl_parse(nlh, attrs);
	if (!service_whole(attrs) || !attrs[MACKEEP_A_FAIL] ||
	    !attrs[MACKEEP_A_BYPASS])
		return MNL_CB_OK;
	service = json_object();
	json_int(service, "mark", mnl_attr_get_u32(attrs[MACKEEP_A_MARK]));
	json_int(service, "proto", mnl_attr_get_u8(attrs[MACKEEP_A_PROTO]));
	json_int(service, "port", mnl_attr_get_u16(attrs[MACKEEP_A_PORT]));
	json_int(service, "fail", mnl_attr_get_u8(attrs[MACKEEP_A_FAIL]));
	json_int(service, "bypass", mnl_attr_get_u8(attrs[MACKEEP_A_BYPASS]));
	json_int(service, "synproxy", !!attrs[MACKEEP_A_SYNPROXY]);
	json_array_append_new(services, service);
	return MNL_CB_OK;
}

json_t *services_read(void)
{
	json_t *services = json_array();
	struct mnl_socket *nl = genl_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];

	if (genl_has_services())
		genl_talk(nl, genl_message(buf, MACKEEP_CMD_SERVICES, NLM_F_DUMP),
			  on_read, services);
	mnl_socket_close(nl);
	return services;
}

static bool service_there(const json_t *service)
{
	json_t *services = services_read(), *one;
	bool there = false;
	size_t i;

	json_array_foreach(services, i, one)
		if (json_equal(json_object_get(one, "mark"),
			       json_object_get(service, "mark")) &&
		    json_equal(json_object_get(one, "proto"),
			       json_object_get(service, "proto")))
			there = true;
	json_decref(services);
	return there;
}

void services_write(const json_t *service, bool bypass)
{
	struct args args = {
		.mark = json_integer_value(json_object_get(service, "mark")),
		.proto = json_integer_value(json_object_get(service, "proto")),
		.to = json_integer_value(json_object_get(service, "port")),
		.fail = json_integer_value(json_object_get(service, "fail")),
		.synproxy = json_integer_value(json_object_get(service, "synproxy")),
		.bypass = bypass,
	};

	services_change(&args, service_there(service) ?
				       MACKEEP_CMD_SERVICE_SET :
				       MACKEEP_CMD_SERVICE_NEW);
}

int cmd_services(struct args *args)
{
	const char *verb = args->verb ?: "list";

	if (!strcmp(verb, "list"))
		return services_list(args);
	if (!args->marked || (args->proto != IPPROTO_TCP &&
			      args->proto != IPPROTO_UDP))
		die(BAD_ARGS, "services %s: which service? give --mark and --proto tcp or udp; \"mackeep services\" lists them",
		    verb);
	if (!strcmp(verb, "del"))
		return services_change(args, MACKEEP_CMD_SERVICE_DEL);
	if (!strcmp(verb, "set")) {
		if (args->fail < 0 && args->bypass < 0)
			die(BAD_ARGS, "services set: nothing is to be set; give --fail or --bypass");
		return services_change(args, MACKEEP_CMD_SERVICE_SET);
	}
	if (strcmp(verb, "add"))
		die(BAD_ARGS, "services %s: it is list, add, set or del", verb);
	if (!args->to)
		die(BAD_ARGS, "services add: the proxy's port is not given; for instance --to 3129");
	return services_change(args, MACKEEP_CMD_SERVICE_NEW);
}

/* --- monitor --services ------------------------------------------------------------ */

struct listening {
	const struct args *args;
	struct mnl_socket *nl;
};

static int on_state(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	const struct listening *listening = data;
	const struct args *args = listening->args;
	const char *family, *state;
	json_t *object;
	char line[256];
	int n;

	if (!genl_event(listening->nl, nlh))
		return MNL_CB_OK;
	genl_parse(nlh, attrs);
	if (!service_whole(attrs) || !attrs[MACKEEP_A_FAMILY])
		return MNL_CB_OK;
	if (mnl_attr_get_u8(attrs[MACKEEP_A_FAMILY]) == AF_INET6) {
		family = "ipv6";
		state = state_text(attrs[MACKEEP_A_STATE6]);
	} else {
		family = "ipv4";
		state = state_text(attrs[MACKEEP_A_STATE4]);
	}
	if (args->out & OUT_JSON) {
		object = service_json(attrs);
		json_object_set_new(object, family, json_string(state));
		json_print(object);
	} else {
		n = service_line(line, attrs);
		sprintf(line + n, " %s=%s", family, state);
		print_line(line);
	}
	fflush(stdout);
	return MNL_CB_OK;
}

int services_monitor(const struct args *args)
{
	struct mnl_socket *nl = genl_open();
	struct listening listening = { args, nl };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	int len;

	genl_join(nl, MACKEEP_GENL_GROUP);
	/* Scripts wait for this line. */
	note("waiting for events.");
	for (;;) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len >= 0)
			mnl_cb_run(buf, len, 0, 0, on_state, &listening);
		else if (errno == ENOBUFS)
			complain("events were lost here: they came faster than they were read; \"mackeep services\" has the states");
		else if (errno != EINTR)
			die(FAILED, "service events: %s", strerror(errno));
	}
}
