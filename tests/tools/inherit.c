// SPDX-License-Identifier: GPL-2.0-only
/*
 * inherit: transparent sockets for an nginx that knows of none.
 *
 *   inherit tcp|udp:PORT... -- COMMAND ARGS...
 *
 * Opens a socket on any IPv4 address for each, with IP_TRANSPARENT set, and
 * becomes COMMAND. The environment's NGINX names them, the way a running nginx
 * hands its sockets to the next one: "listen" lines of the same protocol and
 * port take them over as they are.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void usage(void)
{
	fputs("usage: inherit tcp|udp:PORT... -- COMMAND ARGS...\n", stderr);
	exit(2);
}

static int open_socket(const char *what)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int one = 1, fd;
	bool tcp = !strncmp(what, "tcp:", 4);

	if (!tcp && strncmp(what, "udp:", 4))
		usage();
	any.sin_port = htons(atoi(what + 4));
	fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("SO_REUSEADDR");
	if (setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)))
		die("IP_TRANSPARENT");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	if (tcp && listen(fd, 128))
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	char list[256] = "";
	size_t len = 0;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (len > sizeof(list) - 16)
			usage();
		len += sprintf(list + len, "%d;", open_socket(argv[i]));
	}
	if (i + 1 >= argc)
		usage();
	if (setenv("NGINX", list, 1))
		die("setenv");
	execvp(argv[i + 1], argv + i + 1);
	die(argv[i + 1]);
}
