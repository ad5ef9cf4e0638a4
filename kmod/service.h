/* SPDX-License-Identifier: GPL-2.0-only */
/* Services: which proxy marked frames are for, and whether it takes them now. */
#ifndef _MACKEEP_SERVICE_H
#define _MACKEEP_SERVICE_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include <linux/mackeep.h>

struct mackeep_net;
struct mackeep_rehearsal;

#define MACKEEP_SERVICE_QUEUES	8	/* listeners, as of SO_REUSEPORT */

/* A listener's queue, to see that nothing is taken */
struct mackeep_service_queue {
	const void *sk;
	const void *head;		/* who waits longest; NULL: nobody did */
	u32 id;				/* of his */
	unsigned long since;		/* jiffies */
	unsigned long asked;		/* likewise, for the last time */
};

struct mackeep_service_counts {
	u64 frames[MACKEEP_SERVICE_MAX + 1];
};

struct mackeep_service {
	struct list_head list;
	u32 mark;
	u16 port;
	u8 proto;			/* IPPROTO_TCP or IPPROTO_UDP */
	u8 fail;			/* MACKEEP_FAIL_* */
	bool bypass;
	bool synproxy;
	bool rehearse;			/* all of it is bridged, and counted */
	time64_t settled;		/* when flows count as new, boot's seconds */
	__be32 on4;			/* --on-ip of TPROXY; 0: none */
	struct in6_addr on6;
	u8 state[2];			/* IPv4, IPv6, as last told; the work's */
	u32 ifindex;			/* a frame of it came in by; read without */
	struct mackeep_service_counts __percpu *counts;
	spinlock_t lock;		/* queues */
	struct mackeep_service_queue queues[MACKEEP_SERVICE_QUEUES];
};

/* Written under mackeep_net_mutex, read under RCU */
struct mackeep_services {
	struct list_head list;
	unsigned int count;
	u64 *past;			/* UDP flows that go past the proxy; past.h */
	struct mackeep_rehearsal *rehearsal; /* while any rehearses */
	unsigned int rehearsing;	/* that do */
	struct delayed_work work;	/* tells of changes; service-netlink.c */
};

/* All need mackeep_net_mutex and may sleep. */
struct mackeep_service *mackeep_service_get(struct mackeep_net *mn, u32 mark,
					    u8 proto);
int mackeep_service_add(struct mackeep_net *mn,
			const struct mackeep_service *what);
void mackeep_service_del(struct mackeep_net *mn,
			 struct mackeep_service *service);
u8 mackeep_service_probe(struct mackeep_net *mn,
			 struct mackeep_service *service, struct sk_buff *skb,
			 bool v6);

/* Under rcu_read_lock(); NULL: the frame's mark is of no service. */
static inline struct mackeep_service *
mackeep_service_of(const struct mackeep_services *services, u32 mark, int proto)
{
	struct mackeep_service *service;

	list_for_each_entry_rcu(service, &services->list, list)
		if (service->mark == mark && service->proto == proto)
			return service;
	return NULL;
}

struct mackeep_service *mackeep_service_find(const struct mackeep_net *mn,
					     const struct sk_buff *skb);
u8 mackeep_service_ask(struct mackeep_net *mn, struct mackeep_service *service,
		       struct sk_buff *skb, const struct net_device *in);
void mackeep_service_rehearse(struct mackeep_net *mn,
			      const struct mackeep_service *service,
			      struct sk_buff *skb,
			      const struct net_device *in);
void mackeep_service_sum(const struct mackeep_service *service,
			 struct mackeep_service_counts *sum);

/* Seconds until it is settled; 0 or less: it is. */
static inline time64_t
mackeep_service_settle(const struct mackeep_service *service)
{
	return service->settled - ktime_get_seconds();
}

static inline void mackeep_service_count(struct mackeep_service *service,
					 u8 why)
{
	this_cpu_inc(service->counts->frames[why]);
}

void mackeep_service_net_init(struct mackeep_net *mn);
void mackeep_service_net_exit(struct mackeep_net *mn);
void mackeep_service_init(void);

#endif /* _MACKEEP_SERVICE_H */
