/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The counters, in the order of the columns of /proc/net/stat/mackeep.
 * xt_MACKEEP(8) describes each; a test compares the two lists. Included more
 * than once, each time with another meaning of MACKEEP_STAT().
 */

/* what was learned */
MACKEEP_STAT(saved)		/* flows whose MACs were saved from a frame */
MACKEEP_STAT(refreshed)		/* flows whose frames showed other MACs */
MACKEEP_STAT(moved)		/* MACs that others took over, as ARP or frames show */
MACKEEP_STAT(restored)		/* records written through ctnetlink */
MACKEEP_STAT(fed)		/* clients put into the neighbour table */

/* flows of the proxy's own, by where their MACs came from */
MACKEEP_STAT(pair)		/* same client, same server */
MACKEEP_STAT(reverse)		/* client and server swapped */
MACKEEP_STAT(client)		/* same client, any server: source MAC only */
MACKEEP_STAT(router)		/* the server is another: by the client's router */
MACKEEP_STAT(neigh)		/* neighbour table: source MAC only */
MACKEEP_STAT(norecord)		/* packets kept by pair, flow has no record */
MACKEEP_STAT(unknown)		/* packets about which nothing is known */

/* packets */
MACKEEP_STAT(orig)		/* rewritten, original direction */
MACKEEP_STAT(reply)		/* rewritten, reply direction */
MACKEEP_STAT(slow)		/* of both, those that took the slow path */
MACKEEP_STAT(direct)		/* of both, those sent past the bridge to its port */
MACKEEP_STAT(rule)		/* kept under another rule: theirs is gone */
MACKEEP_STAT(lasthop)		/* sent back without a route, --last-hop */
MACKEEP_STAT(steered)		/* sent by their flow's device, not by the route's */
MACKEEP_STAT(lifted)		/* frames taken off a bridge by their mark */
MACKEEP_STAT(lifted_sock)	/* frames taken off a bridge for their socket */
MACKEEP_STAT(lifted_frag)	/* frames taken off to follow a first fragment */
MACKEEP_STAT(straight)		/* of these, those that went past the bridge */
MACKEEP_STAT(ownport)		/* copies not flooded to the source's own port */
MACKEEP_STAT(isolated)		/* copies not sent from one isolated port to another */
MACKEEP_STAT(guarded)		/* frames with a MAC of the box that a guard dropped */

/* packets left to the stack, by reason */
MACKEEP_STAT(mark)		/* nfmark does not match the rule's */
MACKEEP_STAT(device)		/* leaves by another device than learned on */
MACKEEP_STAT(nohop)		/* --last-hop: device down, no IPv6, or no forwarding */
MACKEEP_STAT(nosteer)		/* dropped: the device of their flow is down */
MACKEEP_STAT(routed)		/* answers that this box routes, as a router */
MACKEEP_STAT(own)		/* its h_dest would be this box */
MACKEEP_STAT(noneigh)		/* next hop's MAC is being resolved */
MACKEEP_STAT(mute)		/* dropped: nothing known, and no address to ask from */
MACKEEP_STAT(strict)		/* dropped instead, as --strict says */
MACKEEP_STAT(xfrm)		/* IPsec or a lightweight tunnel takes it */
MACKEEP_STAT(untagged)		/* dropped: the tag is known, the MACs are not */
MACKEEP_STAT(toobig)		/* over the MTU and not to be fragmented */

/* packets a rule could do nothing for, by reason */
MACKEEP_STAT(noether)		/* came without a unicast Ethernet header */
MACKEEP_STAT(untracked)		/* conntrack does not track it */
MACKEEP_STAT(invalid)		/* conntrack says it is of no flow: not learned */
MACKEEP_STAT(proto)		/* neither TCP nor UDP */
MACKEEP_STAT(helper)		/* flow has a conntrack helper of its own */
MACKEEP_STAT(late)		/* flow was there before the rule */
MACKEEP_STAT(novlan)		/* tagged frame, no such VLAN device on the bridge */
MACKEEP_STAT(nolift)		/* frames that the bridge had no way to pass up */
MACKEEP_STAT(twin)		/* frames of a client whose address another VLAN has */
MACKEEP_STAT(qinq)		/* frames with two tags */
MACKEEP_STAT(pppoe)		/* frames of PPPoE sessions */
MACKEEP_STAT(mpls)		/* frames with MPLS labels */

/* tables and memory */
MACKEEP_STAT(pair_evicted)	/* pairs pushed out by newer ones */
MACKEEP_STAT(pair_full)		/* pairs not learned: all in use */
MACKEEP_STAT(pair_refused)	/* MACs not believed: frames with others live */
MACKEEP_STAT(steer_full)	/* pairs that steering misses: on too many devices */
MACKEEP_STAT(badinfo)		/* malformed records refused from ctnetlink */
MACKEEP_STAT(nomem)		/* allocations that failed */
MACKEEP_STAT(dropped)		/* packets lost for want of memory */
