/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What the kernel module, the iptables plugin and the tools of MACKEEP share:
 * the target's rule blob and the record of a kept flow.
 *
 * Everything is in host byte order unless a type says otherwise. A published
 * layout never changes; a new layout gets a new revision or version.
 */
#ifndef _XT_MACKEEP_H
#define _XT_MACKEEP_H

#include <linux/types.h>

/* xt_mackeep_tginfo.flags. The kernel refuses any other bit. */
enum {
	XT_MACKEEP_ORIG_MARK	= 1 << 0,	/* --orig-mark was given */
	XT_MACKEEP_REPLY_MARK	= 1 << 1,	/* --reply-mark was given */
	XT_MACKEEP_KEEP_SRC	= 1 << 2,	/* --keep src: h_dest by route */
	XT_MACKEEP_KEEP_DST	= 1 << 3,	/* --keep dst: h_source the device's */
	XT_MACKEEP_REFRESH_FIRST = 1 << 4,	/* --refresh first: never change */
	XT_MACKEEP_STRICT	= 1 << 5,	/* --strict: drop what is not known */
	XT_MACKEEP_LAST_HOP	= 1 << 6,	/* --last-hop: answers need no route */
	XT_MACKEEP_NEXT_HOP_ROUTE = 1 << 7,	/* --next-hop route: none is learned */
	XT_MACKEEP_ALL_FLAGS	= (1 << 8) - 1,

	/* The flags of a policy, which also has the marks */
	XT_MACKEEP_POLICY_FLAGS	= XT_MACKEEP_ALL_FLAGS & ~XT_MACKEEP_ORIG_MARK &
				  ~XT_MACKEEP_REPLY_MARK,
};

struct mackeep_policy;

/*
 * Rule blob of -j MACKEEP, revision 0.
 *
 * A packet of the flow's original direction is rewritten if
 * (nfmark & orig_mask) == orig_mark, one of the reply direction if
 * (nfmark & reply_mask) == reply_mark. Without the flag, mark and mask are 0 and
 * every packet matches.
 *
 * The kernel refuses a mark with bits outside its mask, which could never match;
 * KEEP_SRC with KEEP_DST, because both are kept without either; and KEEP_SRC with
 * LAST_HOP, because the destination would be that of a route, and none is looked
 * up.
 */
struct xt_mackeep_tginfo {
	__u32 orig_mark;
	__u32 orig_mask;
	__u32 reply_mark;
	__u32 reply_mask;
	__u32 flags;		/* XT_MACKEEP_* */
	__u32 reserved;		/* 0 */

	/* Used internally by the kernel */
	struct mackeep_policy *policy __attribute__((aligned(8)));
};

/* The conntrack helper that holds the record; "helper=mackeep" in listings. */
#define MACKEEP_HELPER_NAME	"mackeep"

#define MACKEEP_INFO_VERSION	2

/* mackeep_info.flags: what is known. The kernel refuses any other bit. */
enum {
	MACKEEP_INFO_SRC	= 1 << 0,	/* mackeep_info.src is valid */
	MACKEEP_INFO_DST	= 1 << 1,	/* mackeep_info.dst is valid */
	MACKEEP_INFO_FORWARDED	= 1 << 2,	/* this machine forwards the flow */
	MACKEEP_INFO_ALL_FLAGS	= (1 << 3) - 1,
};

/* mackeep_info.via: where the MACs came from */
enum {
	MACKEEP_VIA_NONE,	/* nothing known yet: the flags are 0 */
	MACKEEP_VIA_LEARNED,	/* from the flow's own frames */
	MACKEEP_VIA_PAIR,	/* pair cache: same client, same server */
	MACKEEP_VIA_REVERSE,	/* pair cache: client and server swapped */
	MACKEEP_VIA_CLIENT,	/* pair cache: same client, any server */
	MACKEEP_VIA_NEIGH,	/* neighbour table */
	MACKEEP_VIA_RESTORED,	/* written through ctnetlink */
	MACKEEP_VIA_ROUTER,	/* the destination: the client's router, or the server */
	MACKEEP_VIA_MAX = MACKEEP_VIA_ROUTER,
};

/*
 * The record of a flow, 32 bytes. ctnetlink carries it as CTA_HELP_INFO inside
 * CTA_HELP of every dump, event and update (libnetfilter_conntrack:
 * ATTR_HELPER_INFO). If an entry of a dump fits into the rest of a block only
 * without its record, the record is left out: ask for that entry by itself.
 *
 * src and dst are the MACs of a frame in the flow's ORIGINAL direction. A frame
 * of the REPLY direction carries them swapped.
 *
 * A record that is written through ctnetlink must be exactly this long. The module
 * refuses it with
 *   EINVAL      wrong length, unknown flag, via, vlan or vlan_proto out of range,
 *               a tag where ifindex names no bridge, a reserved field or a MAC
 *               without its flag that is not 0
 *   EPROTONOSUPPORT  another version
 *   EADDRNOTAVAIL    a MAC that is multicast or all zero
 *   ENODEV      ifindex names no Ethernet device of the namespace
 * ctnetlink does not report these errors: the write succeeds, and the entry keeps
 * the record that it had, or none if it is new. The kernel log and the counter
 * badinfo tell, so read back what was written. In a record that is taken, via
 * becomes MACKEEP_VIA_RESTORED, and a policy that the namespace does not have
 * becomes 0.
 *
 * Version 1 has reserved bytes in the place of vlan_proto, and a vlan that is
 * always that of the device. Records of it are still taken, and none are given.
 */
struct mackeep_info {
	__u8  version;		/* MACKEEP_INFO_VERSION */
	__u8  flags;		/* MACKEEP_INFO_* */
	__u8  via;		/* MACKEEP_VIA_* */
	__u8  reserved;		/* 0 */
	__u16 vlan;		/* with vlan_proto: TCI of the frames' tag;
				 * without: VLAN id of the device, 0: none
				 */
	__u16 policy;		/* number of the rule's options, 0: none */
	__u32 ifindex;		/* L3 device that they were learned on, 0: any */
	__u8  src[6];
	__u8  dst[6];
	__u16 vlan_proto;	/* ETH_P_8021Q or ETH_P_8021AD: what leaves by the
				 * bridge ifindex gets a tag; 0: no tag
				 */
	__u16 reserved2[3];	/* 0 */
};

/*
 * getsockopt(fd, SOL_IP or SOL_IPV6, MACKEEP_SO_MACS, ...) on a socket of TCP or
 * UDP: the record of its flow, as SO_ORIGINAL_DST tells the address. Both levels
 * do the same. It needs no capability. There is no setsockopt().
 *
 * With the length of struct mackeep_so_macs nothing is read from the caller, and
 * the socket has to have a peer: accepted, or connected. With that of struct
 * mackeep_so_flow the caller says which conntrack zone the flow is in and, if it
 * is a socket of UDP without a peer, which flow. The length does not change.
 *   EINVAL      another length; family unknown; a flow given for a socket that
 *               has one of its own; local and peer of different families
 *   EPROTONOSUPPORT  a socket of neither TCP nor UDP
 *   EDESTADDRREQ     a socket of UDP without peer, and none is given; or it is
 *               bound to no address, and local is not given
 *   EACCES      local is not an address that this socket gets datagrams for
 *   ENOENT      conntrack has no such flow, the flow has no record, or there is
 *               nothing in it; the socket is no connection
 *   ENOPROTOOPT the module is not loaded
 */
#define MACKEEP_SO_MACS		0x4d4b

struct mackeep_so_macs {
	struct mackeep_info info;
	__u8  opened;		/* 0: the other end opened the flow, its MAC is
				 * info.src; 1: this one, the other is info.dst
				 */
	__u8  reserved[7];	/* 0 */
};

struct mackeep_so_flow {
	struct mackeep_so_macs macs;	/* out; what is in it does not matter */
	__u16  family;		/* in: AF_INET or AF_INET6 of local and peer;
				 * 0: those of the socket
				 */
	__u16  zone;		/* in: conntrack zone, 0 is the default one */
	__be16 local_port;	/* in: where the peer's datagrams go; 0: where */
	__be16 peer_port;	/*     the socket is bound, and local is unused */
	__u8   local[16];	/* in: 4 bytes of them for AF_INET; an address */
	__u8   peer[16];	/*     of AF_INET6 may be that of an IPv4 host */
};

#endif /* _XT_MACKEEP_H */
