// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record of a flow, in its conntrack entry.
 *
 * A module cannot add a conntrack extension of its own, but each conntrack
 * helper has 32 private bytes per flow. So MACKEEP is a helper by the name of
 * "mackeep" that helps nothing: the entry owns the record and frees it, and
 * ctnetlink shows it, reports it and takes it back.
 *
 * Who may run at once: any number of readers, in hooks and in ctnetlink dumps;
 * writers are packets of the flow on several CPUs, and ctnetlink in process
 * context. Writers take ct->lock. Readers take nothing and see from seq
 * whether what they copied is whole; if it is not, they read once more under
 * the lock, so that a reader which preempted the writer cannot spin. The area
 * itself stays where it is from confirmation until the entry is freed, and
 * every caller holds a reference on the entry or is under RCU in a lookup.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include <linux/mackeep.h>

#include "await.h"
#include "net.h"
#include "policy.h"
#include "record.h"

#define MACKEEP_HELPERS		4

/* What is registered, and what it is made from; old kernels take the latter. */
static struct nf_conntrack_helper *mackeep_helpers[MACKEEP_HELPERS] __read_mostly;
static struct nf_conntrack_helper mackeep_helper_init[MACKEEP_HELPERS];

/* No helper, or one whose module went: some kernels leave that in the flow. */
static bool mackeep_record_gone(const struct nf_conntrack_helper *helper)
{
	return !helper || !mackeep_helper_func(helper);
}

/*
 * Under rcu_read_lock(). NULL: the flow has no helper and might be given one;
 * -EBUSY: it has another.
 */
struct mackeep_record *mackeep_record_find(const struct nf_conn *ct)
{
	const struct nf_conntrack_helper *helper;
	struct nf_conn_help *help = nfct_help(ct);

	if (!help)
		return NULL;

	helper = rcu_dereference(help->helper);
	if (unlikely(mackeep_record_gone(helper)))
		return NULL;
	if (unlikely(!mackeep_record_ours(helper)))
		return ERR_PTR(-EBUSY);
	return mackeep_record_data(help);
}

static struct nf_conntrack_helper *
mackeep_record_helper(const struct nf_conn *ct)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(mackeep_helpers); i++)
		if (mackeep_helpers[i]->tuple.src.l3num == nf_ct_l3num(ct) &&
		    mackeep_helpers[i]->tuple.dst.protonum == nf_ct_protonum(ct))
			return mackeep_helpers[i];
	return NULL;
}

/*
 * A flow that had a helper whose module went, most likely an older load of this
 * one. Its private area is still allocated and unused.
 */
static struct mackeep_record *
mackeep_record_reattach(struct nf_conn *ct, struct nf_conn_help *help,
			struct nf_conntrack_helper *helper)
{
	struct mackeep_record *rec = mackeep_record_data(help);
	struct nf_conntrack_helper *old;

	spin_lock_bh(&ct->lock);
	old = rcu_dereference_protected(help->helper,
					lockdep_is_held(&ct->lock));
	if (mackeep_record_gone(old)) {
		memset(help->data, 0, sizeof(help->data));
		mackeep_helper_hold(helper);
		rcu_assign_pointer(help->helper, helper);
		mackeep_helper_drop(old);
	} else if (old != helper) {
		rec = ERR_PTR(-EBUSY);
	}
	spin_unlock_bh(&ct->lock);
	return rec;
}

/*
 * Gives a flow without helper an empty record: while it is the packet that
 * creates the entry, as only then nobody else sees the extension area move.
 */
struct mackeep_record *mackeep_record_attach(struct nf_conn *ct)
{
	struct nf_conntrack_helper *helper = mackeep_record_helper(ct);
	struct nf_conn_help *help = nfct_help(ct);

	if (!helper)
		return ERR_PTR(-EPROTONOSUPPORT);
	if (help)
		return mackeep_record_reattach(ct, help, helper);
	if (nf_ct_is_confirmed(ct))
		return ERR_PTR(-ETIME);

	help = nf_ct_helper_ext_add(ct, GFP_ATOMIC);
	if (!help)
		return ERR_PTR(-ENOMEM);

	memset(help->data, 0, sizeof(help->data));
	/* NAT asks for the helper again; keep ours. */
	__set_bit(IPS_HELPER_BIT, &ct->status);
	mackeep_helper_hold(helper);
	rcu_assign_pointer(help->helper, helper);
	return mackeep_record_data(help);
}

static void mackeep_record_copy(const struct nf_conn *ct,
				const struct mackeep_record *rec,
				struct mackeep_macs *macs)
{
	const struct mackeep_net *mn = mackeep_net(nf_ct_net(ct));
	u64 now = mackeep_genid_date(mn);

	ether_addr_copy(macs->src, rec->orig.src);
	ether_addr_copy(macs->dst, rec->orig.dst);
	macs->ifindex = rec->ifindex;
	macs->tag = mackeep_record_tag(rec);
	macs->policy = rec->policy;
	macs->ruled = rec->how & MACKEEP_RECORD_RULED;
	macs->checked = mackeep_genid_dated(mn, rec->checked, now, rec->orig.src,
					    rec->orig.dst);
	macs->flags = rec->how & (MACKEEP_INFO_SRC | MACKEEP_INFO_DST);
	macs->via = rec->how >> MACKEEP_RECORD_VIA;
}

void mackeep_record_read(const struct nf_conn *ct,
			 const struct mackeep_record *rec,
			 struct mackeep_macs *macs)
{
	spinlock_t *lock = (spinlock_t *)&ct->lock;
	u32 seq = READ_ONCE(rec->seq);

	if (likely(!(seq & 1))) {
		smp_rmb(); /* seq before the content; pairs with the writer */
		mackeep_record_copy(ct, rec, macs);
		smp_rmb(); /* the content before seq again */
		if (likely(READ_ONCE(rec->seq) == seq))
			return;
	}

	spin_lock_bh(lock);
	mackeep_record_copy(ct, rec, macs);
	spin_unlock_bh(lock);
}

/* All but whether the flow is forwarded, which is the record's own business */
static u8 mackeep_record_how(const struct mackeep_macs *macs)
{
	BUILD_BUG_ON(MACKEEP_VIA_MAX >> (8 - MACKEEP_RECORD_VIA) ||
		     MACKEEP_INFO_ALL_FLAGS &
			     (MACKEEP_RECORD_RULED | MACKEEP_RECORD_AD));

	return macs->flags | (macs->ruled ? MACKEEP_RECORD_RULED : 0) |
	       (macs->tag & MACKEEP_TAG_AD ? MACKEEP_RECORD_AD : 0) |
	       macs->via << MACKEEP_RECORD_VIA;
}

static bool mackeep_record_shows(const struct mackeep_record *rec,
				 const struct mackeep_macs *macs)
{
	return ether_addr_equal(rec->orig.src, macs->src) &&
	       ether_addr_equal(rec->orig.dst, macs->dst) &&
	       rec->ifindex == macs->ifindex && rec->tci == (u16)macs->tag &&
	       rec->policy == macs->policy &&
	       (rec->how & ~MACKEEP_INFO_FORWARDED) == mackeep_record_how(macs);
}

/*
 * Under ct->lock and rcu_read_lock(). True when the record shows something new.
 * The number of a rule's options may have been given up since it was read.
 */
static bool mackeep_record_store(struct nf_conn *ct, struct mackeep_record *rec,
				 const struct mackeep_macs *macs)
{
	const struct mackeep_net *mn = mackeep_net(nf_ct_net(ct));
	bool changed = !mackeep_record_shows(rec, macs);

	WRITE_ONCE(rec->checked, 0);
	smp_wmb(); /* fast.c looks for no more than this */
	WRITE_ONCE(rec->seq, rec->seq + 1);
	smp_wmb(); /* odd before any change; pairs with mackeep_record_read() */
	ether_addr_copy(rec->orig.src, macs->src);
	ether_addr_copy(rec->orig.dst, macs->dst);
	rec->ifindex = macs->ifindex;
	rec->tci = macs->tag;
	rec->policy = mackeep_policy_find(&mn->policies, macs->policy) ?
			      macs->policy : 0;
	rec->checked = mackeep_genid_sum(mn, macs->checked, macs->src, macs->dst);
	WRITE_ONCE(rec->how, (rec->how & MACKEEP_INFO_FORWARDED) |
			     mackeep_record_how(macs));
	smp_wmb(); /* every change before even */
	WRITE_ONCE(rec->seq, rec->seq + 1);
	return changed;
}

/* Listeners are told when the record shows something new. */
void mackeep_record_write(struct nf_conn *ct, struct mackeep_record *rec,
			  const struct mackeep_macs *macs)
{
	bool changed;

	spin_lock_bh(&ct->lock);
	changed = mackeep_record_store(ct, rec, macs);
	spin_unlock_bh(&ct->lock);

	if (changed)
		nf_conntrack_event_cache(IPCT_HELPER, ct);
}

/*
 * As above for who only read something about the flow: false, and nothing is
 * written, when the record is not the old one any more. A frame of the flow
 * knows better, and there may be no other.
 */
bool mackeep_record_replace(struct nf_conn *ct, struct mackeep_record *rec,
			    const struct mackeep_macs *old,
			    const struct mackeep_macs *macs)
{
	bool same, changed = false;

	spin_lock_bh(&ct->lock);
	same = mackeep_record_shows(rec, old);
	if (same)
		changed = mackeep_record_store(ct, rec, macs);
	spin_unlock_bh(&ct->lock);

	if (changed)
		nf_conntrack_event_cache(IPCT_HELPER, ct);
	return same;
}

/* Without its two upper bits */
u32 mackeep_record_stamp(const struct mackeep_record *rec)
{
	return READ_ONCE(rec->stamp) & ~MACKEEP_RECORD_AWAITED_MASK;
}

void mackeep_record_set_stamp(struct mackeep_record *rec, u32 stamp)
{
	u32 old = READ_ONCE(rec->stamp), was;

	for (;;) {
		was = cmpxchg(&rec->stamp, old,
			      (old & MACKEEP_RECORD_AWAITED_MASK) | stamp);
		if (was == old)
			return;
		old = was;
	}
}

bool mackeep_record_forwarded(const struct mackeep_record *rec)
{
	return READ_ONCE(rec->how) & MACKEEP_INFO_FORWARDED;
}

void mackeep_record_set_forwarded(struct nf_conn *ct,
				  struct mackeep_record *rec, bool forwarded)
{
	u8 how;

	spin_lock_bh(&ct->lock);
	how = rec->how & ~MACKEEP_INFO_FORWARDED;
	if (forwarded)
		how |= MACKEEP_INFO_FORWARDED;
	WRITE_ONCE(rec->how, how);
	spin_unlock_bh(&ct->lock);
}

/* What user space sees; flags are 0 when nothing is known */
static void mackeep_record_info(const struct nf_conn *ct,
				const struct mackeep_record *rec,
				struct mackeep_info *info)
{
	struct mackeep_macs macs;

	mackeep_record_read(ct, rec, &macs);
	memset(info, 0, sizeof(*info));
	info->version = MACKEEP_INFO_VERSION;
	info->flags = macs.flags;
	if (mackeep_record_forwarded(rec))
		info->flags |= MACKEEP_INFO_FORWARDED;
	info->via = macs.via;
	if (macs.tag) {
		info->vlan = macs.tag;
		info->vlan_proto = ntohs(mackeep_tag_proto(macs.tag));
	} else {
		info->vlan = mackeep_tag_device(nf_ct_net(ct), macs.ifindex);
	}
	info->policy = macs.policy;
	info->ifindex = macs.ifindex;
	ether_addr_copy(info->src, macs.src);
	ether_addr_copy(info->dst, macs.dst);
}

static int mackeep_record_to_nlattr(struct sk_buff *skb,
				    const struct nf_conn *ct)
{
	const struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_info info;

	if (IS_ERR_OR_NULL(rec))
		return 0;
	mackeep_record_info(ct, rec, &info);
	return nla_put(skb, CTA_HELP_INFO, sizeof(info), &info);
}

/* Which direction of its flow the tuple is, or -ENOENT: it has no MACs. */
int mackeep_record_get(struct net *net, const struct nf_conntrack_tuple *tuple,
		       u16 id, struct mackeep_info *info)
{
	const struct mackeep_record *rec;
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_zone zone;
	int dir = -ENOENT;
	struct nf_conn *ct;

	rcu_read_lock();
	nf_ct_zone_init(&zone, id, NF_CT_DEFAULT_ZONE_DIR, 0);
	found = nf_conntrack_find_get(net, &zone, tuple);
	if (!found)
		goto out;
	ct = nf_ct_tuplehash_to_ctrack(found);
	rec = mackeep_record_find(ct);
	if (!IS_ERR_OR_NULL(rec)) {
		mackeep_record_info(ct, rec, info);
		if (info->flags & (MACKEEP_INFO_SRC | MACKEEP_INFO_DST))
			dir = NF_CT_DIRECTION(found);
	}
	nf_ct_put(ct);
out:
	rcu_read_unlock();
	return dir;
}

static int mackeep_record_check_mac(const u8 *mac, bool known)
{
	if (!known)
		return is_zero_ether_addr(mac) ? 0 : -EINVAL;
	return is_valid_ether_addr(mac) ? 0 : -EADDRNOTAVAIL;
}

/* Under rcu_read_lock(). Every byte is somebody's input. */
static int mackeep_record_check(struct net *net, const struct nlattr *attr,
				const char **why)
{
	const struct mackeep_info *info = nla_data(attr);
	const struct net_device *dev = NULL;
	int err;

	*why = "length is not that of struct mackeep_info";
	if (nla_len(attr) != sizeof(*info))
		return -EINVAL;

	*why = "unknown version";
	if (info->version != MACKEEP_INFO_VERSION && info->version != 1)
		return -EPROTONOSUPPORT;

	*why = "unknown flag, or a reserved field that is not 0";
	if (info->flags & ~MACKEEP_INFO_ALL_FLAGS || info->reserved ||
	    info->reserved2[0] || info->reserved2[1] || info->reserved2[2] ||
	    (info->version == 1 && info->vlan_proto))
		return -EINVAL;

	*why = "via, vlan or vlan_proto out of range";
	if (info->via > MACKEEP_VIA_MAX ||
	    !mackeep_tag_valid(info->vlan_proto, info->vlan))
		return -EINVAL;

	*why = "a MAC address that is not unicast, or one without its flag";
	err = mackeep_record_check_mac(info->src,
				       info->flags & MACKEEP_INFO_SRC);
	if (!err)
		err = mackeep_record_check_mac(info->dst,
					       info->flags & MACKEEP_INFO_DST);
	if (err)
		return err;

	*why = "ifindex names no Ethernet device of this namespace";
	if (info->ifindex) {
		dev = dev_get_by_index_rcu(net, info->ifindex);
		if (!dev || dev->type != ARPHRD_ETHER)
			return -ENODEV;
	}

	*why = "a tag, but ifindex names no bridge";
	if (info->vlan_proto && (!dev || !netif_is_bridge_master(dev)))
		return -EINVAL;
	return 0;
}

static void mackeep_record_macs(const struct mackeep_info *info,
				struct mackeep_macs *macs)
{
	ether_addr_copy(macs->src, info->src);
	ether_addr_copy(macs->dst, info->dst);
	macs->ifindex = info->ifindex;
	if (info->vlan_proto)
		macs->tag = mackeep_tag(htons(info->vlan_proto), info->vlan);
	macs->flags = info->flags & (MACKEEP_INFO_SRC | MACKEEP_INFO_DST);
}

/*
 * attr is NULL when the writer named the helper and gave no record, as
 * conntrackd does: the flow's first frame fills it. ctnetlink ignores what we
 * return, so the log and a counter say that a record was refused and why; the
 * one that the flow has, if any, stays.
 */
static int mackeep_record_from_nlattr(struct nlattr *attr, struct nf_conn *ct)
{
	struct nf_conn_help *help = nfct_help(ct);
	struct net *net = nf_ct_net(ct);
	struct mackeep_record *rec;
	const struct mackeep_info *info;
	struct mackeep_macs macs = {};
	const char *why;
	int err;

	if (!attr)
		return 0;
	if (!help)
		return -ENOENT;

	err = mackeep_record_check(net, attr, &why);
	if (err) {
		MACKEEP_STAT_INC(mackeep_net(net), badinfo);
		net_info_ratelimited("record from ctnetlink refused: %s\n",
				     why);
		return err;
	}

	info = nla_data(attr);
	mackeep_record_macs(info, &macs);
	/* Another box numbers its rules differently. */
	if (info->policy < MACKEEP_POLICY_SLOTS &&
	    mackeep_policy_find(&mackeep_net(net)->policies, info->policy))
		macs.policy = info->policy;
	macs.via = macs.flags ? MACKEEP_VIA_RESTORED : MACKEEP_VIA_NONE;
	rec = mackeep_record_data(help);
	mackeep_record_set_forwarded(ct, rec,
				     info->flags & MACKEEP_INFO_FORWARDED);
	mackeep_await(mackeep_net(nf_ct_net(ct)), ct, rec, MACKEEP_AWAIT_BOTH);
	mackeep_record_write(ct, rec, &macs);
	MACKEEP_STAT_INC(mackeep_net(net), restored);
	return 0;
}

/* Under rcu_read_lock(). The entry may be in use. */
static int mackeep_record_put_back(struct nf_conn *ct,
				   const struct mackeep_info *info)
{
	struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_macs none = {}, macs = {};

	if (!rec)
		rec = mackeep_record_attach(ct);
	if (IS_ERR(rec))
		return PTR_ERR(rec);
	mackeep_record_macs(info, &macs);
	macs.via = info->via;
	mackeep_record_read(ct, rec, &none);
	if (none.flags)
		return -EEXIST;
	if (!mackeep_record_replace(ct, rec, &none, &macs))
		return -EEXIST;
	mackeep_record_set_forwarded(ct, rec,
				     info->flags & MACKEEP_INFO_FORWARDED);
	mackeep_await(mackeep_net(nf_ct_net(ct)), ct, rec, MACKEEP_AWAIT_BOTH);
	MACKEEP_STAT_INC(mackeep_net(nf_ct_net(ct)), restored);
	return 0;
}

/*
 * A record that an earlier load of the module kept in this entry. Where it was is
 * still allocated, as mackeep_record_reattach() has it. attr is a struct
 * mackeep_info. why: what is wrong with that, if it is -EINVAL or the like.
 */
int mackeep_record_restore(struct net *net,
			   const struct nf_conntrack_tuple *tuple, u16 id,
			   const struct nlattr *attr, const char **why)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;
	int err;

	rcu_read_lock();
	err = mackeep_record_check(net, attr, why);
	if (err)
		goto out;
	*why = NULL;
	err = -ENOENT;
	nf_ct_zone_init(&zone, id, NF_CT_DEFAULT_ZONE_DIR, 0);
	found = nf_conntrack_find_get(net, &zone, tuple);
	if (!found)
		goto out;
	ct = nf_ct_tuplehash_to_ctrack(found);
	if (NF_CT_DIRECTION(found) == IP_CT_DIR_ORIGINAL)
		err = mackeep_record_put_back(ct, nla_data(attr));
	nf_ct_put(ct);
out:
	rcu_read_unlock();
	return err;
}

/* Seen after our own hook, and on local delivery; there is nothing to parse. */
int mackeep_record_help(struct sk_buff *skb, unsigned int protoff,
			struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	return NF_ACCEPT;
}

/* The entry is deleted, in any context; a confirmed one, as only these are counted. */
static void mackeep_record_destroy(struct nf_conn *ct)
{
	struct nf_conn_help *help = nfct_help(ct);

	rcu_read_lock();
	mackeep_await_end(mackeep_net(nf_ct_net(ct)), ct,
			  mackeep_record_data(help));
	rcu_read_unlock();
}

static const struct nf_conntrack_expect_policy mackeep_expect_policy = {
	.max_expected	= 1,
	.timeout	= 1,
	.name		= MACKEEP_HELPER_NAME,
};

int mackeep_record_init(void)
{
	static const struct { u8 l3num, protonum; } flows[] = {
		{ NFPROTO_IPV4, IPPROTO_TCP },
		{ NFPROTO_IPV4, IPPROTO_UDP },
		{ NFPROTO_IPV6, IPPROTO_TCP },
		{ NFPROTO_IPV6, IPPROTO_UDP },
	};
	int i;

	BUILD_BUG_ON(sizeof(struct mackeep_info) != 32);
	BUILD_BUG_ON(ARRAY_SIZE(flows) != MACKEEP_HELPERS);
	BUILD_BUG_ON(sizeof(struct mackeep_record) !=
		     sizeof_field(struct nf_conn_help, data));

	for (i = 0; i < MACKEEP_HELPERS; i++) {
		nf_ct_helper_init(&mackeep_helper_init[i], flows[i].l3num,
				  flows[i].protonum, MACKEEP_HELPER_NAME, 0, 0,
				  0, &mackeep_expect_policy, 0,
				  mackeep_record_help,
				  mackeep_record_from_nlattr, THIS_MODULE);
		mackeep_helper_init[i].to_nlattr = mackeep_record_to_nlattr;
		mackeep_helper_init[i].destroy = mackeep_record_destroy;
	}
	return nf_conntrack_helpers_register(mackeep_helper_init,
					     MACKEEP_HELPERS, mackeep_helpers);
}

/*
 * Takes the helper off every flow, and waits for those who still look. Some kernels
 * leave it in the flow, and would call destroy() of a module that is gone.
 */
void mackeep_record_exit(void)
{
	int i;

	for (i = 0; i < MACKEEP_HELPERS; i++)
		WRITE_ONCE(mackeep_helpers[i]->destroy, NULL);
	nf_conntrack_helpers_unregister(mackeep_helpers, MACKEEP_HELPERS);
}
