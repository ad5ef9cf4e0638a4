// SPDX-License-Identifier: GPL-2.0-only
/* -j MACKEEP: save and refresh what came in, adopt what the box opens. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>

#include "mackeep.h"

/* The MACs of the frame the packet came in. */
static bool mackeep_target_frame(const struct sk_buff *skb,
				 const struct net_device *in,
				 struct mackeep_macs *macs)
{
	const struct ethhdr *eth;

	/* A packet comes a second time as from its VRF. */
	if (in->type != ARPHRD_ETHER || netif_is_l3_master(in) || !skb_mac_header_was_set(skb) ||
	    skb_mac_header(skb) < skb->head ||
	    skb_mac_header(skb) + ETH_HLEN > skb->data)
		return false;

	eth = eth_hdr(skb);
	if (!is_valid_ether_addr(eth->h_source) ||
	    !is_valid_ether_addr(eth->h_dest))
		return false;

	ether_addr_copy(macs->src, eth->h_source);
	ether_addr_copy(macs->dst, eth->h_dest);
	macs->ifindex = in->ifindex;
	macs->vlan = is_vlan_dev(in) ? vlan_dev_vlan_id(in) : 0;
	macs->flags = MACKEEP_INFO_SRC | MACKEEP_INFO_DST;
	macs->via = MACKEEP_VIA_LEARNED;
	macs->gen = 0;
	return true;
}

static bool mackeep_target_same(const struct mackeep_macs *a,
				const struct mackeep_macs *b)
{
	return a->flags == b->flags && a->ifindex == b->ifindex &&
	       ether_addr_equal(a->src, b->src) &&
	       ether_addr_equal(a->dst, b->dst) &&
	       a->policy == b->policy && a->vlan == b->vlan;
}

/*
 * The stamp tells when the flow last told the pair cache that it lives, in
 * steps of 8 s, and whether it had seen an answer by then; while neither
 * changes, a packet touches nothing but its own record.
 */
static u8 mackeep_target_stamp(bool proven)
{
	return ((jiffies / (8 * HZ)) << 1) | proven;
}

/* A frame of the ORIGINAL direction: its MACs are the flow's. */
static void mackeep_target_learn(struct mackeep_net *mn, struct sk_buff *skb,
				 struct nf_conn *ct, bool proven,
				 const struct net_device *in, u16 policy)
{
	struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_macs now, old;
	struct mackeep_pair_key key;
	u8 stamp;

	if (!mackeep_target_frame(skb, in, &now)) {
		MACKEEP_STAT_INC(mn, noether);
		return;
	}
	now.policy = policy;

	if (!rec)
		rec = mackeep_record_attach(ct);
	if (IS_ERR(rec)) {
		switch (PTR_ERR(rec)) {
		case -EBUSY:
			MACKEEP_STAT_INC(mn, helper);
			break;
		case -ETIME:
			MACKEEP_STAT_INC(mn, late);
			break;
		case -EPROTONOSUPPORT:
			MACKEEP_STAT_INC(mn, proto);
			return;
		default:
			MACKEEP_STAT_INC(mn, nomem);
		}
		rec = NULL;
	}

	stamp = mackeep_target_stamp(proven);
	if (rec) {
		mackeep_record_read(ct, rec, &old);
		if (!mackeep_target_same(&now, &old)) {
			mackeep_record_write(ct, rec, &now);
			if (old.flags)
				MACKEEP_STAT_INC(mn, refreshed);
			else
				MACKEEP_STAT_INC(mn, saved);
		} else if (mackeep_record_stamp(rec) == stamp) {
			return;
		}
		mackeep_record_set_stamp(rec, stamp);
	}

	/*
	 * Sent to this box itself, as to a router: nothing that the upstream
	 * leg could use, since it would come straight back.
	 */
	if (ether_addr_equal(now.dst, in->dev_addr))
		return;

	mackeep_pair_key(&key, ct, in->ifindex);
	mackeep_pair_learn(mn, &key, &now, proven);
}

/* OUTPUT: have the flow adopted at POST_ROUTING, with this rule's marks. */
static void mackeep_target_adopt(struct mackeep_net *mn, struct nf_conn *ct,
				 u16 policy)
{
	struct mackeep_record *rec = mackeep_record_find(ct);
	struct mackeep_macs macs;

	if (!rec)
		rec = mackeep_record_attach(ct);
	if (IS_ERR(rec))
		return;

	mackeep_record_read(ct, rec, &macs);
	if (macs.policy == policy)
		return;
	macs.policy = policy;
	mackeep_record_write(ct, rec, &macs);
}

static unsigned int mackeep_tg(struct sk_buff *skb,
			       const struct xt_action_param *par)
{
	const struct xt_mackeep_tginfo *info = par->targinfo;
	struct mackeep_net *mn = info->policy->mn;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || nf_ct_is_template(ct)) {
		MACKEEP_STAT_INC(mn, untracked);
		return XT_CONTINUE;
	}
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return XT_CONTINUE;
	/* An ICMP error about the flow shows the MAC of some router. */
	if (ctinfo == IP_CT_RELATED && nf_ct_is_confirmed(ct))
		return XT_CONTINUE;

	if (xt_hooknum(par) == NF_INET_PRE_ROUTING)
		mackeep_target_learn(mn, skb, ct, ctinfo == IP_CT_ESTABLISHED,
				     xt_in(par), info->policy->id);
	else
		mackeep_target_adopt(mn, ct, info->policy->id);
	return XT_CONTINUE;
}

static int mackeep_tg_check(const struct xt_tgchk_param *par)
{
	struct xt_mackeep_tginfo *info = par->targinfo;
	struct mackeep_net *mn = mackeep_net(par->net);
	struct mackeep_policy *policy;
	int err;

	if (info->flags & ~XT_MACKEEP_ALL_FLAGS || info->reserved) {
		pr_info_ratelimited("unknown options 0x%x: the iptables plugin is newer than the module, update the module\n",
				    info->flags);
		return -EINVAL;
	}
	if (info->orig_mark & ~info->orig_mask ||
	    info->reply_mark & ~info->reply_mask) {
		pr_info_ratelimited("--orig-mark or --reply-mark has bits outside its mask and could never match: widen the mask\n");
		return -EINVAL;
	}
	if ((!(info->flags & XT_MACKEEP_ORIG_MARK) && info->orig_mask) ||
	    (!(info->flags & XT_MACKEEP_REPLY_MARK) && info->reply_mask)) {
		pr_info_ratelimited("a mark without its option: the rule does not come from the iptables plugin\n");
		return -EINVAL;
	}

	mutex_lock(&mackeep_net_mutex);
	err = mackeep_net_get(mn);
	if (err) {
		pr_info_ratelimited("cannot set up the namespace's hooks and pair cache: error %d\n",
				    err);
		goto out;
	}
	policy = mackeep_policy_get(mn, info);
	if (IS_ERR(policy)) {
		err = PTR_ERR(policy);
		if (err == -ENOSPC)
			pr_info_ratelimited("more than %u different pairs of --orig-mark and --reply-mark: use fewer\n",
					    MACKEEP_POLICY_SLOTS - 1);
		mackeep_net_put(mn);
		goto out;
	}
	info->policy = policy;
out:
	mutex_unlock(&mackeep_net_mutex);
	return err;
}

static void mackeep_tg_destroy(const struct xt_tgdtor_param *par)
{
	struct xt_mackeep_tginfo *info = par->targinfo;
	struct mackeep_net *mn = info->policy->mn;

	mutex_lock(&mackeep_net_mutex);
	mackeep_policy_put(info->policy);
	mackeep_net_put(mn);
	mutex_unlock(&mackeep_net_mutex);
}

#define MACKEEP_TG(pf) {						       \
	.name		= "MACKEEP",					       \
	.revision	= 0,						       \
	.family		= pf,						       \
	.table		= "mangle",					       \
	.hooks		= 1 << NF_INET_PRE_ROUTING | 1 << NF_INET_LOCAL_OUT,   \
	.target		= mackeep_tg,					       \
	.targetsize	= sizeof(struct xt_mackeep_tginfo),		       \
	.usersize	= offsetof(struct xt_mackeep_tginfo, policy),	       \
	.checkentry	= mackeep_tg_check,				       \
	.destroy	= mackeep_tg_destroy,				       \
	.me		= THIS_MODULE,					       \
}

static struct xt_target mackeep_tg_reg[] __read_mostly = {
	MACKEEP_TG(NFPROTO_IPV4),
	MACKEEP_TG(NFPROTO_IPV6),
};

int mackeep_target_init(void)
{
	return xt_register_targets(mackeep_tg_reg, ARRAY_SIZE(mackeep_tg_reg));
}

void mackeep_target_exit(void)
{
	xt_unregister_targets(mackeep_tg_reg, ARRAY_SIZE(mackeep_tg_reg));
}
