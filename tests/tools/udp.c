// SPDX-License-Identifier: GPL-2.0-only
/*
 * udp: a transparent datagram proxy, and the two ends to try it with.
 *
 *   udp echo [-6] [PORT]
 *   udp proxy [-6] [-p] [-u] [-k] [-o ADDR] [PORT]
 *   udp talk [-b PORT] [-n N] [-w N] [-s BYTES] [-t S] ADDR [PORT]
 *   udp send [-f] [-i DEV] [-n N] [-s BYTES] FROM ADDR [PORT]
 *   udp join DEV GROUP
 *
 * PORT is 443 unless given, and 3129 for the proxy. "echo" answers each
 * datagram with itself. "proxy" takes what TPROXY brings, sends it on from the
 * client's address, bound to a port of its own or, with -p, the client's, and
 * answers from a socket bound to the server's address and port. With -u its
 * sockets are not connected, and sessions with the same server, or from the same
 * address and port, share one; a datagram of no session is a line "stray". With -k
 * it never reads from the sockets that it answers from. With -o it sends on to ADDR,
 * whatever server the client asked. Both say "ready" once they
 * listen. "talk" sends N datagrams (1) of BYTES (100), from
 * port -b, each after the answer to the one before, compares the answers, and
 * ends with "done N failed N"; exit 0 if none failed. With -w it says "waiting",
 * takes as many that come unasked, each the same as the last answer, and asks once
 * more. "echo" sends its last answer again when it gets SIGUSR1. "send" sends
 * datagrams from an address that is anybody's, with IP_TRANSPARENT or, with -f,
 * IP_FREEBIND alone, by any device or DEV, and waits for no answer. "join" stays
 * in a multicast group.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SESSIONS	64

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A client and the server it spoke to. */
struct session {
	union addr client, server;
	int down, up;
};

static struct session sessions[SESSIONS];
static unsigned int session_count;
static bool same_port, unconnected, keeps;
static union addr other_server;
static uint8_t buf[65536], wanted[65536];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void usage(void)
{
	fputs("usage: udp echo|proxy [-6] [-p] [-u] [-k] [-o ADDR] [PORT]\n"
	      "       udp talk [-b PORT] [-n N] [-w N] [-s BYTES] [-t S] ADDR [PORT]\n"
	      "       udp send [-f] [-i DEV] [-n N] [-s BYTES] FROM ADDR [PORT]\n"
	      "       udp join DEV GROUP\n", stderr);
	exit(2);
}

static socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

static void addr_set_port(union addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

static void set(int fd, int level, int name, const char *what)
{
	int one = 1;

	if (setsockopt(fd, level, name, &one, sizeof(one)))
		die(what);
}

static int open_bound(const union addr *a, bool transparent)
{
	bool v6 = a->sa.sa_family == AF_INET6;
	int fd = socket(a->sa.sa_family, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	set(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
	if (transparent)
		set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, "IP_TRANSPARENT");
	if (v6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
	if (bind(fd, &a->sa, addr_len(a)))
		die("bind");
	return fd;
}

static struct {
	int fd;
	ssize_t n;
	union addr to;
} answer;

static void echo_again(int sig)
{
	ssize_t n;

	(void)sig;
	/* The test sees whether it came. */
	n = sendto(answer.fd, buf, answer.n, 0, &answer.to.sa,
		   addr_len(&answer.to));
	(void)n;
}

static _Noreturn void echo(const union addr *any)
{
	struct sigaction again = {
		.sa_handler = echo_again, .sa_flags = SA_RESTART };
	int fd = open_bound(any, false);
	union addr from;

	answer.fd = fd;
	sigaction(SIGUSR1, &again, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, &from.sa, &len);

		if (n < 0)
			die("recvfrom");
		answer.to = from;
		answer.n = n;
		if (sendto(fd, buf, n, 0, &from.sa, len) != n)
			perror("sendto");
	}
}

static bool addr_same(const union addr *a, const union addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET6)
		return a->v6.sin6_port == b->v6.sin6_port &&
		       !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
			       sizeof(a->v6.sin6_addr));
	return a->v4.sin_port == b->v4.sin_port &&
	       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

static struct session *session_find(const union addr *client,
				    const union addr *server)
{
	struct session *s;

	for (s = sessions; s < sessions + session_count; s++)
		if (addr_same(&s->client, client) &&
		    addr_same(&s->server, server))
			return s;
	return NULL;
}

/* What others share: a socket for the way up or down */
static int session_up(const struct session *s)
{
	const struct session *other;
	union addr source = s->client, server = s->server;
	int fd;

	for (other = sessions; unconnected && same_port && other < s; other++)
		if (addr_same(&other->client, &s->client))
			return other->up;
	if (!same_port)
		addr_set_port(&source, 0);
	fd = open_bound(&source, true);
	if (other_server.sa.sa_family) {
		server = other_server;
		addr_set_port(&server, ntohs(s->server.v4.sin_port));
	}
	if (!unconnected && connect(fd, &server.sa, addr_len(&server)))
		die("connect");
	return fd;
}

static int session_down(const struct session *s)
{
	const struct session *other;
	int fd;

	for (other = sessions; unconnected && other < s; other++)
		if (addr_same(&other->server, &s->server))
			return other->down;
	fd = open_bound(&s->server, true);
	if (!unconnected && connect(fd, &s->client.sa, addr_len(&s->client)))
		die("connect");
	return fd;
}

static struct session *session_get(const union addr *client,
				   const union addr *server)
{
	struct session *s = session_find(client, server);

	if (s)
		return s;
	if (session_count == SESSIONS) {
		fputs("udp: more sessions than there is room for\n", stderr);
		exit(1);
	}
	s = &sessions[session_count++];
	s->client = *client;
	s->server = *server;
	s->up = session_up(s);
	s->down = session_down(s);
	return s;
}

static ssize_t session_send(const struct session *s, bool up, size_t n)
{
	const union addr *to = up ? &s->server : &s->client;
	int fd = up ? s->up : s->down;

	if (!unconnected)
		return send(fd, buf, n, 0);
	return sendto(fd, buf, n, 0, &to->sa, addr_len(to));
}

/* From a session's socket, which may be that of others as well */
static void session_relay(const struct session *s, bool up)
{
	int fd = up ? s->down : s->up;
	socklen_t len = sizeof(union addr);
	union addr from = { 0 };
	ssize_t n;

	n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, &from.sa, &len);
	if (n < 0 && unconnected && errno == EAGAIN)
		return; /* a session before had it */
	if (n >= 0 && unconnected) {
		s = up ? session_find(&from, &s->server) :
			 session_find(&s->client, &from);
		if (!s) {
			puts("stray");
			fflush(stdout);
			return;
		}
	}
	if (n < 0 || session_send(s, up, n) < 0)
		perror("udp: relay");
}

/*
 * What the client sent, and to whom: TPROXY leaves the address in place. A
 * socket that is readable need not have anything: the checksum may be wrong.
 */
static ssize_t receive(int fd, union addr *client, union addr *server)
{
	char control[256];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_name = client, .msg_namelen = sizeof(*client),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	memset(client, 0, sizeof(*client));
	memset(server, 0, sizeof(*server));
	n = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return n;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == IPPROTO_IP &&
		    c->cmsg_type == IP_ORIGDSTADDR)
			memcpy(&server->v4, CMSG_DATA(c), sizeof(server->v4));
		else if (c->cmsg_level == IPPROTO_IPV6 &&
			 c->cmsg_type == IPV6_ORIGDSTADDR)
			memcpy(&server->v6, CMSG_DATA(c), sizeof(server->v6));
	return n;
}

static _Noreturn void proxy(const union addr *any)
{
	struct pollfd fds[1 + 2 * SESSIONS];
	bool v6 = any->sa.sa_family == AF_INET6;
	int fd = open_bound(any, true);
	union addr client, server;
	unsigned int i;

	set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
	    v6 ? IPV6_RECVORIGDSTADDR : IP_RECVORIGDSTADDR, "RECVORIGDSTADDR");
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct session *s;
		ssize_t n;

		fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
		for (i = 0; i < session_count; i++) {
			fds[1 + 2 * i] = (struct pollfd){
				.fd = sessions[i].up, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){
				.fd = keeps ? -1 : sessions[i].down,
				.events = POLLIN };
		}
		if (poll(fds, 1 + 2 * session_count, -1) < 0)
			die("poll");

		/* The client's later datagrams find the socket bound to both. */
		for (i = 0; i < 2 * session_count; i++) {
			if (!(fds[1 + i].revents & (POLLIN | POLLERR)))
				continue;
			session_relay(&sessions[i / 2], i % 2);
		}
		if (!(fds[0].revents & POLLIN))
			continue;
		n = receive(fd, &client, &server);
		if (n < 0) {
			perror("udp: receive");
			continue;
		}
		s = session_get(&client, &server);
		if (session_send(s, true, n) < 0)
			perror("udp: send");
	}
}

static int talk(const union addr *to, uint16_t port, unsigned long count,
		unsigned long unasked, size_t size, long seconds)
{
	union addr own = { .sa = { .sa_family = to->sa.sa_family } };
	struct timeval limit = { .tv_sec = seconds };
	int fd = socket(to->sa.sa_family, SOCK_DGRAM, 0);
	unsigned long done = 0, failed = 0, asked = count, i;
	size_t at;
	ssize_t n;

	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("SO_RCVTIMEO");
	addr_set_port(&own, port);
	if (port && bind(fd, &own.sa, addr_len(&own)))
		die("bind");
	if (connect(fd, &to->sa, addr_len(to)))
		die("connect");
	if (unasked)
		count += unasked + 1;
	for (i = 0; i < count; i++) {
		if (i == asked) {
			puts("waiting");
			fflush(stdout);
		}
		for (at = 0; at < size && i < asked; at++)
			wanted[at] = (at * 31 + i * 7 + at / 256) & 0xff;
		if ((i < asked || i == asked + unasked) &&
		    send(fd, wanted, size, 0) != (ssize_t)size)
			perror("udp: send");
		n = recv(fd, buf, sizeof(buf), 0);
		if (n == (ssize_t)size && !memcmp(buf, wanted, size)) {
			done++;
			continue;
		}
		if (n < 0)
			perror("udp: recv");
		else
			fprintf(stderr, "udp: answer %lu has %zd bytes, or not the right ones\n",
				i, n);
		failed++;
	}
	printf("done %lu failed %lu\n", done, failed);
	return failed ? 1 : 0;
}

/* What the stack says of each is told: the socket asks for it. */
static int send_as(const union addr *from, const union addr *to, bool freebind,
		   const char *dev, unsigned long count, size_t size)
{
	bool v6 = from->sa.sa_family == AF_INET6;
	int fd = socket(from->sa.sa_family, SOCK_DGRAM, 0);
	unsigned long done = 0, failed = 0;

	if (fd < 0)
		die("socket");
	set(fd, SOL_SOCKET, SO_BROADCAST, "SO_BROADCAST");
	if (v6)
		set(fd, IPPROTO_IPV6, freebind ? IPV6_FREEBIND : IPV6_TRANSPARENT,
		    "IPV6_TRANSPARENT");
	else
		set(fd, IPPROTO_IP, freebind ? IP_FREEBIND : IP_TRANSPARENT,
		    "IP_TRANSPARENT");
	set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR,
	    "IP_RECVERR");
	if (dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, strlen(dev)))
		die("SO_BINDTODEVICE");
	if (bind(fd, &from->sa, addr_len(from)))
		die("bind");
	while (count--) {
		if (sendto(fd, buf, size, 0, &to->sa, addr_len(to)) ==
		    (ssize_t)size) {
			done++;
			continue;
		}
		perror("udp: sendto");
		failed++;
	}
	printf("done %lu failed %lu\n", done, failed);
	return failed ? 1 : 0;
}

static _Noreturn void join(const char *dev, const union addr *group)
{
	struct ip_mreqn v4 = { .imr_multiaddr = group->v4.sin_addr,
			       .imr_ifindex = if_nametoindex(dev) };
	struct ipv6_mreq v6 = { .ipv6mr_multiaddr = group->v6.sin6_addr,
				.ipv6mr_interface = if_nametoindex(dev) };
	int fd = socket(group->sa.sa_family, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	if (group->sa.sa_family == AF_INET6 ?
	    setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6, sizeof(v6)) :
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4, sizeof(v4)))
		die("join");
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static void parse(union addr *a, const char *text)
{
	a->sa.sa_family = AF_INET;
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1)
		return;
	a->sa.sa_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) != 1)
		usage();
}

int main(int argc, char **argv)
{
	union addr a = { .v4 = { .sin_family = AF_INET } }, from = {};
	unsigned long count = 1, unasked = 0, size = 100;
	bool freebind = false;
	const char *dev = NULL;
	uint16_t port = 0;
	const char *verb = argv[1];
	long seconds = 5;
	int opt;

	if (argc < 2)
		usage();
	argc--;
	argv++;
	while ((opt = getopt(argc, argv, "6fi:puko:b:n:w:s:t:")) >= 0) {
		switch (opt) {
		case 'f':
			freebind = true;
			break;
		case 'i':
			dev = optarg;
			break;
		case '6':
			a.sa.sa_family = AF_INET6;
			break;
		case 'p':
			same_port = true;
			break;
		case 'u':
			unconnected = true;
			break;
		case 'k':
			keeps = true;
			break;
		case 'o':
			parse(&other_server, optarg);
			break;
		case 'b':
			port = atoi(optarg);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			unasked = strtoul(optarg, NULL, 0);
			break;
		case 's':
			size = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtol(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	argc -= optind;
	argv += optind;

	if (!strcmp(verb, "talk")) {
		if (argc < 1 || size > sizeof(wanted))
			usage();
		parse(&a, argv[0]);
		addr_set_port(&a, argc > 1 ? atoi(argv[1]) : 443);
		return talk(&a, port, count, unasked, size, seconds);
	}
	if (!strcmp(verb, "send")) {
		if (argc < 2 || size > sizeof(buf))
			usage();
		parse(&from, argv[0]);
		parse(&a, argv[1]);
		addr_set_port(&a, argc > 2 ? atoi(argv[2]) : 443);
		return send_as(&from, &a, freebind, dev, count, size);
	}
	if (!strcmp(verb, "join")) {
		if (argc != 2)
			usage();
		parse(&a, argv[1]);
		join(argv[0], &a);
	}
	if (!strcmp(verb, "echo")) {
		addr_set_port(&a, argc ? atoi(argv[0]) : 443);
		echo(&a);
	}
	if (!strcmp(verb, "proxy")) {
		addr_set_port(&a, argc ? atoi(argv[0]) : 3129);
		proxy(&a);
	}
	usage();
}
