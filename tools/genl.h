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
};

/* False: the module is not loaded. */
bool genl_module(struct module *module);

struct mnl_socket *genl_open(void);	/* dies without the module */
struct nlmsghdr *genl_message(void *buf, uint8_t cmd, uint16_t flags);
/* Sends, and hands each answer to cb; dies of an error. */
void genl_talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
	       void *data);

#endif /* _TOOLS_GENL_H */
