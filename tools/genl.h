/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel module's generic netlink family; see <linux/mackeep.h>. */
#ifndef _TOOLS_GENL_H
#define _TOOLS_GENL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

struct module {
	char version[32];
	uint32_t rules;
	uint32_t pair_max;
};

/* False: the module is not loaded. */
bool genl_module(struct module *module);

/* False: an older module, without services. Of the last genl_open(). */
bool genl_has_services(void);
/* Whether the module knows a command. Likewise. */
bool genl_has(uint8_t cmd);

/* Takes the attributes of a message, but not those that are too short. */
void genl_parse(const struct nlmsghdr *nlh, const struct nlattr **attrs);
/* Takes part in a multicast group of the family; false: it has none, or is gone. */
bool genl_follow(struct mnl_socket *nl);		/* services */
bool genl_follow_left(struct mnl_socket *nl);		/* left */
/* The same; dies if there is none. */
void genl_join(struct mnl_socket *nl, const char *group);

/*
 * For who stays while the module comes and goes: a socket that hears of both. It
 * does not hold the module. The module's group leaves the socket with the module,
 * so it has to be joined each time.
 */
struct mnl_socket *genl_listen(void);
/* Asks whether the module is there; returns the answer's sequence number. */
unsigned int genl_ask_family(struct mnl_socket *nl);

enum genl_is { GENL_OTHER, GENL_THERE, GENL_GONE, GENL_MESSAGE };

/* What a message is about: the module is there, or gone, or tells something */
enum genl_is genl_what(const struct nlmsghdr *nlh);

struct mnl_socket *genl_open(void);	/* dies without the module */
struct nlmsghdr *genl_message(void *buf, uint8_t cmd, uint16_t flags);
/* Sends, and hands each answer to cb; dies of an error. */
void genl_talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	       void *data);

/*
 * Sends many messages that genl_message() began, one behind the other, and counts
 * those that were refused, but not what is there already.
 */
unsigned int genl_batch(struct mnl_socket *nl, void *messages, size_t len);

#endif /* _TOOLS_GENL_H */
