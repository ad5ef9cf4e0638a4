// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "say.h"
#include "signals.h"

int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die(FAILED, "signals: %s", strerror(errno));
	return fd;
}

unsigned int signals_read(int fd)
{
	struct signalfd_siginfo info;
	unsigned int n = 0;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		n += info.ssi_signo != SIGCHLD;
	return n;
}
