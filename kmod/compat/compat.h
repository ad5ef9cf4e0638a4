/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows kernel versions. Everything else is written to
 * the newest kernel's API; what an older one lacks is made up for here.
 */
#ifndef _MACKEEP_COMPAT_H
#define _MACKEEP_COMPAT_H

#include <linux/sysctl.h>
#include <linux/version.h>
#include <net/ip6_fib.h>
#include <net/net_namespace.h>
#include <net/route.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "MACKEEP supports Linux 6.1 to 6.12"
#endif

/* The last slot of a sysctl table is left empty for kernels that want one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define register_net_sysctl_sz(net, path, table, size) \
	register_net_sysctl(net, path, table)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define MACKEEP_CTL_CONST
#else
#define MACKEEP_CTL_CONST const
#endif

/*
 * Where IP counts OutTransmits and OutOctets: before POST_ROUTING, or after it
 * in ip_finish_output2(), which packets we transmit ourselves do not reach.
 */
#define MACKEEP_OUT_COUNTED	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0))

#ifndef dst_rtable
#define dst_rtable(dst)		container_of_const(dst, struct rtable, dst)
#endif

#endif /* _MACKEEP_COMPAT_H */
