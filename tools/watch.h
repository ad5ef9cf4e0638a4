/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For commands that stay: what the kernel tells when something changes that a
 * set-up is made of. Events are no truth, only a reason to look. It does not tell of
 * rules of iptables-legacy and ebtables-legacy, of counters and of most sysctls.
 */
#ifndef _TOOLS_WATCH_H
#define _TOOLS_WATCH_H

enum {
	WATCH_RULES	 = 1 << 0,	/* of nft; those of iptables-nft are such */
	WATCH_LINKS	 = 1 << 1,	/* devices, their rp_filter and forwarding */
	WATCH_ROUTES	 = 1 << 2,	/* addresses, routes, rules of routing */
	WATCH_NEIGHBOURS = 1 << 3,	/* one does not answer, is set by hand, or gone */
	WATCH_MODULE	 = 1 << 4,	/* the kernel module has come or gone */
	WATCH_SERVICES	 = 1 << 5,	/* a service has opened, closed or gone */
	WATCH_END	 = 1 << 6,	/* SIGINT or SIGTERM */
	WATCH_CHANGES	 = WATCH_END - 1,
};

/*
 * Blocks SIGINT, SIGTERM and SIGCHLD; once in a program. The descriptor is for
 * watch_wait(), and for poll(2) beside others. Dies without the right to hear.
 */
int watch_open(void);

/*
 * Waits for events, at most so long; -1: for ever. Returns what they are about, or
 * 0. A burst of them is waited for to its end and told at once. Whoever was too slow
 * for some is told of all kinds.
 */
unsigned int watch_wait(int fd, int timeout_ms);

/*
 * Who has changed rules last, or has taken routes or devices away: "nft, process 7,";
 * "" if that is not known. Such a process may be gone already.
 */
const char *watch_who(unsigned int what);

#endif /* _TOOLS_WATCH_H */
