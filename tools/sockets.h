/* SPDX-License-Identifier: GPL-2.0-only */
/* The sockets of this machine, as ss(8) sees them. */
#ifndef _TOOLS_SOCKETS_H
#define _TOOLS_SOCKETS_H

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

/* States, of which a set is asked for; UDP has the first and CLOSE. */
enum {
	SOCKET_ESTABLISHED	= 1 << 1,
	SOCKET_SYN_SENT		= 1 << 2,
	SOCKET_SYN_RECV		= 1 << 3,
	SOCKET_FIN_WAIT1	= 1 << 4,
	SOCKET_FIN_WAIT2	= 1 << 5,
	SOCKET_CLOSE		= 1 << 7,
	SOCKET_CLOSE_WAIT	= 1 << 8,
	SOCKET_LAST_ACK		= 1 << 9,
	SOCKET_LISTEN		= 1 << 10,
	SOCKET_CLOSING		= 1 << 11,
};

/* Calls each(message, data) for all in one of these states. */
void sockets_dump(int family, int proto, uint32_t states, mnl_cb_t each,
		  void *data);
/* The socket of a message; NULL: it is too short. */
const struct inet_diag_msg *socket_of(const struct nlmsghdr *nlh);
/* Whether it has set IP_TRANSPARENT; requests and TIME_WAIT do not tell. */
bool socket_transparent(const struct nlmsghdr *nlh);
/* Whether one of IPv6 leaves IPv4 alone */
bool socket_v6only(const struct nlmsghdr *nlh);

#endif /* _TOOLS_SOCKETS_H */
