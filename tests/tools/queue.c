// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue: an inline IPS that likes everything.
 *
 *   queue [NUM]
 *
 * Takes whole packets from NFQUEUE NUM (0) and accepts each by itself, as
 * Suricata and Snort do. Says "ready" once the queue is bound, and on SIGTERM
 * "accepted N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COPY	0xffff	/* bytes of a packet */
#define ROOM	(COPY + 8192)	/* of a message with one */
#define LENGTH	16384	/* of the queue, in packets */

static struct mnl_socket *nl;
static uint16_t queue;
static unsigned long accepted;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	fprintf(stderr, "queue: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static struct nlmsghdr *request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(queue);
	return nlh;
}

static void send_request(const struct nlmsghdr *nlh)
{
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
}

/* With the kernel's answer */
static void configure(struct nlmsghdr *nlh)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	ssize_t n;

	send_request(nlh);
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, n, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		die("configure");
}

static void bind_queue(void)
{
	struct nfqnl_msg_config_cmd cmd = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params params = {
		.copy_range = htonl(COPY), .copy_mode = NFQNL_COPY_PACKET };
	int size = 16 << 20, one = 1;
	struct nlmsghdr *nlh;
	char buf[256];

	nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	/* No packet is lost for want of room, nor does a full buffer end it. */
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		   sizeof(size));
	mnl_socket_setsockopt(nl, NETLINK_NO_ENOBUFS, &one, sizeof(one));

	nlh = request(buf, NFQNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	configure(nlh);
	nlh = request(buf, NFQNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(LENGTH));
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	configure(nlh);
}

static int find_header(const struct nlattr *attr, void *data)
{
	const struct nfqnl_msg_packet_hdr **header = data;

	if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR)
		*header = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static int packet(const struct nlmsghdr *in, void *data)
{
	struct nfqnl_msg_verdict_hdr verdict = { .verdict = htonl(NF_ACCEPT) };
	const struct nfqnl_msg_packet_hdr *header = NULL;
	struct nlmsghdr *nlh;
	char buf[256];

	(void)data;

	mnl_attr_parse(in, sizeof(struct nfgenmsg), find_header, &header);
	if (!header)
		return MNL_CB_OK;
	verdict.id = header->packet_id;
	nlh = request(buf, NFQNL_MSG_VERDICT, 0);
	mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(verdict), &verdict);
	send_request(nlh);
	accepted++;
	return MNL_CB_OK;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_stop };
	static char buf[ROOM];
	ssize_t n;

	if (argc > 2) {
		fputs("usage: queue [NUM]\n", stderr);
		return 2;
	}
	if (argc > 1)
		queue = atoi(argv[1]);
	sigaction(SIGTERM, &act, NULL); /* no SA_RESTART: it ends recv */
	bind_queue();
	puts("ready");
	fflush(stdout);
	while (!stop) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 && errno != EINTR)
			die("recv");
		if (n >= 0 && mnl_cb_run(buf, n, 0, 0, packet, NULL) < 0)
			die("message");
	}
	printf("accepted %lu\n", accepted);
	return 0;
}
