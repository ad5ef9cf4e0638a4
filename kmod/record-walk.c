// SPDX-License-Identifier: GPL-2.0-only
/* What is done with all records of a network namespace */
#include <net/netfilter/nf_conntrack_core.h>

#include "await.h"
#include "filter.h"
#include "net.h"
#include "record.h"
#include "record-walk.h"

struct mackeep_record_flush {
	const struct mackeep_filter *filter;
	unsigned int count;
};

/*
 * Under the lock of the entry's hash bucket, which nobody takes under ct->lock.
 * 0: the entry stays.
 */
static int mackeep_record_flush_one(struct nf_conn *ct, void *data)
{
	struct mackeep_record_flush *flush = data;
	const struct nf_conntrack_tuple *tuple =
		&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	struct mackeep_macs macs, none = {};
	struct mackeep_record *rec;

	rcu_read_lock();
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec))
		goto out;
	mackeep_record_read(ct, rec, &macs);
	if (!macs.flags ||
	    !mackeep_filter_match(flush->filter, nf_ct_l3num(ct),
				  &tuple->src.u3, &tuple->dst.u3, macs.ifindex,
				  macs.src, macs.dst))
		goto out;
	none.policy = macs.policy;
	mackeep_record_write(ct, rec, &none);
	flush->count++;
out:
	rcu_read_unlock();
	return 0;
}

/* May sleep. The flows go on, and learn again from their frames. */
unsigned int mackeep_record_flush(struct net *net,
				  const struct mackeep_filter *filter)
{
	struct mackeep_record_flush flush = { .filter = filter };
	struct nf_ct_iter_data iter = { .net = net, .data = &flush };

	nf_ct_iterate_cleanup_net(mackeep_record_flush_one, &iter);
	return flush.count;
}

/* As mackeep_record_flush_one(). */
static int mackeep_record_forget_one(struct nf_conn *ct, void *data)
{
	struct mackeep_record *rec;
	const u8 *policy = data;

	rcu_read_lock();
	rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec)) {
		spin_lock_bh(&ct->lock);
		if (rec->policy == *policy)
			WRITE_ONCE(rec->policy, 0);
		spin_unlock_bh(&ct->lock);
	}
	rcu_read_unlock();
	return 0;
}

/* May sleep. Nobody stores that number any more. */
void mackeep_record_forget(struct net *net, u8 policy)
{
	struct nf_ct_iter_data iter = { .net = net, .data = &policy };

	nf_ct_iterate_cleanup_net(mackeep_record_forget_one, &iter);
}

/* As mackeep_record_flush_one(). */
static int mackeep_record_await_one(struct nf_conn *ct, void *data)
{
	struct mackeep_net *mn = mackeep_net(nf_ct_net(ct));
	struct mackeep_record *rec;
	const bool *on = data;

	rcu_read_lock();
	rec = mackeep_record_find(ct);
	if (IS_ERR_OR_NULL(rec))
		goto out;
	if (*on)
		mackeep_await(mn, ct, rec, MACKEEP_AWAIT_BOTH);
	else
		mackeep_await_end(mn, ct, rec);
out:
	rcu_read_unlock();
	return 0;
}

/* May sleep. All flows with a record wait for frames, or none does any more. */
void mackeep_record_await(struct net *net, bool on)
{
	struct nf_ct_iter_data iter = { .net = net, .data = &on };

	nf_ct_iterate_cleanup_net(mackeep_record_await_one, &iter);
}
