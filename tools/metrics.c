// SPDX-License-Identifier: GPL-2.0-only
/*
 * mackeep stat -o openmetrics, -o prometheus: the same metrics, in two formats.
 *
 * OpenMetrics names a family of counters without the "_total" of its samples, and
 * has units. Prometheus' older text format, which the textfile collector of
 * node_exporter reads, knows neither: there a family is named as its samples are,
 * and one that is not has neither type nor help.
 */
#include <stdio.h>
#include <string.h>

#include <linux/mackeep.h>

#include "args.h"
#include "counters.h"
#include "flow.h"
#include "genl.h"
#include "guards.h"
#include "meanings.h"
#include "metrics.h"
#include "services.h"
#include "text.h"

static bool openmetrics;
static const char *netns;		/* a label of each sample; NULL: none */

/* --- the formats -------------------------------------------------------------------- */

static void family(const char *name, const char *type, const char *unit,
		   const char *help)
{
	const char *end = !openmetrics && !strcmp(type, "counter") ? "_total" : "";

	printf("# HELP mackeep_%s%s %s\n", name, end, help);
	printf("# TYPE mackeep_%s%s %s\n", name, end, type);
	if (openmetrics && unit)
		printf("# UNIT mackeep_%s %s\n", name, unit);
}

static void print_escaped(const char *value)
{
	for (; *value; value++)
		if (*value == '\n')
			fputs("\\n", stdout);
		else
			printf(*value == '"' || *value == '\\' ? "\\%c" : "%c",
			       *value);
}

/*
 * labels: "name\0value\0...", ended by an empty name. Two namespaces that are told
 * of in one place must not have the same samples.
 */
static void sample(const char *name, const char *labels, uint64_t value)
{
	const char *sep = "{";

	printf("mackeep_%s", name);
	for (; labels && *labels; sep = ",") {
		printf("%s%s=\"", sep, labels);
		labels += strlen(labels) + 1;
		print_escaped(labels);
		labels += strlen(labels) + 1;
		putchar('"');
	}
	if (netns) {
		printf("%snetns=\"", sep);
		print_escaped(netns);
		putchar('"');
		sep = ",";
	}
	printf("%s %llu\n", *sep == ',' ? "}" : "", (unsigned long long)value);
}

static void gauge(const char *name, const char *help, uint64_t value)
{
	family(name, "gauge", NULL, help);
	sample(name, NULL, value);
}

/* --- counters ------------------------------------------------------------------------ */

/* Counters under these headings are one family, with the reason as a label. */
static const struct reasons {
	const char *heading, *family;
} reasons[] = {
	{ "packets left to the stack, by reason", "left_packets" },
	{ "packets a rule could do nothing for, by reason", "unkept_packets" },
};

static const char *by_reason(const char *heading)
{
	unsigned int i;

	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (!strcmp(reasons[i].heading, heading))
			return reasons[i].family;
	return NULL;
}

static void print_counter(const struct counters *counters, int at,
			  const char *text)
{
	char name[64];

	family(counters->name[at], "counter", NULL, text);
	snprintf(name, sizeof(name), "%s_total", counters->name[at]);
	sample(name, NULL, counters->value[at]);
}

static void print_reason(const struct counters *counters, int at,
			 const char *group)
{
	char name[64], labels[64] = "reason";

	snprintf(name, sizeof(name), "%s_total", group);
	snprintf(labels + sizeof("reason"), sizeof(counters->name[at]), "%s",
		 counters->name[at]);
	sample(name, labels, counters->value[at]);
}

static void print_counters(const struct counters *counters)
{
	const struct meaning *meaning;
	const char *group = NULL;
	unsigned int i;
	int at;

	for (meaning = meanings; meaning->text; meaning++) {
		if (!meaning->name) {
			group = by_reason(meaning->text);
			if (group)
				family(group, "counter", "packets", meaning->text);
			continue;
		}
		at = counters_find(counters, meaning->name);
		if (at < 0)
			continue;
		if (!strcmp(meaning->name, "pairs"))
			gauge("pairs", "entries that the pair cache has now",
			      counters->value[at]);
		else if (group)
			print_reason(counters, at, group);
		else
			print_counter(counters, at, meaning->text);
	}
	for (i = 0; i < counters->n; i++)
		if (!meaning_known(counters->name[i]))
			print_counter(counters, i, "of another version");
}

/* --- what there is now ---------------------------------------------------------------- */

static void print_module(void)
{
	char labels[64] = "version";
	struct module module;

	if (!genl_module(&module))
		return;
	snprintf(labels + sizeof("version"), sizeof(module.version), "%s",
		 module.version);
	family("build_info", "gauge", NULL, "version of the kernel module");
	sample("build_info", labels, 1);
	gauge("rules", "MACKEEP rules, and 1 for the sysctl mackeep_hooks",
	      module.rules);
	gauge("pair_limit", "entries that the pair cache may have",
	      module.pair_max);
}

#define VIAS	(MACKEEP_VIA_MAX + 1)

static void count_record(struct nf_conntrack *ct, void *data)
{
	struct flow flow = { .ct = ct };
	uint64_t *records = data;

	if (flow_kept(&flow) && flow.info.via < VIAS)
		records[flow.info.via]++;
}

static void print_records(void)
{
	uint64_t records[VIAS] = { 0 };
	char labels[64] = "via";
	unsigned int i;

	flow_dump(AF_UNSPEC, false, count_record, records);
	family("records", "gauge", NULL,
	       "flows that have a record, by where their MACs came from");
	for (i = 0; i < VIAS; i++) {
		snprintf(labels + sizeof("via"), 16, "%s", via_text(i));
		sample("records", labels, records[i]);
	}
}

static void print_guard(const struct guard *guard, void *data)
{
	char labels[64] = "dev";

	(void)data;
	snprintf(labels + sizeof("dev"), 32, "%s", guard->name);
	sample("guard_frames_total", labels, guard->dropped);
}

/* --- services ------------------------------------------------------------------------- */

/* A label more; its beginning is that of the service. */
static void service_sample(const char *name, const json_t *service,
			   const char *label, const char *value,
			   const char *more, const char *more_value,
			   uint64_t count)
{
	char labels[256];
	int n = 0;

	memset(labels, 0, sizeof(labels));
	n += sprintf(labels + n, "mark") + 1;
	n += sprintf(labels + n, "0x%x",
		     (unsigned int)json_get_int(service, "mark")) + 1;
	n += sprintf(labels + n, "proto") + 1;
	n += sprintf(labels + n, "%s", json_get_int(service, "proto") ==
		     IPPROTO_TCP ? "tcp" : "udp") + 1;
	n += sprintf(labels + n, "to") + 1;
	n += sprintf(labels + n, "%u",
		     (unsigned int)json_get_int(service, "port")) + 1;
	if (label) {
		n += sprintf(labels + n, "%s", label) + 1;
		n += sprintf(labels + n, "%.32s", value) + 1;
	}
	if (more) {
		n += sprintf(labels + n, "%s", more) + 1;
		sprintf(labels + n, "%.32s", more_value);
	}
	sample(name, labels, count);
}

/* Each state it may be in is there, 1 for the one that it is in. */
static void print_states(const json_t *service)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	const char *state;
	unsigned int v6;
	int i;

	for (v6 = 0; v6 < 2; v6++)
		for (i = 0; i < MACKEEP_SERVICE_MIDSTREAM; i++) {
			state = service_state(i);
			service_sample("service_state", service, "family",
				       families[v6], "state", state,
				       json_is(service, families[v6], state));
		}
}

static void print_services(void)
{
	json_t *services = services_read(), *service, *count;
	const char *why;
	size_t i;

	family("service_state", "gauge", NULL,
	       "1 for the state that a service is in, 0 for the others");
	json_array_foreach(services, i, service) {
		print_states(service);
	}

	family("service_frames", "counter", "frames",
	       "frames for a proxy, by what became of them");
	json_array_foreach(services, i, service) {
		json_object_foreach(json_object_get(service, "frames"), why, count) {
			service_sample("service_frames_total", service, "what", why,
				       NULL, NULL, json_integer_value(count));
		}
	}

	family("service_bypass", "gauge", NULL, "1 while new connections go past it");
	json_array_foreach(services, i, service) {
		service_sample("service_bypass", service, NULL, NULL, NULL, NULL,
			       json_get_int(service, "bypass"));
	}

	family("service_settle_seconds", "gauge", "seconds",
	       "time that it takes UDP flows for older than itself");
	json_array_foreach(services, i, service) {
		service_sample("service_settle_seconds", service, NULL, NULL, NULL,
			       NULL, json_get_int(service, "settle"));
	}
	json_decref(services);
}

/* ---------------------------------------------------------------------------------------- */

void metrics_print(const struct args *args, const struct counters *counters)
{
	openmetrics = args->out & OUT_OPENMETRICS;
	netns = args->netns;
	print_counters(counters);
	print_module();
	print_records();
	family("guard_frames", "counter", "frames",
	       "frames with a MAC of the box that a guard dropped");
	guards_each(print_guard, NULL);
	print_services();
	if (openmetrics)
		puts("# EOF");
}
