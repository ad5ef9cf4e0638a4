/* SPDX-License-Identifier: GPL-2.0-only */
/* Services as the module tells of them */
#ifndef _TOOLS_SERVICES_H
#define _TOOLS_SERVICES_H

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/mackeep.h>

struct args;

struct service {
	uint32_t mark;
	uint16_t port;
	uint8_t proto;
	uint8_t fail;			/* MACKEEP_FAIL_* */
};

/* States besides MACKEEP_SERVICE_* */
enum {
	SERVICE_GONE = MACKEEP_SERVICE_MAX + 1,	/* deleted, or with the module */
	SERVICE_UNKNOWN,
};

/* services rehearsed */
int services_rehearsed(const struct args *args);

/* False: it is not all there. */
bool service_read(struct service *service, const struct nlattr **attrs);
const char *service_proto(const struct service *service);
const char *service_state(uint8_t state);
json_t *service_json(const struct service *service);
/* The beginning of a line; its length */
int service_line(char *line, const struct service *service);

/*
 * The services, as objects with their mark, proto, port, fail and bypass as numbers,
 * the frames by what became of them, and the states ipv4 and ipv6 as words; none
 * without the module.
 */
json_t *services_read(void);
/* Whether two of these are the same service, whatever it is set to */
bool services_same(const json_t *one, const json_t *other);
/* Puts one of these into bypass, or takes it out. */
void services_bypass(const json_t *service, bool bypass);
/*
 * Makes one of these, in bypass, or if it is there sets what can be set. A new one
 * of UDP that fails open settles for so many seconds.
 */
void services_write(const json_t *service, unsigned int settle);

#endif /* _TOOLS_SERVICES_H */
