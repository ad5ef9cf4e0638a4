// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter_bridge/ebtables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "tables.h"

/* What the kernel has of a table in few bytes: sizes and offsets; 0: no table */
static uint64_t table_sum(int family, int level, int option, void *info, socklen_t len)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	const unsigned char *byte = info;
	uint64_t sum = 0;
	socklen_t i;

	if (fd < 0)
		return 0;
	if (!getsockopt(fd, level, option, info, &len))
		for (sum = 1, i = 0; i < len; i++)
			sum = sum * 31 + byte[i];
	close(fd);
	return sum;
}

/* Asking for a table would load it. */
static bool loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

uint64_t tables_sum(void)
{
	struct ipt_getinfo ip = { .name = "mangle" };
	struct ip6t_getinfo ip6 = { .name = "mangle" };
	struct ebt_replace bridge = { .name = "nat" };
	uint64_t sum = 0;

	if (loaded("iptable_mangle"))
		sum += table_sum(AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, &ip,
				 sizeof(ip));
	if (loaded("ip6table_mangle"))
		sum = sum * 31 + table_sum(AF_INET6, IPPROTO_IPV6,
					   IP6T_SO_GET_INFO, &ip6, sizeof(ip6));
	if (loaded("ebtable_nat"))
		sum = sum * 31 + table_sum(AF_INET, IPPROTO_IP, EBT_SO_GET_INFO,
					   &bridge, sizeof(bridge));
	return sum;
}
