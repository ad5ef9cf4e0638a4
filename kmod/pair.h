/* SPDX-License-Identifier: GPL-2.0-only */
/* The pair cache: the MACs that frames between two addresses carry. */
#ifndef _MACKEEP_PAIR_H
#define _MACKEEP_PAIR_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "filter.h"
#include "macs.h"
#include "router.h"

struct mackeep_net;

#define MACKEEP_PAIR_DEVICES	64
#define MACKEEP_PAIR_MAX	16777216

struct mackeep_pairs {
	struct rhashtable table;
	spinlock_t lock;		/* writers: lists, count, replacing */
	struct list_head fresh;		/* seen once, oldest first */
	struct list_head proven;	/* saw an answer, least used first */
	unsigned int count;
	struct list_head unfed;		/* gone, but fed still */
	struct delayed_work gc;

	/* Frames read this without the lock, and not where new pairs are counted. */
	bool moved ____cacheline_aligned_in_smp; /* some client announced a new MAC */
	unsigned int devices;		/* of which: */
	u32 device[MACKEEP_PAIR_DEVICES]; /* pairs were learned on */
};

struct mackeep_pair_key {
	union nf_inet_addr client;
	union nf_inet_addr server;	/* all zero: any */
	u32 ifindex;
	u16 zone;
	u16 family;			/* NFPROTO_IPV4, NFPROTO_IPV6 */
};

/*
 * What a pair's MACs were before, if those who had them have shown or said that
 * they moved; zero where others took their place. weak: a datagram showed it.
 */
struct mackeep_pair_was {
	u8 src[ETH_ALEN];
	u8 dst[ETH_ALEN];
	bool weak;
};

struct mackeep_pair {
	struct rhash_head node;
	struct mackeep_pair_key key;
	u8 src[ETH_ALEN];
	u8 dst[ETH_ALEN];
	struct mackeep_pair_was was;
	u8 policy;			/* under lock, read without */
	bool proven;			/* under lock, read without */
	bool answered;			/* frames came from dst; likewise */
	bool routed;			/* as router.c has it, not a frame; likewise */
	bool fed;			/* see pair-feed.c; likewise */
	u32 tag;			/* as of macs.h; PCP of the last frame */
	u32 shown;			/* jiffies of a frame that had all this */
	u32 used;			/* jiffies; likewise */
	u32 hopped;			/* jiffies of a frame to that: */
	u64 hop;			/* of any server: the client's router; likewise */
	union {
		struct list_head list;	/* fresh or proven, by used; unfed */
		struct rcu_head rcu;	/* when it has left that */
	};
};

unsigned int mackeep_pair_limit(const struct mackeep_net *mn);
int mackeep_pair_net_init(struct mackeep_net *mn);
void mackeep_pair_net_exit(struct mackeep_net *mn);
void mackeep_pair_start(struct mackeep_net *mn);
void mackeep_pair_stop(struct mackeep_net *mn);
unsigned int mackeep_pair_flush(struct mackeep_net *mn,
				const struct mackeep_filter *filter);
void mackeep_pair_forget(struct mackeep_net *mn, u8 policy);
void mackeep_pair_key_ct(struct mackeep_pair_key *key, const struct nf_conn *ct,
			 u32 ifindex);
void mackeep_pair_key_skb(struct mackeep_pair_key *key,
			  const struct sk_buff *skb, const struct nf_conn *ct,
			  u32 ifindex, bool v6);

/* What stands behind the MACs of a frame; without any, all could have sent it. */
struct mackeep_pair_proof {
	bool proven;			/* its flow has seen an answer */
	bool weak;			/* and conntrack asks for no more */
	bool fixed;			/* --refresh first: nothing changes MACs */
	enum mackeep_router_kind router; /* what the destination is */
	const struct mackeep_macs *old;	/* which its flow had, if others */
};

void mackeep_pair_learn(struct mackeep_net *mn,
			const struct mackeep_pair_key *key,
			const struct mackeep_macs *macs,
			const struct mackeep_pair_proof *proof);

int mackeep_pair_restore(struct mackeep_net *mn,
			 const struct mackeep_pair_key *key,
			 const struct mackeep_macs *macs, bool proven,
			 unsigned int msecs);

/* What a frame of the server says about the MAC that its client sends to */
enum mackeep_pair_answer {
	MACKEEP_PAIR_UNKNOWN,		/* there is no such pair */
	MACKEEP_PAIR_KNOWN,		/* nothing new */
	MACKEEP_PAIR_LEFT,		/* answers came from it, and do no more */
};

enum mackeep_pair_answer
mackeep_pair_answered(struct mackeep_net *mn,
		      const struct mackeep_pair_key *key, const u8 *mac,
		      u8 *dst);
bool mackeep_pair_find(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key,
		       struct mackeep_macs *macs, struct mackeep_pair_was *was);
bool mackeep_pair_hop(const struct mackeep_net *mn,
		      const struct mackeep_pair_key *key, u8 *mac);
void mackeep_pair_note(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key,
		       const struct mackeep_macs *macs);
unsigned int mackeep_pair_devices(const struct mackeep_net *mn);
u32 mackeep_pair_device(const struct mackeep_net *mn, unsigned int i);
bool mackeep_pair_elsewhere(struct mackeep_net *mn, const struct sk_buff *skb,
			    u32 ifindex, u32 vlan, bool client);
void mackeep_pair_move(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key, u32 vlan,
		       const u8 *mac);
bool mackeep_pair_follow(struct mackeep_net *mn,
			 const struct mackeep_pair_key *key,
			 struct mackeep_macs *macs);
void mackeep_pair_starve(struct mackeep_net *mn);
int mackeep_pair_module_init(void);
void mackeep_pair_module_exit(void);

#endif /* _MACKEEP_PAIR_H */
