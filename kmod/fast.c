// SPDX-License-Identifier: GPL-2.0-only
/*
 * POST_ROUTING, the fast path: a packet made here, whole, of a flow that adopt.c
 * has settled, when nothing has changed since. What output.c would find out about
 * such packets and do to them comes to this. All others are left to it.
 */
#include <linux/bpf-cgroup.h>
#include <net/route.h>

#include "adopt.h"
#include "direct.h"
#include "fast.h"
#include "net.h"
#include "output.h"
#include "record.h"
#include "tag.h"

/* Each is 0 on the fast path: asked one by one they would cost twice as much. */
static __always_inline unsigned long
mackeep_fast_odd(const struct sk_buff *skb, const struct nf_conn *ct, bool v6)
{
	const struct dst_entry *dst = skb_dst(skb);
	unsigned long odd;

	odd = (unsigned long)dst_xfrm(dst) | (unsigned long)dst->lwtstate |
	      dst_metric_raw(dst, RTAX_MTU) | skb->skb_iif |
	      (READ_ONCE(ct->status) & IPS_SEQ_ADJUST);
	if (v6)
		return odd | IP6CB(skb)->frag_max_size;
	return odd | dst_rtable(dst)->rt_pmtu | IPCB(skb)->frag_max_size;
}

/* That of the device, as neither route nor path has another; 0: not to be told */
static __always_inline unsigned int
mackeep_fast_mtu(const struct sk_buff *skb, const struct inet6_dev *idev,
		 bool v6)
{
	if (!v6)
		return READ_ONCE(skb->dev->mtu);
	return idev ? READ_ONCE(idev->cnf.mtu6) : 0;
}

/*
 * The header of the reply direction. Each MAC is copied as eight bytes: the two
 * that are too many are overwritten by the field behind it.
 */
static __always_inline void
mackeep_fast_turn(struct mackeep_header *hdr, const struct mackeep_record *rec)
{
	BUILD_BUG_ON(offsetof(struct mackeep_record, orig.src) + sizeof(u64) >
		     sizeof(*rec));

	put_unaligned(get_unaligned((u64 *)rec->orig.src), (u64 *)hdr->dst);
	put_unaligned(get_unaligned((u64 *)rec->orig.dst), (u64 *)hdr->src);
}

/*
 * Writes the header into the headroom, and its tag next to the packet. False where
 * there is more to ask; what has been written into the headroom by then does not
 * matter.
 */
static __always_inline bool
mackeep_fast_header(const struct mackeep_net *mn, struct sk_buff *skb,
		    const struct mackeep_record *rec,
		    enum ip_conntrack_dir dir, bool v6)
{
	struct mackeep_header *hdr = (void *)(skb->data - ETH_HLEN);
	u32 seq, tag = 0;

	if (skb->data - HH_DATA_MOD < skb->head)
		return false;

	seq = READ_ONCE(rec->seq);
	smp_rmb(); /* where it is odd, checked is 0: mackeep_record_store() */
	if ((rec->checked ^ (atomic_read(&mn->genid) +
			     mackeep_genid_turns(mn, rec->orig.src,
						 rec->orig.dst))) |
	    (rec->ifindex ^ skb->dev->ifindex))
		return false;
	if (dir == IP_CT_DIR_ORIGINAL)
		*hdr = rec->orig;
	else
		mackeep_fast_turn(hdr, rec);
	*(__be16 *)(hdr + 1) = v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	if (static_branch_unlikely(&mackeep_tag_known))
		tag = mackeep_record_tag(rec);
	smp_rmb(); /* as mackeep_record_read() */
	if (READ_ONCE(rec->seq) != seq)
		return false;
	if (static_branch_unlikely(&mackeep_tag_known))
		mackeep_tag_put(skb, tag);
	return true;
}

/* The header is in the headroom. What dev_queue_xmit() returns. */
static __always_inline int
mackeep_fast_send(struct mackeep_net *mn, struct sk_buff *skb,
		  enum ip_conntrack_dir dir, struct inet6_dev *idev, bool v6)
{
	if (dir == IP_CT_DIR_ORIGINAL)
		MACKEEP_STAT_INC(mn, orig);
	else
		MACKEEP_STAT_INC(mn, reply);
	mackeep_output_count(mn, skb, idev, v6);
	__skb_push(skb, ETH_HLEN);
	return mackeep_direct_xmit(mn, skb);
}

/* As above, when a cgroup egress program must see the packet first. */
static noinline unsigned int
mackeep_fast_filter(struct mackeep_net *mn, struct sk_buff *skb,
		    const struct nf_hook_state *state)
{
	bool v6 = state->pf == NFPROTO_IPV6;
	struct sock *sk = state->sk;
	enum ip_conntrack_info ctinfo;
	int ret, err;

	ret = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);
	if (unlikely(ret != NET_XMIT_SUCCESS && ret != NET_XMIT_CN)) {
		kfree_skb(skb);
		return mackeep_output_stolen(ret);
	}
	nf_ct_get(skb, &ctinfo);
	err = mackeep_fast_send(mn, skb, CTINFO2DIR(ctinfo),
				mackeep_output_idev(skb, v6), v6);
	/* The program may want the sender to slow down. */
	return mackeep_output_stolen(err ?: ret);
}

/* The copy that TEE or dup makes of a packet passes here too, and is left alone. */
static __always_inline unsigned int
mackeep_fast_other(struct mackeep_net *mn, struct sk_buff *skb,
		   const struct nf_hook_state *state, bool v6)
{
	if (unlikely(mackeep_duplicate()))
		return NF_ACCEPT;
	return v6 ? mackeep_output6(mn, skb, state) :
		    mackeep_output4(mn, skb, state);
}

/* A packet of the flow of that record, which fits. */
static __always_inline unsigned int
mackeep_fast_kept(struct mackeep_net *mn, struct sk_buff *skb,
		  const struct nf_hook_state *state,
		  const struct mackeep_record *rec, enum ip_conntrack_dir dir,
		  struct inet6_dev *idev, bool v6)
{
	if (!mackeep_fast_header(mn, skb, rec, dir, v6))
		return mackeep_fast_other(mn, skb, state, v6);
	if (mackeep_egress_bpf())
		return mackeep_fast_filter(mn, skb, state);
	return mackeep_output_stolen(mackeep_fast_send(mn, skb, dir, idev,
						       v6));
}

/* As above, but over the MTU: a super-packet fits if its segments do. */
static noinline unsigned int
mackeep_fast_big(struct mackeep_net *mn, struct sk_buff *skb,
		 const struct nf_hook_state *state)
{
	bool v6 = state->pf == NFPROTO_IPV6;
	struct inet6_dev *idev = mackeep_output_idev(skb, v6);
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;

	if (!skb_is_gso(skb) ||
	    !skb_gso_validate_network_len(skb, mackeep_fast_mtu(skb, idev, v6)))
		return mackeep_fast_other(mn, skb, state, v6);
	ct = nf_ct_get(skb, &ctinfo);
	return mackeep_fast_kept(mn, skb, state,
				 mackeep_record_data(nfct_help(ct)),
				 CTINFO2DIR(ctinfo), idev, v6);
}

static __always_inline unsigned int
mackeep_fast_size(struct mackeep_net *mn, struct sk_buff *skb,
		  const struct nf_hook_state *state,
		  const struct mackeep_record *rec, enum ip_conntrack_dir dir,
		  bool v6)
{
	struct inet6_dev *idev = mackeep_output_idev(skb, v6);

	if (skb->len > mackeep_fast_mtu(skb, idev, v6))
		return mackeep_fast_big(mn, skb, state);
	return mackeep_fast_kept(mn, skb, state, rec, dir, idev, v6);
}

static __always_inline unsigned int
mackeep_fast(struct mackeep_net *mn, struct sk_buff *skb,
	     const struct nf_hook_state *state, bool v6)
{
	const struct nf_conntrack_helper *helper = NULL;
	const struct mackeep_record *rec;
	enum ip_conntrack_info ctinfo;
	struct nf_conn_help *help;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (ct) {
		help = nfct_help(ct);
		if (help)
			helper = rcu_dereference(help->helper);
	}
	/* IP_FREEBIND is enough to speak for another; --strict asks for that. */
	if (!helper && !mackeep_adopt_socket(skb) &&
	    likely(!READ_ONCE(mn->strict)))
		return NF_ACCEPT;

	if (!helper || !mackeep_record_ours(helper) ||
	    mackeep_fast_odd(skb, ct, v6))
		return mackeep_fast_other(mn, skb, state, v6);

	rec = mackeep_record_data(help);
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL)
		return mackeep_fast_size(mn, skb, state, rec,
					 IP_CT_DIR_ORIGINAL, v6);
	return mackeep_fast_size(mn, skb, state, rec, IP_CT_DIR_REPLY, v6);
}

/* Both run under rcu_read_lock(), in process context or softirq. */
unsigned int mackeep_fast4(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state)
{
	return mackeep_fast(priv, skb, state, false);
}

unsigned int mackeep_fast6(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state)
{
	return mackeep_fast(priv, skb, state, true);
}
