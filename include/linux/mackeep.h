/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Generic netlink family "mackeep": what mackeep(8) asks the kernel module.
 *
 * Commands work on the network namespace of the socket. Integers are in host byte
 * order, addresses in network byte order. A command refuses attributes that it
 * does not list with EINVAL. The answer to bad input has a message in
 * NLMSGERR_ATTR_MSG that says what is wrong.
 */
#ifndef _LINUX_MACKEEP_H
#define _LINUX_MACKEEP_H

/* Of module, tool and packages, which belong together. */
#define MACKEEP_VERSION		"0.10.0"

#define MACKEEP_GENL_NAME	"mackeep"
#define MACKEEP_GENL_VERSION	1

enum {
	MACKEEP_CMD_UNSPEC,

	/*
	 * The state of the module. Needs no capability.
	 * Answer: VERSION, RULES, PAIRS, PAIR_MAX.
	 */
	MACKEEP_CMD_GET,

	/*
	 * The pair cache; dump only. Needs CAP_NET_ADMIN over the namespace.
	 * A message for each pair: FAMILY, CLIENT, SERVER (absent: any
	 * server), ZONE, IFINDEX, VLAN, VLAN_PROTO if its frames have a tag,
	 * SRC, DST (absent with SERVER), AGE, PROVEN, ROUTED. Pairs that come
	 * or go during the dump may be missing. If the table is resized, some
	 * pairs may come twice; messages have NLM_F_DUMP_INTR from then on.
	 */
	MACKEEP_CMD_PAIRS,

	/*
	 * Forgets MACs: empties records and deletes pairs. Flows live on, and
	 * learn again from their next frames. Needs CAP_NET_ADMIN over the
	 * namespace.
	 * Takes any of FAMILY, ADDR, MAC, IFINDEX, and forgets what matches
	 * all of them; without any it forgets everything.
	 * Answer: RECORDS, PAIRS: how many were forgotten.
	 * EINVAL	address that does not fit the family, no address at all,
	 *		MAC that is no unicast address, IFINDEX or FAMILY out of
	 *		range
	 */
	MACKEEP_CMD_FLUSH,

	/*
	 * A service: frames with MARK are for the proxy that listens on PORT.
	 * They are lifted only while it takes connections; else they are
	 * bridged, or dropped if FAIL says so. All need CAP_NET_ADMIN over
	 * the namespace, and name a service by MARK and PROTO.
	 *
	 * NEW: MARK, PROTO, PORT; optional FAIL (open), BYPASS (0), SYNPROXY,
	 *	SETTLE (0), ON4, ON6, REHEARSE.
	 * EINVAL	lift_mark would not lift frames with MARK; PORT is 0; PROTO
	 *		is neither TCP nor UDP; SETTLE of another than UDP; another
	 *		value out of range
	 * EEXIST	there is a service with this MARK and PROTO
	 * ENOSPC	there are MACKEEP_SERVICES_MAX
	 * SET: MARK, PROTO, and any of FAIL, BYPASS
	 * DEL: MARK, PROTO
	 * ENOENT	(both) there is no such service
	 */
	MACKEEP_CMD_SERVICE_NEW,
	MACKEEP_CMD_SERVICE_SET,
	MACKEEP_CMD_SERVICE_DEL,

	/*
	 * The services; dump only, needs CAP_NET_ADMIN over the namespace. A
	 * message for each: MARK, PROTO, PORT, FAIL, BYPASS, SYNPROXY, REHEARSE,
	 * ON4 and ON6 if set, SETTLE if there is some left, STATE4, STATE6, and
	 * COUNTS.
	 */
	MACKEEP_CMD_SERVICES,

	/*
	 * To the multicast group "services", when a state has changed, and of
	 * a new service: MARK, PROTO, PORT, FAIL, FAMILY, STATE4 or STATE6. At
	 * most 100 ms late; a state that was there for less may not be told.
	 * Without FAMILY: the service was deleted.
	 */
	MACKEEP_CMD_SERVICE_EVENT,

	/*
	 * A guard: frames whose source is a MAC of this box do not leave by
	 * the ports of the bridge NAME, or by the device NAME, which may be
	 * there or come later. The MACs are those of the bridge, of its ports
	 * and of all devices on top of them. A frame passes if the bridge or a
	 * device on top of it has that MAC and an address: IPv4 of a scope
	 * wider than link, or IPv6 that is neither link-local nor taken from a
	 * router advertisement. A port of a bridge that is guarded belongs to that
	 * one's guard alone. Guards last until they are deleted or the
	 * module goes. Both need CAP_NET_ADMIN over the namespace.
	 *
	 * ADD, DEL: NAME.
	 * EINVAL	no device can have that name
	 * EEXIST	(ADD) there is a guard of this name
	 * ENOSPC	(ADD) there are MACKEEP_GUARDS_MAX
	 * ENOENT	(DEL) there is no guard of this name
	 */
	MACKEEP_CMD_GUARD_ADD,
	MACKEEP_CMD_GUARD_DEL,

	/*
	 * The guards; dump only, needs CAP_NET_ADMIN over the namespace. A
	 * message for each: NAME, DROPPED, PORTS, WHOLE if so.
	 */
	MACKEEP_CMD_GUARDS,

	/*
	 * What an earlier load of the module knew, to be put back as it was
	 * dumped. Both need CAP_NET_ADMIN over the namespace, and never change
	 * what is known by now.
	 *
	 * PAIR_NEW: FAMILY, CLIENT, SRC, IFINDEX, AGE; both of SERVER and DST,
	 * or none of them; optional ZONE, VLAN, VLAN_PROTO, PROVEN, ROUTED.
	 * EINVAL	an attribute is missing, out of range, or does not fit the
	 *		others
	 * ENODEV	IFINDEX names no Ethernet device of the namespace
	 * ENETDOWN	there is no rule in the namespace
	 * EEXIST	there is such a pair
	 * ETIME	it is older than mackeep_pair_timeout
	 * ENOSPC	there are mackeep_pair_max; none is given up for it
	 *
	 * RECORD_NEW: FAMILY, PROTO, CLIENT, CLIENT_PORT, SERVER, PORT, INFO;
	 * optional ZONE. The addresses are those of the entry's original
	 * direction. INFO.policy is not looked at: rules may be numbered anew.
	 * The errors of a record (see linux/netfilter/xt_MACKEEP.h), and
	 * ENETDOWN	there is no rule in the namespace
	 * ENOENT	conntrack has no such entry
	 * EEXIST	its flow has a record with MACs
	 * EBUSY	it has another helper
	 * ETIME	it has no room for a record
	 */
	MACKEEP_CMD_PAIR_NEW,
	MACKEEP_CMD_RECORD_NEW,

	/*
	 * The default policy: the options of flows that have the helper, and
	 * that no MACKEEP rule has seen, as nft makes them. It counts while the
	 * sysctl mackeep_hooks is 1, like the options of one more rule. Both
	 * need CAP_NET_ADMIN over the namespace.
	 *
	 * POLICY: the answer is KEEP, REFRESH, NEXT_HOP, LAST_HOP and STRICT if
	 * so, and of each direction that has one, a mark with its mask.
	 * POLICY_SET: any of these; what is not there is as at first: both MACs
	 * are kept, the last ones, and no mark is asked for.
	 * EINVAL	an option out of range, or one that does not go with
	 *		another; a mark without its mask; a mask of 0; a mark with
	 *		bits outside its mask
	 * ENOSPC	there are as many rules with different options as there
	 *		may be
	 */
	MACKEEP_CMD_POLICY,
	MACKEEP_CMD_POLICY_SET,

	/*
	 * What services with REHEARSE would have lifted; dump only, needs
	 * CAP_NET_ADMIN over the namespace. A message for each pair of MACs, of
	 * a service and a VLAN: MARK, PROTO, IFINDEX, VLAN, SRC, DST, FLOWS; and
	 * one with FLOWS alone for those that there was no room for. It begins
	 * anew when no service rehearses any more.
	 */
	MACKEEP_CMD_REHEARSED,

	/*
	 * Flows of which a packet was left alone; dump only, needs CAP_NET_ADMIN
	 * over the namespace. A message for each: ID, REASON, SECONDS, STRICT if
	 * the packet was dropped for that. Of some thousand flows, the last
	 * ones; flows that are gone may be among them.
	 */
	MACKEEP_CMD_LEFT,

	/*
	 * To the multicast group "left", when that happens to a flow for the
	 * first time or for another reason: ID, REASON, FAMILY, PROTO, ZONE, CLIENT,
	 * CLIENT_PORT, SERVER, PORT, of the entry's original direction. At most
	 * about 100 a second; UNTOLD if some were not told before this one.
	 */
	MACKEEP_CMD_LEFT_EVENT,

	__MACKEEP_CMD_MAX,
	MACKEEP_CMD_MAX = __MACKEEP_CMD_MAX - 1,
};

enum {
	MACKEEP_A_UNSPEC,
	MACKEEP_A_VERSION,	/* string: MACKEEP_VERSION of the module */
	MACKEEP_A_RULES,	/* u32: MACKEEP rules, plus 1 for mackeep_hooks */
	MACKEEP_A_PAIRS,	/* u32: number of pairs */
	MACKEEP_A_PAIR_MAX,	/* u32: the sysctl mackeep_pair_max */
	MACKEEP_A_RECORDS,	/* u32: number of records */
	MACKEEP_A_FAMILY,	/* u8: AF_INET or AF_INET6 */
	MACKEEP_A_CLIENT,	/* 4 or 16 bytes, by FAMILY */
	MACKEEP_A_SERVER,	/* 4 or 16 bytes, by FAMILY */
	MACKEEP_A_ADDR,		/* 4 or 16 bytes: client's or server's */
	MACKEEP_A_MAC,		/* 6 bytes: source or destination */
	MACKEEP_A_SRC,		/* 6 bytes: MAC of frames client to server */
	MACKEEP_A_DST,		/* 6 bytes: their destination */
	MACKEEP_A_IFINDEX,	/* u32: L3 device, not 0 */
	MACKEEP_A_VLAN,		/* u16: with VLAN_PROTO: TCI of the frames' tag;
				 * without: VLAN id of the device, 0 for none
				 */
	MACKEEP_A_ZONE,		/* u16: conntrack zone */
	MACKEEP_A_AGE,		/* u32: milliseconds since its last use */
	MACKEEP_A_PROVEN,	/* flag: a flow with an answer has used it */
	MACKEEP_A_MARK,		/* u32: nfmark of a service's frames */
	MACKEEP_A_PROTO,	/* u8: IPPROTO_TCP or IPPROTO_UDP */
	MACKEEP_A_PORT,		/* u16: where the proxy listens, not 0; of a server */
	MACKEEP_A_FAIL,		/* u8: MACKEEP_FAIL_* */
	MACKEEP_A_BYPASS,	/* u8: 1: what is new goes past the proxy */
	MACKEEP_A_SYNPROXY,	/* flag: SYNPROXY answers in its place */
	MACKEEP_A_STATE4,	/* u8: MACKEEP_SERVICE_*, of IPv4 */
	MACKEEP_A_STATE6,	/* u8: the same of IPv6 */
	MACKEEP_A_COUNTS,	/* u64[MACKEEP_SERVICE_MAX + 1]: frames, by it */
	MACKEEP_A_SETTLE,	/* u16: seconds from now on in which flows are
				 * taken for older than the service
				 */
	MACKEEP_A_ON4,		/* 4 bytes: --on-ip of the TPROXY rule */
	MACKEEP_A_ON6,		/* 16 bytes: the same of IPv6 */
	MACKEEP_A_NAME,		/* string: of a device */
	MACKEEP_A_DROPPED,	/* u64: frames that a guard dropped */
	MACKEEP_A_PORTS,	/* u32: devices that it has now */
	MACKEEP_A_WHOLE,	/* flag: also what is sent on the port itself */
	MACKEEP_A_CLIENT_PORT,	/* u16: of a flow */
	MACKEEP_A_INFO,		/* struct mackeep_info */
	MACKEEP_A_KEEP,		/* u8: MACKEEP_KEEP_* */
	MACKEEP_A_REFRESH,	/* u8: MACKEEP_REFRESH_* */
	MACKEEP_A_LAST_HOP,	/* flag: answers need no route */
	MACKEEP_A_STRICT,	/* flag: what is not known is dropped */
	MACKEEP_A_ORIG_MARK,	/* u32: nfmark that is asked for, by direction */
	MACKEEP_A_ORIG_MASK,	/* u32: its mask, not 0 */
	MACKEEP_A_REPLY_MARK,
	MACKEEP_A_REPLY_MASK,
	MACKEEP_A_REHEARSE,	/* flag: what it would take is bridged and counted */
	MACKEEP_A_FLOWS,	/* u64: that would have been lifted */
	MACKEEP_A_ID,		/* u32: of a conntrack entry, as "conntrack -o id" */
	MACKEEP_A_REASON,	/* string: the counter's name */
	MACKEEP_A_SECONDS,	/* u32: since then */
	MACKEEP_A_UNTOLD,	/* u32: events that were not told */
	MACKEEP_A_NEXT_HOP,	/* u8: MACKEEP_NEXT_HOP_* */
	MACKEEP_A_ROUTED,	/* flag: DST is not from the client's frames */
	MACKEEP_A_VLAN_PROTO,	/* u16: ETH_P_8021Q or ETH_P_8021AD */

	__MACKEEP_A_MAX,
	MACKEEP_A_MAX = __MACKEEP_A_MAX - 1,
};

#define MACKEEP_SERVICES_MAX	64
#define MACKEEP_GUARDS_MAX	64
#define MACKEEP_GENL_GROUP	"services"
#define MACKEEP_GENL_LEFT	"left"

/* Which of the MACs a policy keeps, and whether those of later frames */
enum {
	MACKEEP_KEEP_BOTH,
	MACKEEP_KEEP_SRC,		/* the destination is as the route has it */
	MACKEEP_KEEP_DST,		/* the source is the device's */
	MACKEEP_KEEP_MAX = MACKEEP_KEEP_DST,
};

enum {
	MACKEEP_REFRESH_LAST,
	MACKEEP_REFRESH_FIRST,
	MACKEEP_REFRESH_MAX = MACKEEP_REFRESH_FIRST,
};

/* Where a flow goes whose client never sent to the server */
enum {
	MACKEEP_NEXT_HOP_LEARNED,	/* the server's own MAC, or the client's router */
	MACKEEP_NEXT_HOP_ROUTE,		/* the next hop of the route */
	MACKEEP_NEXT_HOP_MAX = MACKEEP_NEXT_HOP_ROUTE,
};

/* What becomes of frames that a service does not take */
enum {
	MACKEEP_FAIL_OPEN,		/* they are bridged as they came */
	MACKEEP_FAIL_CLOSED,		/* they are dropped */
	MACKEEP_FAIL_MAX = MACKEEP_FAIL_CLOSED,
};

/* Whether a service takes what is new, and why not; also of a frame */
enum {
	MACKEEP_SERVICE_OPEN,		/* lifted */
	MACKEEP_SERVICE_NOLISTENER,	/* no transparent socket on its port */
	MACKEEP_SERVICE_BACKLOG,	/* it takes nothing, or its queue is full */
	MACKEEP_SERVICE_TABLEFULL,	/* conntrack has hardly any room */
	MACKEEP_SERVICE_BYPASS,		/* BYPASS is set */
	MACKEEP_SERVICE_SETTLING,	/* SETTLE is not over; UDP only */
	MACKEEP_SERVICE_MIDSTREAM,	/* began without the proxy; never a state */
	MACKEEP_SERVICE_REHEARSED,	/* would be lifted; never a state */
	MACKEEP_SERVICE_MAX = MACKEEP_SERVICE_REHEARSED,
};

#endif /* _LINUX_MACKEEP_H */
