// SPDX-License-Identifier: GPL-2.0-only
/*
 * By its sockets: conntrack keeps flows for minutes when the proxy is done with
 * them, or has died.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "session.h"
#include "sockets.h"

struct count {
	const struct ports *ports;
	unsigned long clients, servers;	/* legs */
};

static bool among(const struct ports *ports, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < ports->n; i++)
		if (port >= ports->range[i].first && port <= ports->range[i].last)
			return true;
	return false;
}

/*
 * The proxy's socket to the client has the server's address and port, the one to
 * the server has that for its peer. Who listens on such a port has no address.
 */
static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	static const struct in6_addr any;
	const struct inet_diag_msg *msg = socket_of(nlh);
	struct count *count = data;

	if (!msg)
		return MNL_CB_OK;
	/*
	 * A handshake under way does not tell whether it is transparent. Who has
	 * not answered when it is repeated may be nobody.
	 */
	if (1 << msg->idiag_state == SOCKET_SYN_RECV ? msg->idiag_retrans :
						       !socket_transparent(nlh))
		return MNL_CB_OK;
	if (among(count->ports, ntohs(msg->id.idiag_sport)) &&
	    memcmp(msg->id.idiag_src, &any, sizeof(any)))
		count->clients++;
	else if (among(count->ports, ntohs(msg->id.idiag_dport)))
		count->servers++;
	return MNL_CB_OK;
}

unsigned long session_count(int proto, const struct ports *ports)
{
	uint32_t states = proto == IPPROTO_TCP ?
		SOCKET_ESTABLISHED | SOCKET_SYN_SENT | SOCKET_SYN_RECV |
		SOCKET_FIN_WAIT1 | SOCKET_FIN_WAIT2 | SOCKET_CLOSE_WAIT |
		SOCKET_LAST_ACK | SOCKET_CLOSING :
		SOCKET_ESTABLISHED | SOCKET_CLOSE;
	struct count count = { .ports = ports };

	sockets_dump(AF_INET, proto, states, on_socket, &count);
	sockets_dump(AF_INET6, proto, states, on_socket, &count);
	/* Each session has two; the last one of it may be either. */
	return count.clients > count.servers ? count.clients : count.servers;
}
