// SPDX-License-Identifier: GPL-2.0-only
/*
 * so-macs: takes connections that TPROXY brings, tells each client its MAC address,
 * and ends. mackeep-macs(7) explains the option.
 *
 *	cc -o so-macs so-macs.c
 *	so-macs PORT
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/xt_MACKEEP.h>

/* The MAC address of the socket's peer; -1 and errno if it is not known */
static int peer_mac(int fd, struct mackeep_so_macs *macs, const unsigned char **mac)
{
	socklen_t len = sizeof(*macs);

	if (getsockopt(fd, SOL_IPV6, MACKEEP_SO_MACS, macs, &len) < 0)
		return -1;
	*mac = macs->opened ? macs->info.dst : macs->info.src;
	if (macs->info.flags & (macs->opened ? MACKEEP_INFO_DST : MACKEEP_INFO_SRC))
		return 0;
	errno = ENOENT;
	return -1;
}

static void greet(int fd)
{
	struct mackeep_so_macs macs;
	const unsigned char *mac;
	char device[IF_NAMESIZE] = "";

	if (peer_mac(fd, &macs, &mac) < 0) {
		dprintf(fd, "%s\n", strerror(errno));
		return;
	}
	if_indextoname(macs.info.ifindex, device);
	dprintf(fd, "%02x:%02x:%02x:%02x:%02x:%02x %s\n", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5], device);
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	int fd, client, on = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: so-macs PORT\n");
		return 2;
	}
	any.sin6_port = htons(atoi(argv[1]));
	/* IPv4 clients come to it as well. */
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    listen(fd, 16) < 0) {
		perror("so-macs");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		greet(client);
		close(client);
	}
	perror("so-macs");
	return 1;
}
