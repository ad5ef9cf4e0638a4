#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Frames of kept flows go past the bridge, to the port that it would send them by, unless
# something on the bridge would see them or do something to them: then it does.
#
#  c1 192.0.2.31 --- west --- [ port0  br0  port1 ] --- east --- rt --- srv .73
#     ..:c1                          port2 (a dummy)
#
# Control: the same frames are counted as direct while nobody looks.
#
# Seen by others, of nft's flowtables, which send to a port as well:
# openwrt/openwrt pull request 25174 (a host that moves to another port gets nothing
# there while the flow lives), tohojo/sqm-scripts pull request 193 (what is offloaded
# never reaches a queue again), openwrt/openwrt issue 17942 (the bridge does not count
# it).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/past.sh" || exit 1
need tc bridge

past=direct

seen_by_qdisc()
{
	ns box tc -s qdisc show dev br0 | awk '$1 == "Sent" { print $4; exit }'
}

seen_by_filter()
{
	ns box tc -s filter show dev br0 egress | awk '$1 == "Sent" { print $4; exit }'
}

dummy_sent() # MORE-THAN
{
	[ "$(sent_by port2)" -gt "$1" ]
}

looked_at() # TITLE
{
	must held_start flow c1 -s 3000 -w 5 $S1
	ok "$1: frames go past the bridge" busywait 60 goes past

	must ns box tc qdisc add dev br0 root pfifo limit 1000
	while_there "$1, a queue" seen_by_qdisc must ns box tc qdisc del dev br0 root

	must ns box tc qdisc add dev br0 clsact
	must ns box tc filter add dev br0 egress matchall action ok
	while_there "$1, a filter" seen_by_filter must ns box tc qdisc del dev br0 clsact

	chain_up bridge output
	while_there "$1, bridge output" seen_by_nft chain_down
	chain_up bridge postrouting
	while_there "$1, bridge postrouting" seen_by_nft chain_down
	if printf '%s\n' 5.16 "$(uname -r)" | sort -CV; then
		chain_up netdev "egress device br0"
		while_there "$1, netdev egress" seen_by_nft chain_down
	fi

	must modprobe br_netfilter
	ok "$1, br_netfilter: frames go through the bridge" busywait 60 goes through
	must modprobe -r br_netfilter
	ok "$1, br_netfilter: past it when it is gone" busywait 60 goes past

	wire_start tap box br0
	ok "$1, a packet socket: frames go through the bridge" busywait 60 goes through
	must held_grows flow 10
	wire_stop tap
	cmp_ok "$(wire_sum tap 'way == "to" && proto == "tcp"')" -ge 20 \
		"$1, a packet socket: it is given the frames"
	ok "$1, a packet socket: past it when it is gone" busywait 60 goes past
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

# Where the FDB says that the server is, without a word to anybody
moved() # TITLE
{
	local sent

	must held_start flow c1 -s 3000 -w 5 $S1
	ok "$1: frames go past the bridge" busywait 60 goes past
	sent=$(sent_by port2)
	must bridge -n mk-box fdb replace $MAC_R dev port2 master static
	ok "$1: what is sent goes to its new port" busywait 60 dummy_sent $((sent + 2))
	must bridge -n mk-box fdb replace $MAC_R dev port1 master dynamic
	ok "$1: and to the old one" held_grows flow 2
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

port_state() # STATE
{
	must bridge -n mk-box link set dev port0 state $1
}

# The port of a client, who is sent to all the time, does not forward. Without STP, nothing
# but this is left as it was set.
blocked() # TITLE
{
	must held_start flow c1 -t 200 -s 3000000 $S1
	ok "$1: frames go past the bridge" busywait 60 goes past
	port_state disabled
	# Until the bridge has said so, which a work does
	ok "$1: nothing leaves by that port" busywait 60 west_still
	port_state forwarding
	ok "$1: and again when it forwards" held_grows flow 2
	ok "$1: past the bridge" busywait 60 goes past
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

sent_again() # MORE-THAN
{
	[ "$(mackeep_stat box reply)" -gt "$1" ]
}

# TCP sends again, and that does not leave. New frames of the server are not lifted then.
west_still()
{
	local sent

	sent=$(sent_by port0)
	busywait 60 sent_again "$(mackeep_stat box reply)" &&
		[ "$(sent_by port0)" -eq "$sent" ]
}

must topo_up
must servers_up
must topo_ip box <<-LINES
	link add port2 type dummy
	link set port2 master br0 up
LINES
must proxy_up
kept_up
# Before 5.19 conntrack keeps events for every flow, which keep it off the fast path.
topo_sysctl box net.netfilter.nf_conntrack_events=0
each_family looked_at "kept"
each_family counted "counted" 40 from sent_by br0
each_family moved "moved"
each_family blocked "blocked"

net_done
