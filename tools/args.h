/* SPDX-License-Identifier: GPL-2.0-only */
/* What mackeep.c makes of the command line, for the commands. */
#ifndef _TOOLS_ARGS_H
#define _TOOLS_ARGS_H

#include "group.h"
#include "policy.h"
#include "values.h"

/* -o */
enum {
	OUT_EXTENDED	= 1 << 0,
	OUT_ID		= 1 << 1,
	OUT_JSON	= 1 << 2,
	OUT_TIMESTAMP	= 1 << 3,
	OUT_OPENMETRICS	= 1 << 4,
	OUT_PROMETHEUS	= 1 << 5,
	OUT_METRICS	= OUT_OPENMETRICS | OUT_PROMETHEUS,
};

enum backend { BACKEND_NFT, BACKEND_IPTABLES };

struct args {
	const char *netns;
	char **words;			/* the command line from the command on */
	unsigned int out;

	/* filters */
	int family;			/* AF_UNSPEC: both */
	int proto;			/* 0: all */
	struct address src, dst, addr;
	bool by_mac;
	uint8_t mac[6];
	unsigned int ifindex;		/* 0: any */
	int zone;			/* -1: any */
	bool left;			/* list: those with packets that were left alone */

	/* services */
	const char *verb;
	uint32_t mark;
	bool marked;			/* mark is given */
	int fail;			/* MACKEEP_FAIL_*; -1: not given */
	int bypass;			/* -1: not given */
	uint16_t to;
	bool synproxy;
	bool rehearse;			/* up, too */
	int settle;			/* seconds; -1: not given */
	struct address on4, on6;	/* --on-ip of TPROXY */
	bool services;			/* monitor: of services */
	const char *hooks;		/* their directory; NULL: none are run */
	unsigned int hook_timeout;	/* seconds */

	/* silence; its verb is above */
	char **devices;			/* NULL ends them */
	bool guard_only;
	const char *udev;

	double interval;		/* -w, seconds; 0: once */
	bool watch;			/* check */
	unsigned int buffer;		/* -b, bytes; 0: the system's */

	/* up, down, bypass, check */
	const char *bridge;
	struct groups groups;
	unsigned int order;		/* among the bridges that are up */
	unsigned int vlan;		/* that has a device; 0: none */
	struct vlans vlans;		/* that have none */
	enum backend backend;
	uint32_t fwmark;
	uint32_t table;
	struct policy policy;		/* of policy, too */
	int drain;			/* seconds; -1: not given */
	bool early;			/* the bridge may have no port yet */
	bool feed_neigh;
	bool follow_link;
	bool talk;
	bool firewall;
	bool dry_run;
	bool stay;			/* repair */

	/* follow-link, seconds */
	unsigned int hold;
	unsigned int wait;

	bool force;			/* reload */

	struct exempt {			/* as it is written */
		const char *src, *dst, *mac, *comment;
		const char *file;	/* "-": standard input */
	} exempt;
};

#endif /* _TOOLS_ARGS_H */
