/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share. The way of a packet, in order:
 *
 *   lift.c	a marked frame leaves the bridge for the IP stack, h_dest intact
 *   frag.c	and so do the later fragments of its datagram
 *   target.c	-j MACKEEP
 *   learn.c	takes the MACs it came with
 *   record.c	keeps them in the conntrack entry
 *   pair.c	and by client and server address, for the upstream leg
 *   station.c	and by which port of the bridge they came
 *   announce.c	hosts that say they have another MAC now
 *   move.c	which MAC others are to be sent to since
 *   adopt.c	where a flow that the proxy opens gets its MACs from
 *   lasthop.c	--last-hop: sends answers back where the flow came from
 *   plain.c	writes them on the packets that leave, if these are plain
 *   output.c	and on all others
 *   ownport.c	but not by the port where the station is whose MAC it is
 *   netlink.c	shows the pair cache, and has MACs forgotten
 *
 * main.c holds the network namespaces, policy.c the marks of the rules; bridge.c
 * and stp.c are what a bridge is asked, device.c remembers devices that went.
 */
#ifndef _MACKEEP_H
#define _MACKEEP_H

#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/tcp.h>

#include <linux/netfilter/xt_MACKEEP.h>

#include "compat.h"
#include "stat.h"

/* --- policy.c: the marks of a rule ------------------------------------- */

/*
 * Rules with the same options share one policy, which a record names by its
 * number. 0 is that of no options, and of flows that no rule has seen.
 */
#define MACKEEP_POLICY_SLOTS	256

struct mackeep_policy {
	struct mackeep_net *mn;
	u32 mark[IP_CT_DIR_MAX];
	u32 mask[IP_CT_DIR_MAX];
	u32 flags;			/* XT_MACKEEP_POLICY_FLAGS */
	unsigned int rules;		/* under mackeep_net_mutex, read without */
	u64 turn;			/* when its last rule came or went; likewise */
	u8 id;
	struct rcu_head rcu;
};

/* --- pair.c: the pair cache -------------------------------------------- */

struct mackeep_pairs {
	struct rhashtable table;
	spinlock_t lock;		/* writers: lists, count, replacing */
	struct list_head fresh;		/* seen once, oldest first */
	struct list_head proven;	/* saw an answer, least used first */
	unsigned int count;
	unsigned int changes;		/* of MACs; read without */
	bool moved;			/* some client announced a new MAC */
	struct delayed_work gc;
};

/* --- station.c: where stations are ------------------------------------- */

struct mackeep_stations {
	struct rhashtable table;
	spinlock_t lock;		/* writers: list, count */
	struct list_head list;		/* longest silent first */
	unsigned int count;
	bool contrary;			/* to what some FDB says; read without */
};

struct mackeep_station_key {
	u32 ifindex;			/* of the bridge */
	u16 vid;			/* in its FDB */
	u8 mac[ETH_ALEN];
};

struct mackeep_station {
	struct rhash_head node;
	struct mackeep_station_key key;
	u32 port;			/* ifindex; one word, under lock */
	struct list_head list;
	struct rcu_head rcu;
};

/* --- move.c: who has another MAC now ------------------------------------- */

#define MACKEEP_MOVE_BUCKETS	256
#define MACKEEP_MOVE_SUSPECTS	16

/* Answers that come from another MAC: it may be a move. */
struct mackeep_suspect {
	u32 ifindex;			/* 0: free */
	u8 from[ETH_ALEN];
	u8 to[ETH_ALEN];
	unsigned long since;		/* jiffies; the old one is silent */
	unsigned long until;		/* when it is given up */
};

struct mackeep_move_list {
	struct list_head list;		/* by when, oldest first */
	unsigned int count;
};

struct mackeep_moves {
	spinlock_t lock;		/* all of it but any */
	struct mackeep_move_list bindings;
	struct mackeep_move_list moves;
	bool any;			/* something has moved; read without */
	struct hlist_head buckets[MACKEEP_MOVE_BUCKETS];
	struct mackeep_suspect suspects[MACKEEP_MOVE_SUSPECTS];
	struct delayed_work work;
};

/* --- stp.c: ports that do not forward -------------------------------------- */

struct mackeep_stp {
	struct mackeep_stp_ports __rcu *blocked;	/* NULL: none */
	bool running;
	struct delayed_work work;
};

/* --- device.c: devices that went ------------------------------------------ */

struct mackeep_device {
	u32 ifindex;			/* 0: none */
	char name[IFNAMSIZ];
};

struct mackeep_devices {
	spinlock_t lock;		/* all of it but any */
	bool any;			/* read without */
	unsigned int next;
	struct mackeep_device gone[16];
};

/* --- lasthop.c ----------------------------------------------------------- */

struct mackeep_lasthop {
	unsigned int rules;		/* under mackeep_net_mutex */
	bool hooked;			/* likewise */
	struct nf_hook_ops steer[4];
	struct nf_hook_ops watch[2];
	spinlock_t lock;		/* writers of routes */
	struct list_head routes;	/* read under RCU */
};

/* --- ownport.c ----------------------------------------------------------- */

struct mackeep_ownport {
	bool guarded;			/* written by the work */
	bool closed;
	unsigned long flooded;		/* jiffies */
	struct sk_buff_head held;
	struct delayed_work work;
	struct nf_hook_ops hook;
};

/* --- main.c: a network namespace --------------------------------------- */

#define MACKEEP_HOOKS		8
#define MACKEEP_LEARN_HOOKS	2
/* What is remembered for a moment; each word is read and written whole. */
#define MACKEEP_SLOTS_BITS	10

struct mackeep_slots {
	u64 strangers[1 << MACKEEP_SLOTS_BITS];	/* see lift.c; first for each frame */
	u64 known[1 << MACKEEP_SLOTS_BITS];	/* see ownport.c */
	u64 ways[1 << MACKEEP_SLOTS_BITS];	/* see lift.c */
	u64 lifted[1 << MACKEEP_SLOTS_BITS];	/* see learn.c */
	u64 frags[256];				/* see frag.c */
};

struct mackeep_net {
	/* what every packet reads, and hardly anything writes */
	struct net *net;
	struct mackeep_stat __percpu *stat;
	atomic_t news;			/* odd; see mackeep_net_news() */

	struct mackeep_policy __rcu *policy[MACKEEP_POLICY_SLOTS];
	struct mackeep_policy __rcu *newest;	/* NULL: no rule */
	struct mackeep_policy policy_none;
	u64 policy_turn;		/* under mackeep_net_mutex */
	bool gone;			/* likewise */
	struct mackeep_pairs pairs;
	struct mackeep_stations stations;
	struct mackeep_moves moves;
	struct mackeep_devices devices;
	struct mackeep_stp stp;
	struct mackeep_lasthop lasthop;
	struct mackeep_ownport ownport;
	struct mackeep_slots *slots;	/* while started */
	atomic_t expected;		/* flows; see lift.c */

	/* sysctls */
	u32 lift_mark;
	u32 lift_mask;
	unsigned int pair_max;
	unsigned int pair_timeout;	/* seconds */
	unsigned int neigh;		/* neighbour fallback: 0 off, 1 on */
	struct ctl_table_header *sysctl;

	unsigned int users;		/* rules; under mackeep_net_mutex */
	unsigned int strict;		/* of which strict; read without */
	bool started;			/* the pair cache is there; likewise */
	bool hooked;			/* the hooks are; likewise */
	struct nf_hook_ops hooks[MACKEEP_HOOKS];
	unsigned int want_hooks;	/* sysctl: hooks without a rule; likewise */
	bool learning;			/* the learning hooks are; likewise */
	struct nf_hook_ops learn_hooks[MACKEEP_LEARN_HOOKS];
};

extern struct mutex mackeep_net_mutex;

struct mackeep_net *mackeep_net(const struct net *net);
int mackeep_net_get(struct mackeep_net *mn);
void mackeep_net_put(struct mackeep_net *mn);
int mackeep_net_want_hooks(struct mackeep_net *mn, bool want);

/*
 * When MACs were found in order: mackeep_net.news at the time, without its lowest
 * bit, which then says that the flow's packets may go plain.c's way. 0 is never.
 */
#define MACKEEP_PLAIN	1

/*
 * Something has changed that a record may depend on: the MACs of a pair, or
 * where a bridge has its stations. A record that was last found in order before
 * that is asked about again when a packet of its flow leaves.
 */
static inline void mackeep_net_news(struct mackeep_net *mn)
{
	smp_mb__before_atomic(); /* the change before the news of it */
	atomic_add(2, &mn->news);
}

/* For what is read after this, and is as new or newer. */
static inline u32 mackeep_net_now(const struct mackeep_net *mn)
{
	u32 news = atomic_read(&mn->news);

	smp_rmb(); /* pairs with mackeep_net_news() */
	return news & ~MACKEEP_PLAIN;
}

int mackeep_net_hook(struct mackeep_net *mn, struct nf_hook_ops *ops,
		     const struct nf_hook_ops *from, unsigned int n);

#define MACKEEP_STAT_INC(mn, name) \
	this_cpu_inc((mn)->stat->count[MACKEEP_STAT_##name])

/* Both may sleep and need mackeep_net_mutex. */
struct mackeep_policy *mackeep_policy_get(struct mackeep_net *mn,
					  const struct xt_mackeep_tginfo *info);
void mackeep_policy_put(struct mackeep_policy *policy);
void mackeep_policy_net_exit(struct mackeep_net *mn);
const struct mackeep_policy *
mackeep_policy_instead(const struct mackeep_net *mn,
		       const struct mackeep_policy *policy);

/*
 * Under rcu_read_lock(). NULL when there is none of that number. A number may be
 * stored in the same critical section, and only there: see policy.c.
 */
static inline const struct mackeep_policy *
mackeep_policy_find(const struct mackeep_net *mn, u8 id)
{
	if (likely(!id))
		return &mn->policy_none;
	return rcu_dereference(mn->policy[id]);
}

/* Likewise. The options that a flow with that number is under now. */
static inline const struct mackeep_policy *
mackeep_policy_now(const struct mackeep_net *mn, u8 id)
{
	const struct mackeep_policy *policy = mackeep_policy_find(mn, id);

	if (likely(policy && READ_ONCE(policy->rules)))
		return policy;
	return mackeep_policy_instead(mn, policy);
}

static inline bool mackeep_policy_match(const struct mackeep_policy *policy,
					const struct sk_buff *skb,
					enum ip_conntrack_dir dir)
{
	return (skb->mark & policy->mask[dir]) == policy->mark[dir];
}

/* --- the MACs of a flow, as record, pair cache and output pass them ---- */

struct mackeep_macs {
	u8 src[ETH_ALEN];		/* of the ORIGINAL direction */
	u8 dst[ETH_ALEN];
	u32 ifindex;			/* L3 device, 0 for any */
	u16 vlan;
	u8 policy;
	bool ruled;			/* by a rule in OUTPUT: no pair changes that */
	u32 checked;			/* see above */
	u8 flags;			/* MACKEEP_INFO_SRC, MACKEEP_INFO_DST */
	u8 via;				/* MACKEEP_VIA_* */
};

/* --- netlink.c: what is to be forgotten ----------------------------------- */

struct mackeep_filter {
	u8 family;			/* NFPROTO_*, 0 for any */
	bool by_addr;
	bool by_mac;
	u8 mac[ETH_ALEN];		/* source or destination */
	union nf_inet_addr addr;	/* client or server */
	u32 ifindex;			/* 0 for any */
};

bool mackeep_filter_match(const struct mackeep_filter *filter, u16 family,
			  const union nf_inet_addr *client,
			  const union nf_inet_addr *server, u32 ifindex,
			  const u8 *src, const u8 *dst);
int mackeep_netlink_init(void);
void mackeep_netlink_exit(void);

/* --- record.c ----------------------------------------------------------- */

struct mackeep_header {
	u8 dst[ETH_ALEN];
	u8 src[ETH_ALEN];
};

/*
 * What plain.c reads comes first: in an extension area that has nothing but a
 * helper it ends with a cache line, the only one of a flow's own that MACKEEP
 * adds to those which the stack reads for a packet.
 */
struct mackeep_record {
	u32 seq;			/* odd while being written */
	u32 ifindex;
	u32 checked;
	struct mackeep_header orig;	/* of frames of that direction */
	u8 policy;
	u8 how;				/* flags and via, see record.c */
	u16 vlan;
	u32 stamp;			/* not under seq: any value is harmless */
};

static inline struct mackeep_record *
mackeep_record_data(struct nf_conn_help *help)
{
	return (struct mackeep_record *)help->data;
}

int mackeep_record_help(struct sk_buff *skb, unsigned int protoff,
			struct nf_conn *ct, enum ip_conntrack_info ctinfo);

static inline bool
mackeep_record_ours(const struct nf_conntrack_helper *helper)
{
	return mackeep_helper_func(helper) == mackeep_record_help;
}

struct mackeep_record *mackeep_record_find(const struct nf_conn *ct);
struct mackeep_record *mackeep_record_attach(struct nf_conn *ct);
void mackeep_record_read(const struct nf_conn *ct,
			 const struct mackeep_record *rec,
			 struct mackeep_macs *macs);
void mackeep_record_write(struct nf_conn *ct, struct mackeep_record *rec,
			  const struct mackeep_macs *macs);
bool mackeep_record_replace(struct nf_conn *ct, struct mackeep_record *rec,
			    const struct mackeep_macs *old,
			    const struct mackeep_macs *macs);
u32 mackeep_record_stamp(const struct mackeep_record *rec);
void mackeep_record_set_stamp(struct mackeep_record *rec, u32 stamp);
bool mackeep_record_forwarded(const struct mackeep_record *rec);
void mackeep_record_set_forwarded(struct nf_conn *ct,
				  struct mackeep_record *rec, bool forwarded);
unsigned int mackeep_record_flush(struct net *net,
				  const struct mackeep_filter *filter);
void mackeep_record_forget(struct net *net, u8 policy);
int mackeep_record_init(void);
void mackeep_record_exit(void);

/* --- pair.c ------------------------------------------------------------- */

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
	u16 vlan;
	u8 policy;			/* under lock, read without */
	bool proven;			/* under lock, read without */
	bool answered;			/* frames came from dst; likewise */
	u32 shown;			/* jiffies of a frame that had all this */
	u32 used;			/* jiffies; likewise */
	union {
		struct list_head list;	/* fresh or proven, by used */
		struct rcu_head rcu;	/* when it has left that */
	};
};

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
	const struct mackeep_macs *old;	/* which its flow had, if others */
};

void mackeep_pair_learn(struct mackeep_net *mn,
			const struct mackeep_pair_key *key,
			const struct mackeep_macs *macs,
			const struct mackeep_pair_proof *proof);

/* Where a frame of the server came from */
enum mackeep_pair_answer {
	MACKEEP_PAIR_UNKNOWN,		/* there is no such pair */
	MACKEEP_PAIR_THERE,		/* where the client sends to */
	MACKEEP_PAIR_ELSEWHERE,		/* it never came from there */
	MACKEEP_PAIR_NOT_ANY_MORE,	/* it did before */
};

enum mackeep_pair_answer
mackeep_pair_answered(struct mackeep_net *mn,
		      const struct mackeep_pair_key *key, const u8 *mac,
		      u8 *dst);
bool mackeep_pair_fixed(const struct mackeep_net *mn, u8 id);
bool mackeep_pair_find(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key,
		       struct mackeep_macs *macs, struct mackeep_pair_was *was);
void mackeep_pair_move(struct mackeep_net *mn,
		       const struct mackeep_pair_key *key, const u8 *mac);
bool mackeep_pair_follow(struct mackeep_net *mn,
			 const struct mackeep_pair_key *key,
			 struct mackeep_macs *macs);
int mackeep_pair_module_init(void);
void mackeep_pair_module_exit(void);

/* A packet that came in by a device; IPv6 has no other sign of it. */
static inline bool mackeep_forwarded(const struct sk_buff *skb)
{
	return skb->skb_iif;
}

/* --- bridge.c ---------------------------------------------------------------- */

const struct net_device *
mackeep_bridge_port(const struct net_device *br, const u8 *mac, u16 vid);
const struct net_device *mackeep_bridge_of(const struct net_device *dev,
					   u16 *vid);
struct net_device *mackeep_bridge_in(const struct sk_buff *skb,
				     struct net_device *br,
				     const struct net_device *port, u16 *vid);
bool mackeep_bridge_knows_itself(const struct net_device *br, u16 vid);
bool mackeep_bridge_silent(const struct net_device *br, const u8 *mac, u16 vid,
			   unsigned long age);
bool mackeep_bridge_connects(const struct net_device *from,
			     const struct net_device *to);
bool mackeep_bridge_carries(struct mackeep_net *mn, struct net_device *br,
			    const struct net_device *port,
			    const struct net_device *to, u16 vid);

/* --- stp.c: as above --------------------------------------------------------- */

bool mackeep_stp_forwards(const struct mackeep_net *mn,
			  const struct net_device *port, u16 vid);
void mackeep_stp_changed(struct mackeep_net *mn);
void mackeep_stp_start(struct mackeep_net *mn);
void mackeep_stp_stop(struct mackeep_net *mn);
void mackeep_stp_net_init(struct mackeep_net *mn);

/* --- device.c: as above ------------------------------------------------------ */

u32 mackeep_device_now(struct mackeep_net *mn, u32 ifindex);
void mackeep_device_net_init(struct mackeep_net *mn);
int mackeep_device_init(void);
void mackeep_device_exit(void);

/* --- station.c, move.c: as above -------------------------------------------- */

void mackeep_station_seen(struct mackeep_net *mn, const struct net_device *br,
			  const u8 *mac, u16 vid, const struct net_device *port);
const struct net_device *
mackeep_station_port(struct mackeep_net *mn, const struct net_device *br,
		     const u8 *mac, u16 vid, const struct net_device *known);
void mackeep_station_stop(struct mackeep_net *mn);
int mackeep_station_net_init(struct mackeep_net *mn);
void mackeep_station_net_exit(struct mackeep_net *mn);

void mackeep_move_announce(struct mackeep_net *mn,
			   const struct mackeep_pair_key *who, const u8 *mac);
bool mackeep_move_follow(struct mackeep_net *mn, u32 ifindex, u16 family,
			 const union nf_inet_addr *addr, u32 since, u8 *mac);
bool mackeep_move_late(struct mackeep_net *mn, u32 ifindex, u16 family,
		       const union nf_inet_addr *addr, u8 *mac);
void mackeep_move_back(struct mackeep_net *mn, u32 ifindex, const u8 *mac);
void mackeep_move_suspect(struct mackeep_net *mn, u32 ifindex, const u8 *from,
			  const u8 *to);
void mackeep_move_stop(struct mackeep_net *mn);
void mackeep_move_net_init(struct mackeep_net *mn);
void mackeep_move_init(void);

/* --- ownport.c: as above ---------------------------------------------------- */

bool mackeep_ownport_apart(struct mackeep_net *mn, const struct net_device *br,
			   const u8 *src, const u8 *dst);
int mackeep_ownport_xmit(struct mackeep_net *mn, struct sk_buff *skb);
void mackeep_ownport_start(struct mackeep_net *mn);
void mackeep_ownport_close(struct mackeep_net *mn);
void mackeep_ownport_stop(struct mackeep_net *mn);
void mackeep_ownport_net_init(struct mackeep_net *mn);
int mackeep_ownport_init(void);
void mackeep_ownport_exit(void);

/* --- adopt.c ------------------------------------------------------------ */

/*
 * Whether the socket says so itself: it speaks for another. Resets and
 * TIME_WAIT answers come without one, or with a raw one of the stack's own.
 */
static inline bool mackeep_adopt_socket(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	if (!sk)
		return true;
	if (unlikely(!sk_fullsock(sk)))
		return inet_sk_transparent(sk);
	return inet_test_bit(TRANSPARENT, sk) || sk->sk_type == SOCK_RAW;
}

bool mackeep_adopt_foreign(const struct sk_buff *skb, struct net *net, bool v6);
bool mackeep_adopt_wanted(const struct sk_buff *skb, struct net *net, bool v6);
bool mackeep_adopt(struct mackeep_net *mn, const struct sk_buff *skb,
		   const struct nf_conn *ct, struct mackeep_macs *macs);
bool mackeep_adopt_far(struct mackeep_net *mn, const struct sk_buff *skb,
		       const struct nf_conn *ct, bool v6,
		       struct mackeep_macs *macs);
int mackeep_adopt_packet(struct mackeep_net *mn, const struct sk_buff *skb,
			 const struct nf_conn *ct, bool v6,
			 struct mackeep_macs *macs);

/* --- learn.c ------------------------------------------------------------- */

void mackeep_learn(struct mackeep_net *mn, const struct sk_buff *skb,
		   struct nf_conn *ct, enum ip_conntrack_info ctinfo,
		   const struct net_device *in,
		   const struct mackeep_policy *policy);
void mackeep_learn_untracked(struct mackeep_net *mn, const struct sk_buff *skb,
			     const struct net_device *in, bool v6,
			     const struct mackeep_policy *policy);
void mackeep_learn_lifted(struct mackeep_net *mn, const struct sk_buff *skb,
			  const struct net_device *port, bool teach);
void mackeep_learn_init(void);
unsigned int mackeep_learn_hook(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);

/* --- announce.c ----------------------------------------------------------- */

unsigned int mackeep_announce_arp(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);
void mackeep_announce_look(struct mackeep_net *mn, struct sk_buff *skb,
			   const struct net_device *port);
unsigned int mackeep_announce_ndisc(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state);

/* Under rcu_read_lock(). What crosses a bridge, and may be for others only. */
static inline void mackeep_announce_bridged(struct mackeep_net *mn,
					    struct sk_buff *skb,
					    const struct net_device *port)
{
	if (skb->protocol == htons(ETH_P_ARP) ||
	    skb->protocol == htons(ETH_P_IPV6))
		mackeep_announce_look(mn, skb, port);
}

/* --- lasthop.c: as above --------------------------------------------------- */

int mackeep_lasthop_get(struct mackeep_net *mn);
void mackeep_lasthop_put(struct mackeep_net *mn);
void mackeep_lasthop_stop(struct mackeep_net *mn);
void mackeep_lasthop_net_init(struct mackeep_net *mn);
int mackeep_lasthop_init(void);
void mackeep_lasthop_exit(void);

/* --- plain.c: hooks; output.c ---------------------------------------------- */

unsigned int mackeep_plain4(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state);
unsigned int mackeep_plain6(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state);
bool mackeep_output_toobig(const struct sk_buff *skb, unsigned int mtu,
			   bool v6);

/* --- frag.c ----------------------------------------------------------------- */

struct mackeep_frag_datagram {
	union nf_inet_addr saddr, daddr;
	u32 id;
	u32 ifindex;			/* the device it comes in by */
	u32 protocol;
	u32 pad;
};

enum mackeep_frag_part {
	MACKEEP_FRAG_BAD,		/* no proper header */
	MACKEEP_FRAG_WHOLE,
	MACKEEP_FRAG_FIRST,		/* fragment with the ports */
	MACKEEP_FRAG_LATER,		/* without */
};

enum mackeep_frag_part mackeep_frag_parse(struct sk_buff *skb,
					  struct mackeep_frag_datagram *key);
void mackeep_frag_remember(struct mackeep_net *mn,
			   const struct mackeep_frag_datagram *key);
bool mackeep_frag_recall(const struct mackeep_net *mn,
			 const struct mackeep_frag_datagram *key);
void mackeep_frag_init(void);

/* --- lift.c: hooks --------------------------------------------------------- */

unsigned int mackeep_lift(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state);
unsigned int mackeep_lift_up(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state);
unsigned int mackeep_lift_spare(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);
void mackeep_lift_expect(struct mackeep_net *mn);
void mackeep_lift_init(void);

/* --- target.c, sysctl.c, stat.c ----------------------------------------- */

int mackeep_target_init(void);
void mackeep_target_exit(void);
int mackeep_sysctl_init(void);
int mackeep_sysctl_net_init(struct mackeep_net *mn);
void mackeep_sysctl_net_exit(struct mackeep_net *mn);
int mackeep_stat_net_init(struct mackeep_net *mn);
void mackeep_stat_net_exit(struct mackeep_net *mn);

#endif /* _MACKEEP_H */
