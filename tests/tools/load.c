// SPDX-License-Identifier: GPL-2.0-only
/*
 * load: a light HTTP server and client that know what every byte has to be.
 *
 *   load serve [-b ADDR] [PORT]
 *   load get [OPTION...] ADDR [PORT]
 *
 *   -c N	connections in parallel (1)
 *   -n N	requests in all (1), spread over the connections, which live on
 *		between requests; a connection beyond the N first is a failure
 *   -s BYTES	size of each answer (1000)
 *   -u BYTES	size of each request's body (0)
 *   -o		a connection for each request
 *   -l		until SIGTERM; says "done N failed N" twice a second, and a
 *		connection that broke is replaced
 *   -p N	each answer in N parts (1); says "part" as each has come
 *   -w MS	pause after each answer on a connection (0)
 *   -b ADDR	bind to ADDR
 *   -P PORT	come from PORT; for one connection at a time
 *   -v		say of each failure when its connection was opened, as bash's
 *		EPOCHREALTIME has it: "failed SECONDS WHY" on stdout
 *   -i		first sequence numbers from all over their range; those that a
 *		kernel gives to two connections of the same addresses and ports,
 *		in whatever namespaces, differ by no more than the time between
 *   -t S	give up after S seconds without an answer (30), or as many times
 *		that as MACKEEP_PATIENCE says
 *
 * PORT is 443 unless given; it is plain HTTP all the same. "serve" says
 * "ready" once it listens. "get" ends with "done N failed N bytes N", exit 0
 * if nothing failed.
 *
 * The answer to /SIZE/SEED is SIZE bytes of one long repeating pattern,
 * starting at a place that SEED chooses. The client compares all of them. The
 * body of a request is the same, and compared by the server, which answers
 * what is not so with 400. The answer to /SIZE/SEED/N has N parts: the server
 * sends the next one of each answer that is under way when it gets SIGUSR1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD		262139U		/* prime */
#define HEAD_MAX	1024U
#define EVENTS		64

static uint8_t pattern[2 * PERIOD], buf[PERIOD];

struct conn {
	struct conn *next;		/* of all */
	int fd;
	bool connecting;
	bool busy;			/* a request is under way */
	char head[HEAD_MAX];
	size_t head_len;
	bool in_body;
	size_t todo;			/* of the body coming in */
	unsigned int at;		/* in the pattern */
	size_t out_todo;		/* of the body going out */
	unsigned int out_at;
	size_t held;			/* at the end of out_todo, not to be sent yet */
	size_t part;			/* how long each is */
	unsigned int turn;		/* of the last part let go */
	bool spoilt;			/* the body was not what it has to be */
	unsigned long seed;
	double since;			/* last progress, or pause until */
	double opened;
};

static int ep;
static volatile sig_atomic_t stop, turn;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double now(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void on_usr1(int sig)
{
	(void)sig;
	turn++;
}

static void pattern_fill(void)
{
	uint64_t x = 0x2545f4914f6cdd1dULL;
	unsigned int i;

	for (i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern[i] = x >> 32;
	}
	memcpy(pattern + PERIOD, pattern, PERIOD);
}

static unsigned int pattern_at(unsigned long seed)
{
	return seed * 7919 % PERIOD;
}

static socklen_t address(struct sockaddr_storage *ss, const char *addr,
			 int port)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		return sizeof(*in6);
	}
	fprintf(stderr, "load: not an address: %s\n", addr);
	exit(2);
}

static void watch(struct conn *conn, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = conn };

	if (epoll_ctl(ep, op, conn->fd, &ev))
		die("epoll_ctl");
}

/* False when the connection is broken; to be called again while there is more. */
static bool body_send(struct conn *conn)
{
	size_t len;
	ssize_t n;

	while (conn->out_todo > conn->held) {
		len = conn->out_todo - conn->held;
		n = send(conn->fd, pattern + conn->out_at,
			 len < PERIOD ? len : PERIOD, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		conn->out_todo -= n;
		conn->out_at = (conn->out_at + n) % PERIOD;
	}
	return true;
}

/* len is at most todo */
static bool body_same(struct conn *conn, const uint8_t *p, size_t len)
{
	size_t n;

	conn->todo -= len;
	for (; len; len -= n, p += n) {
		n = len < PERIOD ? len : PERIOD;
		if (memcmp(p, pattern + conn->at, n))
			return false;
		conn->at = (conn->at + n) % PERIOD;
	}
	return true;
}

static size_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\ncontent-length:");

	return p ? strtoul(p + 16, NULL, 10) : 0;
}

/* --- server ------------------------------------------------------------- */

static struct conn *served;

static void serve_drop(struct conn *conn)
{
	struct conn **p = &served;

	while (*p != conn)
		p = &(*p)->next;
	*p = conn->next;
	close(conn->fd);
	free(conn);
}

/* False when the connection is to go. */
static bool serve_send(struct conn *conn)
{
	if (!body_send(conn))
		return false;
	watch(conn, EPOLL_CTL_MOD,
	      conn->out_todo > conn->held ? EPOLLOUT : EPOLLIN);
	return true;
}

/* The next part of each answer */
static void serve_turn(void)
{
	struct conn *conn, *next;

	for (conn = served; conn; conn = next) {
		next = conn->next;
		if (!conn->held || conn->turn == (unsigned int)turn)
			continue;
		conn->turn = turn;
		/* The last one has what does not divide. */
		conn->held = conn->held < 2 * conn->part ?
				     0 : conn->held - conn->part;
		if (!serve_send(conn))
			serve_drop(conn);
	}
}

static bool serve_answer(struct conn *conn)
{
	char head[160];
	int len;

	len = snprintf(head, sizeof(head),
		       "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n",
		       conn->spoilt ? "400 Wrong bytes" : "200 OK",
		       conn->out_todo);
	if (send(conn->fd, head, len, MSG_NOSIGNAL | MSG_MORE) != len)
		return false;
	return serve_send(conn);
}

static bool serve_body(struct conn *conn, const uint8_t *p, size_t len)
{
	if (len > conn->todo)
		return false;
	if (!body_same(conn, p, len))
		conn->spoilt = true;
	return conn->todo || serve_answer(conn);
}

static bool serve_head(struct conn *conn)
{
	unsigned long size, seed, parts = 1;
	size_t rest;
	ssize_t n;
	char *end;

	n = read(conn->fd, conn->head + conn->head_len,
		 HEAD_MAX - 1 - conn->head_len);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	conn->head_len += n;
	conn->head[conn->head_len] = 0;
	end = strstr(conn->head, "\r\n\r\n");
	if (!end)
		return conn->head_len < HEAD_MAX - 1;

	if (sscanf(conn->head, "GET /%lu/%lu/%lu ", &size, &seed, &parts) < 2 ||
	    !parts)
		return false;
	end += 4;
	rest = conn->head + conn->head_len - end;
	conn->head_len = 0;
	conn->spoilt = false;
	conn->todo = content_length(conn->head);
	conn->at = pattern_at(seed);
	conn->out_todo = size;
	conn->part = size / parts;
	conn->held = size - (parts > 1 ? conn->part : size);
	conn->turn = turn;
	conn->out_at = conn->at;
	return serve_body(conn, (uint8_t *)end, rest);
}

static bool serve_read(struct conn *conn)
{
	ssize_t n;

	if (!conn->todo)
		return serve_head(conn);
	n = read(conn->fd, buf, PERIOD);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	return serve_body(conn, buf, n);
}

static int serve(const char *addr, int port)
{
	struct epoll_event ev = { .events = EPOLLIN }, events[EVENTS];
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, addr, port);
	int one = 1, lfd, fd, n, i;
	sigset_t usr1, none;
	struct conn *conn;
	bool keep;

	/* It comes while epoll waits, and at no other time. */
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);

	lfd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (lfd < 0)
		die("socket");
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Does nothing to IPv4. */
	setsockopt(lfd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(lfd, (struct sockaddr *)&ss, len))
		die("bind");
	if (listen(lfd, 512))
		die("listen");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev))
		die("epoll_ctl");
	puts("ready");
	fflush(stdout);

	while (!stop) {
		n = epoll_pwait(ep, events, EVENTS, -1, &none);
		if (n < 0)
			serve_turn();
		for (i = 0; i < n; i++) {
			conn = events[i].data.ptr;
			if (conn) {
				keep = events[i].events & EPOLLOUT ?
					       serve_send(conn) :
					       serve_read(conn);
				if (!keep)
					serve_drop(conn);
				continue;
			}
			fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK);
			if (fd < 0)
				continue;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				   sizeof(one));
			conn = calloc(1, sizeof(*conn));
			if (!conn)
				die("calloc");
			conn->fd = fd;
			conn->next = served;
			served = conn;
			watch(conn, EPOLL_CTL_ADD, EPOLLIN);
		}
	}
	return 0;
}

/* --- client ------------------------------------------------------------- */

static struct {
	struct sockaddr_storage to, from;
	socklen_t to_len, from_len;
	unsigned long requests, size, upload, parts;
	unsigned long sent, done, failed, broken, bytes;
	unsigned int conns;
	bool once, loop, spread, verbose;
	int pause;
	double patience;
	struct conn *list;
} get = {
	.requests = 1, .size = 1000, .parts = 1, .conns = 1, .patience = 30,
};

static void get_spread(int fd)
{
	static uint32_t seq;
	int one = 1, off = 0, queue = TCP_SEND_QUEUE;

	seq += 0x9e3779b9; /* the golden section of it */
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue,
		       sizeof(queue)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)))
		die("TCP_REPAIR");
}

static void get_connect(struct conn *conn)
{
	int one = 1;

	conn->fd = socket(get.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (conn->fd < 0)
		die("socket");
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (get.spread)
		get_spread(conn->fd);
	setsockopt(conn->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (get.from_len &&
	    bind(conn->fd, (struct sockaddr *)&get.from, get.from_len))
		die("bind");
	conn->opened = clock_now(CLOCK_REALTIME);
	if (connect(conn->fd, (struct sockaddr *)&get.to, get.to_len) &&
	    errno != EINPROGRESS)
		die("connect");
	conn->connecting = true;
	conn->head_len = 0;
	conn->in_body = false;
	conn->out_todo = 0;
	conn->since = now();
	watch(conn, EPOLL_CTL_ADD, EPOLLOUT);
}

static void get_fail(struct conn *conn, const char *why)
{
	/* In a loop somebody is pulling the cables; the count says enough. */
	if (get.verbose)
		printf("failed %.6f %s\n", conn->opened, why);
	else if (!get.loop)
		fprintf(stderr, "load: request %lu: %s\n", conn->seed, why);
	if (conn->busy)
		get.failed++;
	conn->busy = false;
	close(conn->fd);
	conn->fd = -1;
	conn->since = now() + 0.1;
}

static bool get_more(void)
{
	return get.loop ? !stop : get.sent < get.requests;
}

static void get_send(struct conn *conn)
{
	if (!body_send(conn))
		get_fail(conn, strerror(errno));
	else
		watch(conn, EPOLL_CTL_MOD,
		      conn->out_todo ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void get_ask(struct conn *conn)
{
	char head[160];
	int len;

	conn->busy = true;
	conn->seed = get.sent++;
	conn->since = now();
	len = snprintf(head, sizeof(head),
		       "GET /%lu/%lu/%lu HTTP/1.1\r\nHost: test\r\n", get.size,
		       conn->seed, get.parts);
	if (get.upload)
		len += snprintf(head + len, sizeof(head) - len,
				"Content-Length: %lu\r\n", get.upload);
	len += snprintf(head + len, sizeof(head) - len, "\r\n");
	if (send(conn->fd, head, len, MSG_NOSIGNAL) != len) {
		get_fail(conn, strerror(errno));
		return;
	}
	conn->out_todo = get.upload;
	conn->out_at = pattern_at(conn->seed);
	get_send(conn);
}

static void get_next(struct conn *conn)
{
	conn->busy = false;
	if (get.once || !get_more()) {
		close(conn->fd);
		conn->fd = -1;
		conn->since = now() + get.pause / 1000.0;
	} else if (get.pause) {
		conn->since = now() + get.pause / 1000.0;
	} else {
		get_ask(conn);
	}
}

/* Parts of the answer that are there */
static unsigned long get_parts(const struct conn *conn)
{
	unsigned long n = (get.size - conn->todo) / (get.size / get.parts);

	return n < get.parts ? n : get.parts - !!conn->todo;
}

/* False when the connection has gone. */
static bool get_body(struct conn *conn, const uint8_t *p, size_t len)
{
	unsigned long parts = get.parts > 1 ? get_parts(conn) : 0;

	if (len > conn->todo) {
		get_fail(conn, "more bytes than announced");
		return false;
	}
	get.bytes += len;
	if (!body_same(conn, p, len)) {
		get_fail(conn, "wrong bytes");
		return false;
	}
	for (; get.parts > 1 && parts < get_parts(conn); parts++) {
		puts("part");
		fflush(stdout);
	}
	if (conn->todo)
		return true;
	conn->in_body = false;
	get.done++;
	get_next(conn);
	return false;
}

static void get_head(struct conn *conn)
{
	size_t rest, size;
	ssize_t n;
	char *end;

	n = read(conn->fd, conn->head + conn->head_len,
		 HEAD_MAX - 1 - conn->head_len);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		get_fail(conn, n ? strerror(errno) : "closed by the server");
		return;
	}
	conn->head_len += n;
	conn->head[conn->head_len] = 0;
	end = strstr(conn->head, "\r\n\r\n");
	if (!end) {
		if (conn->head_len == HEAD_MAX - 1)
			get_fail(conn, "endless header");
		return;
	}
	size = content_length(conn->head);
	if (strncmp(conn->head, "HTTP/1.1 200", 12) || size != get.size) {
		get_fail(conn, "not the answer");
		return;
	}
	end += 4;
	rest = conn->head + conn->head_len - end;
	conn->head_len = 0;
	conn->in_body = true;
	conn->todo = size;
	conn->at = pattern_at(conn->seed);
	get_body(conn, (uint8_t *)end, rest);
}

static void get_event(struct conn *conn, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;
	ssize_t n;

	if (conn->fd < 0)
		return;
	conn->since = now();
	if (conn->connecting) {
		getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		conn->connecting = false;
		if (err) {
			conn->busy = true;
			get.sent++;
			get_fail(conn, strerror(err));
		} else if (get_more()) {
			get_ask(conn);
		} else {
			close(conn->fd);
			conn->fd = -1;
		}
		return;
	}
	if (!conn->busy) {
		get_fail(conn, "closed while idle");
		get.broken++;
		return;
	}
	if (events & EPOLLOUT && conn->out_todo)
		get_send(conn);
	if (conn->fd < 0 || !(events & ~EPOLLOUT))
		return;
	if (!conn->in_body) {
		get_head(conn);
		return;
	}
	do {
		n = read(conn->fd, buf, PERIOD);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			get_fail(conn, n ? strerror(errno) : "cut short");
			return;
		}
	} while (get_body(conn, buf, n));
}

/* What has no event: pauses, connections to be made, patience. */
static void get_tick(struct conn *conn)
{
	double t = now();

	if (conn->fd < 0) {
		if (get_more() && t >= conn->since)
			get_connect(conn);
	} else if (conn->connecting || conn->busy) {
		if (t - conn->since > get.patience) {
			if (!conn->busy)
				get.sent++;
			conn->busy = true;
			get_fail(conn, "no answer");
		}
	} else if (t >= conn->since) {
		if (get_more()) {
			get_ask(conn);
		} else {
			close(conn->fd);
			conn->fd = -1;
		}
	}
}

static bool get_pending(void)
{
	struct conn *conn;

	if (get_more())
		return true;
	if (get.loop)
		return false;
	for (conn = get.list; conn; conn = conn->next)
		if (conn->fd >= 0)
			return true;
	return false;
}

static int get_run(void)
{
	struct epoll_event events[EVENTS];
	double said = now();
	struct conn *conn;
	unsigned int i;
	int n, j;

	for (i = 0; i < get.conns; i++) {
		conn = calloc(1, sizeof(*conn));
		if (!conn)
			die("calloc");
		conn->next = get.list;
		get.list = conn;
		get_connect(conn);
	}

	while (get_pending()) {
		n = epoll_wait(ep, events, EVENTS, 20);
		for (j = 0; j < n; j++)
			get_event(events[j].data.ptr, events[j].events);
		for (conn = get.list; conn; conn = conn->next)
			get_tick(conn);
		if (get.loop && now() - said > 0.5) {
			said = now();
			printf("done %lu failed %lu\n", get.done, get.failed);
			fflush(stdout);
		}
	}
	printf("done %lu failed %lu bytes %lu\n", get.done, get.failed,
	       get.bytes);
	if (get.loop)
		return !get.done || get.failed;
	return get.done != get.requests || get.failed || get.broken;
}

static void usage(void)
{
	fputs("usage: load serve [-b ADDR] [PORT]\n"
	      "       load get [-c N] [-n N] [-s BYTES] [-u BYTES] [-p N] [-o] [-l] [-w MS] [-b ADDR] [-P PORT] [-i] [-v] [-t S] ADDR [PORT]\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	struct sigaction usr1 = { .sa_handler = on_usr1 };
	const char *times = getenv("MACKEEP_PATIENCE");
	const char *bind_to = NULL;
	int opt, port = 443, from_port = 0;
	bool server;

	if (argc < 2)
		usage();
	server = !strcmp(argv[1], "serve");
	if (!server && strcmp(argv[1], "get"))
		usage();
	argv++;
	argc--;

	while ((opt = getopt(argc, argv, "c:n:s:u:p:olivw:b:P:t:")) != -1) {
		switch (opt) {
		case 'c':
			get.conns = atoi(optarg);
			break;
		case 'n':
			get.requests = atol(optarg);
			break;
		case 's':
			get.size = atol(optarg);
			break;
		case 'u':
			get.upload = atol(optarg);
			break;
		case 'p':
			get.parts = atol(optarg);
			if (!get.parts)
				usage();
			break;
		case 'o':
			get.once = true;
			break;
		case 'l':
			get.loop = true;
			break;
		case 'i':
			get.spread = true;
			break;
		case 'w':
			get.pause = atoi(optarg);
			break;
		case 'b':
			bind_to = optarg;
			break;
		case 'P':
			from_port = atoi(optarg);
			break;
		case 'v':
			get.verbose = true;
			break;
		case 't':
			get.patience = atof(optarg);
			break;
		default:
			usage();
		}
	}
	if (get.size < get.parts)
		usage();
	if (times)
		get.patience *= atof(times);
	if (optind + !server + 1 == argc)
		port = atoi(argv[argc - 1]);
	else if (optind + !server != argc)
		usage();

	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGINT, &term, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	ep = epoll_create1(0);
	if (ep < 0)
		die("epoll_create1");
	pattern_fill();

	if (server)
		return serve(bind_to ? bind_to : "0.0.0.0", port);

	get.to_len = address(&get.to, argv[optind], port);
	if (from_port && !bind_to)
		bind_to = get.to.ss_family == AF_INET6 ? "::" : "0.0.0.0";
	if (bind_to)
		get.from_len = address(&get.from, bind_to, from_port);
	return get_run();
}
