/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows kernel versions. Everything else is written to
 * the newest kernel's API; what an older one lacks is made up for here. What
 * is called HAVE_ comes from Kbuild.include.
 */
#ifndef _MACKEEP_COMPAT_H
#define _MACKEEP_COMPAT_H

#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/neighbour.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv6.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/sysctl.h>
#include <linux/version.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>
#include <net/route.h>
#include <net/tcp.h>
#ifdef HAVE_skb_gso_segment
#include <net/gso.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#error "MACKEEP supports Linux 5.10 to 7.2"
#endif

/* --- sysctl --------------------------------------------------------------- */

/* The last slot of a sysctl table is left empty for kernels that want one. */
#ifndef HAVE_register_net_sysctl_sz
#define register_net_sysctl_sz(net, path, table, size) \
	register_net_sysctl(net, path, table)
#endif

#ifdef HAVE_ctl_table_const
#define MACKEEP_CTL_CONST const
#else
#define MACKEEP_CTL_CONST
#endif

/* --- conntrack helpers ---------------------------------------------------- */

/*
 * Registering makes a copy of the helper that counts the flows which have it;
 * when the module goes they keep the copy, without its function. Old kernels
 * register the module's own and take it off every flow.
 */
#ifdef HAVE_ct_refcnt
#define mackeep_helper_func(helper)	rcu_access_pointer((helper)->help)

static inline void mackeep_helper_hold(struct nf_conntrack_helper *helper)
{
	refcount_inc(&helper->ct_refcnt);
}

static inline void mackeep_helper_drop(struct nf_conntrack_helper *helper)
{
	if (helper && refcount_dec_and_test(&helper->ct_refcnt))
		kfree_rcu(helper, rcu);
}
#else
#define mackeep_helper_func(helper)	((helper)->help)

static inline void mackeep_helper_hold(struct nf_conntrack_helper *helper)
{
}

static inline void mackeep_helper_drop(struct nf_conntrack_helper *helper)
{
}

static inline int
mackeep_helpers_register(struct nf_conntrack_helper *helper, unsigned int n,
			 struct nf_conntrack_helper **registered)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		registered[i] = &helper[i];
	return nf_conntrack_helpers_register(helper, n);
}

#define nf_conntrack_helpers_register(helper, n, registered) \
	mackeep_helpers_register(helper, n, registered)
#define nf_conntrack_helpers_unregister(registered, n) \
	nf_conntrack_helpers_unregister((registered)[0], n)
#endif

/* --- conntrack ------------------------------------------------------------ */

#ifndef HAVE_nf_conntrack_count
#define nf_conntrack_count(net)	((u32)atomic_read(&(net)->ct.count))
#endif

#ifndef HAVE_nf_ct_iter_data
struct nf_ct_iter_data {
	struct net *net;
	void *data;
};

#define nf_ct_iterate_cleanup_net(iter, it) \
	nf_ct_iterate_cleanup_net((it)->net, iter, (it)->data, 0, 0)
#endif

#ifndef HAVE_nf_ct_ecache_exist
#define nf_ct_ecache_exist(ct)	nf_ct_ecache_find(ct)
#endif

/* Whether TEE or nft's dup is sending its copy; old kernels forbid preemption. */
#ifdef HAVE_in_nf_duplicate
#define mackeep_duplicate()	(current->in_nf_duplicate)
#else
#define mackeep_duplicate()	this_cpu_read(nf_skb_duplicated)
#endif

/* --- control groups -------------------------------------------------------- */

#ifndef CONFIG_CGROUP_BPF
#define mackeep_egress_bpf()	false
#elif defined(HAVE_CGROUP_INET_EGRESS)
#define mackeep_egress_bpf()	cgroup_bpf_enabled(CGROUP_INET_EGRESS)
#elif defined(HAVE_cgroup_bpf_enabled_type)
#define mackeep_egress_bpf()	cgroup_bpf_enabled(BPF_CGROUP_INET_EGRESS)
#else
#define mackeep_egress_bpf()	cgroup_bpf_enabled
#endif

/* --- packets -------------------------------------------------------------- */

#ifdef HAVE_vlan_all
#define skb_vlan_all(skb)	((skb)->vlan_all)
#else
#define skb_vlan_all(skb) \
	((__force u32)(skb)->vlan_proto << 16 | (skb)->vlan_tci)
#endif

#ifndef HAVE_skb_clear_tstamp
#define skb_clear_tstamp(skb)	((skb)->tstamp = 0)
#endif

#ifndef HAVE_skb_expand_head
static inline struct sk_buff *skb_expand_head(struct sk_buff *skb,
					      unsigned int headroom)
{
	struct sk_buff *wide = skb_realloc_headroom(skb, headroom);

	if (!wide) {
		kfree_skb(skb);
		return NULL;
	}
	if (skb->sk)
		skb_set_owner_w(wide, skb->sk);
	consume_skb(skb);
	return wide;
}
#endif

/* --- hooks of devices ------------------------------------------------------- */

#ifdef CONFIG_NETFILTER_EGRESS
#define MACKEEP_EGRESS		true
#define MACKEEP_NETDEV_EGRESS	NF_NETDEV_EGRESS
#else
#define MACKEEP_EGRESS		false
#define MACKEEP_NETDEV_EGRESS	0
#endif

/* --- the bridge ----------------------------------------------------------- */

struct mackeep_fdb {
	int ifindex;			/* of the port, or of the bridge */
	bool local;			/* an address of the box itself */
	unsigned long age;		/* jiffies since a frame of it */
};

/*
 * The bridge's answer to "bridge fdb get". Under rcu_read_lock(), in any
 * context.
 */
static inline int mackeep_fdb_get(const struct net_device *dev, const u8 *mac,
				  u16 vid, struct mackeep_fdb *fdb)
{
	struct net_device *br = (struct net_device *)dev;
	const struct nda_cacheinfo *ci;
	const struct nlattr *attr;
	const struct ndmsg *ndm;
	struct sk_buff *answer;
	int err;

	if (!br->netdev_ops->ndo_fdb_get)
		return -EOPNOTSUPP;
	answer = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!answer)
		return -ENOMEM;
	err = br->netdev_ops->ndo_fdb_get(answer, NULL, br, mac, vid, 0, 0,
					  NULL);
	if (!err) {
		ndm = nlmsg_data(nlmsg_hdr(answer));
		fdb->ifindex = ndm->ndm_ifindex;
		fdb->local = ndm->ndm_state & NUD_PERMANENT;
		attr = nlmsg_find_attr(nlmsg_hdr(answer), sizeof(*ndm),
				       NDA_CACHEINFO);
		ci = attr ? nla_data(attr) : NULL;
		fdb->age = ci ? clock_t_to_jiffies(ci->ndm_updated) : 0;
	}
	kfree_skb(answer);
	return err;
}

/*
 * A frame with this mark stays off the ports of a bridge that are not those of
 * another switch: hardware has sent it there. The bridge takes it off where it
 * passes the frame up. Old kernels ask which hardware it was.
 */
#if defined(CONFIG_NET_SWITCHDEV) && defined(HAVE_switchdev_bridge_port_offload)
#define MACKEEP_OFF_PORTS		true
#define mackeep_skb_off_ports(skb)	((skb)->offload_fwd_mark = 1)
#else
#define MACKEEP_OFF_PORTS		false
#define mackeep_skb_off_ports(skb)	do { } while (0)
#endif

/* Where the bridge cannot be asked which way it would send a frame. */
#ifndef HAVE_ndo_fill_forward_path
struct net_device_path {
};

struct net_device_path_ctx {
	const struct net_device *dev;
	u8 daddr[ETH_ALEN];
	int num_vlans;
	struct {
		u16 id;
		__be16 proto;
	} vlan[2];
};

static inline int mackeep_fill_forward_path(struct net_device_path_ctx *ctx,
					    struct net_device_path *path)
{
	struct net *net = dev_net(ctx->dev);
	struct mackeep_fdb fdb;
	int err;

	err = mackeep_fdb_get(ctx->dev, ctx->daddr,
			      ctx->num_vlans ? ctx->vlan[0].id : 0, &fdb);
	if (!err)
		ctx->dev = dev_get_by_index_rcu(net, fdb.ifindex);
	return err;
}
#else
static inline int mackeep_fill_forward_path(struct net_device_path_ctx *ctx,
					    struct net_device_path *path)
{
	const struct net_device_ops *ops = ctx->dev->netdev_ops;

	if (!ops->ndo_fill_forward_path)
		return -EOPNOTSUPP;
	return ops->ndo_fill_forward_path(ctx, path);
}
#endif

#ifndef HAVE_netif_get_port_parent_id
#define netif_get_port_parent_id(dev, id, recurse) \
	dev_get_port_parent_id(dev, id, recurse)
#endif

/* Under RTNL. Where it cannot be asked, what "bridge link" would show tells. */
#ifndef HAVE_br_port_get_stp_state
static inline u8 br_port_get_stp_state(struct net_device *dev)
{
	struct net_device *br = netdev_master_upper_dev_get(dev);
	struct sk_buff *answer = nlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	u8 state = BR_STATE_FORWARDING;
	const struct nlattr *attr;

	if (answer && br && br->rtnl_link_ops &&
	    br->rtnl_link_ops->fill_slave_info &&
	    !br->rtnl_link_ops->fill_slave_info(answer, br, dev)) {
		attr = nla_find((struct nlattr *)answer->data, answer->len,
				IFLA_BRPORT_STATE);
		if (attr)
			state = nla_get_u8(attr);
	}
	kfree_skb(answer);
	return state;
}
#endif

/*
 * Under RTNL. The VLANs in which the port of a bridge with MST does not forward;
 * false: the bridge has no MST.
 */
#ifdef HAVE_br_mst_enabled
static inline bool mackeep_mst_blocked(const struct net_device *br,
				       const struct net_device *port,
				       unsigned long *vids)
{
	u16 msti;
	u8 state;

	if (!br_mst_enabled(br))
		return false;
	for (msti = 0; msti < VLAN_N_VID; msti++)
		if (!br_mst_get_state(port, msti, &state) &&
		    state != BR_STATE_FORWARDING)
			br_mst_get_info(br, msti, vids);
	return true;
}
#else
#define mackeep_mst_blocked(br, port, vids)	false
#endif

/*
 * Where only a holder of RTNL may ask, a VLAN in which the bridge has its own
 * address is taken for one that it lets through, and the PVID for untagged.
 */
#ifndef HAVE_br_vlan_get_info_rcu
static inline int br_vlan_get_info_rcu(const struct net_device *dev, u16 vid,
				       struct bridge_vlan_info *info)
{
	struct mackeep_fdb fdb;
	u16 pvid;

	info->vid = vid;
	info->flags = BRIDGE_VLAN_INFO_BRENTRY;
	if (!br_vlan_get_pvid_rcu(dev, &pvid) && vid == pvid)
		info->flags |= BRIDGE_VLAN_INFO_PVID |
			       BRIDGE_VLAN_INFO_UNTAGGED;
	return mackeep_fdb_get(dev, dev->dev_addr, vid, &fdb);
}
#endif

/* Whether a port is in a VLAN; where nobody may ask, it is taken for it. */
static inline bool mackeep_vlan_has(const struct net_device *port, u16 vid)
{
#ifdef HAVE_br_vlan_get_info_rcu
	struct bridge_vlan_info info;

	return !br_vlan_get_info_rcu(port, vid, &info);
#else
	return true;
#endif
}

/* --- IP ------------------------------------------------------------------- */

/*
 * Where IP counts OutTransmits and OutOctets: before POST_ROUTING, or after it
 * in ip_finish_output2(), which packets we transmit ourselves do not reach.
 */
#ifdef HAVE_IPSTATS_MIB_OUTREQUESTS
#define MACKEEP_OUT_COUNTED	false
#else
#define MACKEEP_OUT_COUNTED	true
#endif

#ifdef HAVE_ipv6_stub
#include <net/ipv6_stubs.h>
#define ip6_fragment(net, sk, skb, output) \
	ipv6_stub->ipv6_fragment(net, sk, skb, output)
#endif

/*
 * IPv6's own way out. Not all old kernels export it, but every route has it,
 * such as that to the neighbours on a device which is up: false without one.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
static inline bool mackeep_ip6_output(struct dst_entry *dst)
{
	struct flowi6 fl6 = {
		.flowi6_oif	= dst->dev->ifindex,
		.daddr		= IN6ADDR_LINKLOCAL_ALLNODES_INIT,
	};
	struct dst_entry *route;
	bool found;

	route = ip6_route_output(dev_net(dst->dev), NULL, &fl6);
	found = !route->error;
	if (found)
		dst->output = route->output;
	dst_release(route);
	return found;
}
#else
static inline bool mackeep_ip6_output(struct dst_entry *dst)
{
	dst->output = ip6_output;
	return true;
}
#endif

#ifndef HAVE_ip6_dst_mtu_maybe_forward
#define ip6_dst_mtu_maybe_forward(dst, forwarding)	ip6_dst_mtu_forward(dst)
#endif

#ifdef HAVE_nopolicy
#define rt_dst_alloc(dev, flags, type, noxfrm) \
	rt_dst_alloc(dev, flags, type, false, noxfrm)
#endif

#ifndef container_of_const
#define container_of_const(ptr, type, member)	container_of(ptr, type, member)
#endif

#ifndef HAVE_inet_test_bit
#define MACKEEP_INET_TRANSPARENT	transparent
#define inet_test_bit(nr, sk)	(inet_sk(sk)->MACKEEP_INET_##nr)
#endif

#ifndef dst_rtable
#define dst_rtable(dst)		container_of_const(dst, struct rtable, dst)
#endif

#ifndef dst_rt6_info
#define dst_rt6_info(ptr)	container_of_const(ptr, struct rt6_info, dst)
#endif

/* --- TCP ------------------------------------------------------------------ */

#ifndef HAVE_cookie_of_header
#define __cookie_v4_check(iph, th) \
	__cookie_v4_check(iph, th, ntohl((th)->ack_seq) - 1)
#define nf_cookie_v6_check(iph, th) \
	nf_cookie_v6_check(iph, th, ntohl((th)->ack_seq) - 1)
#endif

/* --- hashes --------------------------------------------------------------- */

#ifndef HAVE_siphash_aligned_key_t
#define siphash_aligned_key_t	siphash_key_t
#endif

#endif /* _MACKEEP_COMPAT_H */
