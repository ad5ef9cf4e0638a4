// SPDX-License-Identifier: GPL-2.0-only
/*
 * inherit: transparent sockets for an nginx that knows of none.
 *
 *   inherit tcp|udp|tcp6|udp6:PORT... -- COMMAND ARGS...
 *
 * Opens a socket on any address for each, with IP_TRANSPARENT set, and
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
	fputs("usage: inherit tcp|udp|tcp6|udp6:PORT... -- COMMAND ARGS...\n", stderr);
	exit(2);
}

static int open_socket(const char *what)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
	const char *port = strchr(what, ':');
	bool tcp = !strncmp(what, "tcp", 3), v6;
	int one = 1, fd;

	if ((!tcp && strncmp(what, "udp", 3)) || !port)
		usage();
	v6 = what[3] == '6';
	any.sin_port = any6.sin6_port = htons(atoi(port + 1));
	fd = socket(v6 ? AF_INET6 : AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("SO_REUSEADDR");
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		die("IPV6_V6ONLY");
	if (v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one,
			    sizeof(one)) :
		 setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)))
		die("IP_TRANSPARENT");
	if (v6 ? bind(fd, (struct sockaddr *)&any6, sizeof(any6)) :
		 bind(fd, (struct sockaddr *)&any, sizeof(any)))
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
