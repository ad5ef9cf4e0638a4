/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of a flow, in its conntrack entry. */
#ifndef _MACKEEP_RECORD_H
#define _MACKEEP_RECORD_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>

#include "compat.h"
#include "macs.h"
#include "tag.h"

/* A record's how: MACKEEP_INFO_*, what is no business of user space, and via */
#define MACKEEP_RECORD_RULED	0x08
#define MACKEEP_RECORD_AD	0x10	/* the tag is of 802.1ad */
#define MACKEEP_RECORD_VIA	5

/* The stamp's two upper bits: in which directions await.c counts the flow */
#define MACKEEP_RECORD_AWAITED	30
#define MACKEEP_RECORD_AWAITED_MASK	(3U << MACKEEP_RECORD_AWAITED)

/*
 * What fast.c reads comes first: in an extension area that has nothing but a
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
	u16 tci;			/* of the frames' tag, see tag.h */
	u32 stamp;			/* not under seq; see learn.c, await.c */
};

/* Under seq */
static inline u32 mackeep_record_tag(const struct mackeep_record *rec)
{
	return rec->tci |
	       (rec->how & MACKEEP_RECORD_AD ? MACKEEP_TAG_AD : 0);
}

/* mackeep_macs_owned() of it, at a glance */
static inline bool mackeep_record_own(const struct mackeep_record *rec)
{
	u8 how = READ_ONCE(rec->how);

	return how >> MACKEEP_RECORD_VIA == MACKEEP_VIA_ROUTER &&
	       !(how & MACKEEP_INFO_SRC);
}

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
int mackeep_record_get(struct net *net, const struct nf_conntrack_tuple *tuple,
		       u16 id, struct mackeep_info *info);
int mackeep_record_restore(struct net *net,
			   const struct nf_conntrack_tuple *tuple, u16 id,
			   const struct nlattr *attr, const char **why);
int mackeep_record_init(void);
void mackeep_record_exit(void);

#endif /* _MACKEEP_RECORD_H */
