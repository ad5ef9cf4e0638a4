// SPDX-License-Identifier: GPL-2.0-only
/* mackeep services */
#include <arpa/inet.h>
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
#include "values.h"

static const char *const states[] = {
	[MACKEEP_SERVICE_OPEN] = "open",
	[MACKEEP_SERVICE_NOLISTENER] = "nolistener",
	[MACKEEP_SERVICE_BACKLOG] = "backlog",
	[MACKEEP_SERVICE_TABLEFULL] = "tablefull",
	[MACKEEP_SERVICE_BYPASS] = "bypass",
	[MACKEEP_SERVICE_SETTLING] = "settling",
	[MACKEEP_SERVICE_MIDSTREAM] = "midstream",
	[MACKEEP_SERVICE_REHEARSED] = "rehearsed",
};

const char *service_state(uint8_t state)
{
	return state <= MACKEEP_SERVICE_MAX ? states[state] :
	       state == SERVICE_GONE ? "gone" : "?";
}

static const char *state_text(const struct nlattr *attr)
{
	return service_state(attr ? mnl_attr_get_u8(attr) : SERVICE_UNKNOWN);
}

const char *service_proto(const struct service *service)
{
	return service->proto == IPPROTO_TCP ? "tcp" : "udp";
}

json_t *service_json(const struct service *service)
{
	return json_pack("{s:s, s:i, s:I}", "proto", service_proto(service),
			 "to", service->port, "mark",
			 (json_int_t)service->mark);
}

int service_line(char *line, const struct service *service)
{
	return sprintf(line, "%s to=%u mark=0x%x", service_proto(service),
		       service->port, service->mark);
}

/* An address as text, or NULL */
static const char *on_text(const struct nlattr *attr, int family, char *text)
{
	return attr ? inet_ntop(family, mnl_attr_get_payload(attr), text,
				INET6_ADDRSTRLEN) : NULL;
}

bool service_read(struct service *service, const struct nlattr **attrs)
{
	if (!attrs[MACKEEP_A_PROTO] || !attrs[MACKEEP_A_PORT] ||
	    !attrs[MACKEEP_A_MARK] || !attrs[MACKEEP_A_FAIL])
		return false;
	memset(service, 0, sizeof(*service));
	service->mark = mnl_attr_get_u32(attrs[MACKEEP_A_MARK]);
	service->port = mnl_attr_get_u16(attrs[MACKEEP_A_PORT]);
	service->proto = mnl_attr_get_u8(attrs[MACKEEP_A_PROTO]);
	service->fail = mnl_attr_get_u8(attrs[MACKEEP_A_FAIL]);
	return true;
}

struct services {
	const struct args *args;
	unsigned long shown;
};

static bool service_match(const struct args *args, const struct service *service)
{
	return (!args->marked || service->mark == args->mark) &&
	       (!args->proto || service->proto == args->proto) &&
	       (!args->to || service->port == args->to) &&
	       (args->fail < 0 || service->fail == args->fail);
}

/* What became of frames: lifted, or why not */
static json_t *frames_json(const uint64_t *counts)
{
	json_t *frames = json_object();
	unsigned int i;

	for (i = 0; i <= MACKEEP_SERVICE_MAX; i++)
		json_int(frames, i ? states[i] : "lifted", counts[i]);
	return frames;
}

static void show_json(const struct service *service, const struct nlattr **attrs,
		      const uint64_t *counts, bool closed, bool bypass)
{
	json_t *object = service_json(service);
	char on4[INET6_ADDRSTRLEN], on6[INET6_ADDRSTRLEN];

	json_object_set_new(object, "fail", json_string(closed ? "closed" : "open"));
	json_object_set_new(object, "bypass", json_boolean(bypass));
	json_object_set_new(object, "synproxy",
			    json_boolean(attrs[MACKEEP_A_SYNPROXY]));
	json_object_set_new(object, "rehearse",
			    json_boolean(attrs[MACKEEP_A_REHEARSE]));
	if (attrs[MACKEEP_A_SETTLE])
		json_int(object, "settle",
			 mnl_attr_get_u16(attrs[MACKEEP_A_SETTLE]));
	if (on_text(attrs[MACKEEP_A_ON4], AF_INET, on4))
		json_object_set_new(object, "on4", json_string(on4));
	if (on_text(attrs[MACKEEP_A_ON6], AF_INET6, on6))
		json_object_set_new(object, "on6", json_string(on6));
	json_object_set_new(object, "ipv4",
			    json_string(state_text(attrs[MACKEEP_A_STATE4])));
	json_object_set_new(object, "ipv6",
			    json_string(state_text(attrs[MACKEEP_A_STATE6])));
	json_object_set_new(object, "frames", frames_json(counts));
	json_print(object);
}

static int on_service(const struct nlmsghdr *nlh, void *data)
{
	uint64_t counts[MACKEEP_SERVICE_MAX + 1];
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	struct services *services = data;
	char line[512], on[INET6_ADDRSTRLEN];
	struct service service;
	bool closed, bypass;
	unsigned int i;
	int n;

	genl_parse(nlh, attrs);
	if (!service_read(&service, attrs) || !attrs[MACKEEP_A_BYPASS] ||
	    !attrs[MACKEEP_A_COUNTS] ||
	    !service_match(services->args, &service))
		return MNL_CB_OK;
	closed = service.fail == MACKEEP_FAIL_CLOSED;
	bypass = mnl_attr_get_u8(attrs[MACKEEP_A_BYPASS]);
	memcpy(counts, mnl_attr_get_payload(attrs[MACKEEP_A_COUNTS]),
	       sizeof(counts));
	services->shown++;
	if (services->args->out & OUT_JSON) {
		show_json(&service, attrs, counts, closed, bypass);
		return MNL_CB_OK;
	}
	n = service_line(line, &service);
	n += sprintf(line + n, " ipv4=%s ipv6=%s fail=%s%s%s",
		     state_text(attrs[MACKEEP_A_STATE4]),
		     state_text(attrs[MACKEEP_A_STATE6]),
		     closed ? "closed" : "open",
		     attrs[MACKEEP_A_SYNPROXY] ? " synproxy" : "",
		     attrs[MACKEEP_A_REHEARSE] ? " rehearse" : "");
	if (attrs[MACKEEP_A_SETTLE])
		n += sprintf(line + n, " settle=%u",
			     mnl_attr_get_u16(attrs[MACKEEP_A_SETTLE]));
	if (on_text(attrs[MACKEEP_A_ON4], AF_INET, on))
		n += sprintf(line + n, " on=%s", on);
	if (on_text(attrs[MACKEEP_A_ON6], AF_INET6, on))
		n += sprintf(line + n, " on=%s", on);
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
	if (cmd == MACKEEP_CMD_SERVICE_NEW && args->rehearse)
		mnl_attr_put(nlh, MACKEEP_A_REHEARSE, 0, NULL);
	if (cmd == MACKEEP_CMD_SERVICE_NEW && args->settle > 0)
		mnl_attr_put_u16(nlh, MACKEEP_A_SETTLE, args->settle);
	if (cmd == MACKEEP_CMD_SERVICE_NEW && args->on4.family)
		mnl_attr_put(nlh, MACKEEP_A_ON4, sizeof(args->on4.in),
			     &args->on4.in);
	if (cmd == MACKEEP_CMD_SERVICE_NEW && args->on6.family)
		mnl_attr_put(nlh, MACKEEP_A_ON6, sizeof(args->on6.in6),
			     &args->on6.in6);
	genl_talk(nl, nlh, NULL, NULL);
	mnl_socket_close(nl);
	return DONE;
}

/* --- for other commands -------------------------------------------------------------- */

static void read_on(json_t *service, const char *key, const struct nlattr *attr,
		    int family)
{
	char text[INET6_ADDRSTRLEN];

	if (on_text(attr, family, text))
		json_text(service, key, text);
}

static int on_read(const struct nlmsghdr *nlh, void *data)
{
	uint64_t counts[MACKEEP_SERVICE_MAX + 1];
	const struct nlattr *attrs[MACKEEP_A_MAX + 1];
	json_t *services = data, *service;
	struct service one;

	genl_parse(nlh, attrs);
	if (!service_read(&one, attrs) || !attrs[MACKEEP_A_BYPASS])
		return MNL_CB_OK;
	service = json_object();
	json_int(service, "mark", one.mark);
	json_int(service, "proto", one.proto);
	json_int(service, "port", one.port);
	json_int(service, "fail", one.fail);
	json_int(service, "bypass", mnl_attr_get_u8(attrs[MACKEEP_A_BYPASS]));
	json_int(service, "synproxy", !!attrs[MACKEEP_A_SYNPROXY]);
	json_int(service, "rehearse", !!attrs[MACKEEP_A_REHEARSE]);
	if (attrs[MACKEEP_A_SETTLE])
		json_int(service, "settle",
			 mnl_attr_get_u16(attrs[MACKEEP_A_SETTLE]));
	if (attrs[MACKEEP_A_COUNTS]) {
		memcpy(counts, mnl_attr_get_payload(attrs[MACKEEP_A_COUNTS]),
		       sizeof(counts));
		json_object_set_new(service, "frames", frames_json(counts));
	}
	read_on(service, "on4", attrs[MACKEEP_A_ON4], AF_INET);
	read_on(service, "on6", attrs[MACKEEP_A_ON6], AF_INET6);
	json_text(service, "ipv4", state_text(attrs[MACKEEP_A_STATE4]));
	json_text(service, "ipv6", state_text(attrs[MACKEEP_A_STATE6]));
	json_array_append_new(services, service);
	return MNL_CB_OK;
}

json_t *services_read(void)
{
	json_t *services = json_array();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct mnl_socket *nl;
	struct module module;

	if (!genl_module(&module))
		return services;
	nl = genl_open();
	if (genl_has_services())
		genl_talk(nl, genl_message(buf, MACKEEP_CMD_SERVICES, NLM_F_DUMP),
			  on_read, services);
	mnl_socket_close(nl);
	return services;
}

void services_bypass(const json_t *service, bool bypass)
{
	struct args args = {
		.mark = json_get_int(service, "mark"),
		.proto = json_get_int(service, "proto"),
		.fail = -1, .bypass = bypass,
	};

	services_change(&args, MACKEEP_CMD_SERVICE_SET);
}

bool services_same(const json_t *one, const json_t *other)
{
	return json_equal(json_object_get(one, "mark"),
			  json_object_get(other, "mark")) &&
	       json_equal(json_object_get(one, "proto"),
			  json_object_get(other, "proto"));
}

static bool service_there(const json_t *service)
{
	json_t *services = services_read(), *one;
	bool there = false;
	size_t i;

	json_array_foreach(services, i, one)
		if (services_same(one, service))
			there = true;
	json_decref(services);
	return there;
}

static struct address written_on(const json_t *service, const char *key)
{
	const char *text = json_get_text(service, key);

	return *text ? value_address(key, text, false) : (struct address){ 0 };
}

void services_write(const json_t *service, unsigned int settle)
{
	struct args args = {
		.mark = json_integer_value(json_object_get(service, "mark")),
		.proto = json_integer_value(json_object_get(service, "proto")),
		.to = json_integer_value(json_object_get(service, "port")),
		.fail = json_integer_value(json_object_get(service, "fail")),
		.synproxy = json_integer_value(json_object_get(service, "synproxy")),
		.rehearse = json_get_int(service, "rehearse"),
		.on4 = written_on(service, "on4"),
		.on6 = written_on(service, "on6"),
		.bypass = true,
	};

	if (args.proto == IPPROTO_UDP && args.fail == MACKEEP_FAIL_OPEN)
		args.settle = settle;
	services_change(&args, service_there(service) ?
				       MACKEEP_CMD_SERVICE_SET :
				       MACKEEP_CMD_SERVICE_NEW);
}

/* ---------------------------------------------------------------------------------- */

int cmd_services(struct args *args)
{
	const char *verb = args->verb ?: "list";

	if (!strcmp(verb, "list"))
		return services_list(args);
	if (!strcmp(verb, "rehearsed"))
		return services_rehearsed(args);
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
		die(BAD_ARGS, "services %s: it is list, add, set, del or rehearsed", verb);
	if (!args->to)
		die(BAD_ARGS, "services add: the proxy's port is not given; for instance --to 3129");
	return services_change(args, MACKEEP_CMD_SERVICE_NEW);
}
