// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"
#include "say.h"

#define BUFFER	(128 * 1024)

void netlink_buffer(struct mnl_socket *nl, int size)
{
	if (size && setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET,
			       SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		die(FAILED, "--buffer-size %d: %s; run it as root", size,
		    strerror(errno));
}

/* The kernel's own words about an error, or NULL */
static const char *extack(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*err);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += err->msg.nlmsg_len - sizeof(struct nlmsghdr);
	mnl_attr_for_each(attr, nlh, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return NULL;
}

static void refused(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	const char *words = extack(nlh);

	errno = -err->error;
	if (errno == EPERM || errno == EACCES)
		die(FAILED, "kernel: permission denied; run it as root of the namespace");
	if (errno == EOPNOTSUPP)
		die(FAILED, "kernel: %s; is the module as new as this tool? see: mackeep -V",
		    strerror(errno));
	die(FAILED, "kernel: %s%s%s", strerror(errno), words ? ": " : "",
	    words ? words : "");
}

/* By hand: mnl_cb_run() ends at a message with NLM_F_DUMP_INTR. */
bool netlink_receive(struct mnl_socket *nl, unsigned int seq, mnl_cb_t cb,
		     void *data)
{
	static char buf[BUFFER];
	struct nlmsghdr *nlh;
	bool intact = true;
	int len;

	for (;;) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			die(FAILED, "netlink: %s; try again", strerror(errno));
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				intact = false;
			if (nlh->nlmsg_type == NLMSG_DONE)
				return intact;
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				const struct nlmsgerr *err =
					mnl_nlmsg_get_payload(nlh);

				if (err->error)
					refused(nlh);
				return intact;
			}
			if (nlh->nlmsg_type >= NLMSG_MIN_TYPE)
				cb(nlh, data);
		}
	}
}
