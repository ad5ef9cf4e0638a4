#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lifted frames go straight up, without the bridge, when it could only pass them up once
# more. It does all the rest: who looks at what it passes up sees them, it counts them,
# and its FDB has each station where its last frame came in.
#
#  c1 192.0.2.31 --- west --- [ port0  br0  port1 ] --- east --- rt --- srv .73
#     ..:c1
#
# Control: the same frames are counted as straight while nothing keeps them from it.
#
# Seen by others, of what goes past a bridge: openwrt/openwrt issue 11650 (a station that
# goes elsewhere and comes back gets nothing until the FDB forgets it),
# freifunk-gluon/gluon issue 1121 (what a port is not to learn keeps stations where they
# are no more), openwrt/openwrt issue 13457 (the bridge counts 91 MB of 26 GB),
# metal-stack/firewall-controller issue 15 (counters of rules stand still).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/past.sh" || exit 1
need bridge mackeep
tools frame

past=straight

got_more() # DEVICE THAN
{
	[ "$(got_by "$1")" -gt "$2" ]
}

# What is in front of the bridge, or behind it, sees them in any case.
looked_at() # TITLE
{
	local title

	must held_start flow c1 -s 3000 -w 5 $S1
	ok "$1: frames go past the bridge" busywait 60 goes past

	chain_up bridge input
	while_there "$1, bridge input" seen_by_nft chain_down
	chain_up bridge prerouting
	title="$1, bridge prerouting"
	counts seen_by_nft
	ok "$1, bridge prerouting: frames go past the bridge" busywait 60 goes past
	chain_down

	wire_start tap box br0
	must held_grows flow 10
	ok "$1, a packet socket: frames go past the bridge" busywait 60 goes past
	wire_stop tap
	cmp_ok "$(wire_sum tap "way == \"from\" && proto == \"tcp\" && src == \"$MAC_C1\" && dst == \"$MAC_R\"")" \
		-ge 10 "$1, a packet socket: it is given the frames as they came"

	must modprobe br_netfilter
	topo_sysctl box net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
	ok "$1, br_netfilter: the flow goes on" held_grows flow 10
	topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
	must modprobe -r br_netfilter
	ok "$1, br_netfilter: past the bridge when it is gone" busywait 60 goes past
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

# --- what the bridge has learned ------------------------------------------------------

# Seconds since the bridge saw c1
seen_before()
{
	bridge -n mk-box -s fdb show br br0 |
		sed -n "s|^$MAC_C1 dev port0 .*used [0-9]*/\([0-9]*\) .*|\1|p"
}

seen_lately()
{
	local age

	age=$(seen_before)
	[ "${age:-99}" -lt 3 ]
}

# An entry that nothing refreshes is older than that in the end, and then forgotten.
refreshed() # TITLE
{
	must held_start flow c1 -s 3000 -w 5 $S1
	ok "$1: frames go past the bridge" busywait 60 goes past
	pause 4
	ok "$1: the bridge still sees the client" busywait 20 seen_lately
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

behind() # PORT
{
	bridge -n mk-box fdb show br br0 | has "^$MAC_C1 dev $1 "
}

# COUNT frames of c1, of no connection; how many were lifted is in $lifted.
sends() # COUNT
{
	local got i

	lifted=$(mackeep_stat box lifted)
	for ((i = 0; i < $1; i++)); do
		got=$(got_by port0)
		must ns c1 frame send -i eth0 <"$TMP/frame"
		must busywait 20 got_more port0 "$got"
	done
	lifted=$(($(mackeep_stat box lifted) - lifted))
}

client_frame()
{
	frame make ack $MAC_C1 $MAC_R $C1 $S1 4000 443 >"$TMP/frame"
}

# c1 is seen at another port, where nothing else comes from, and goes on at its own.
came_back() # TITLE
{
	local i straight lost=0

	client_frame
	frame make udp $MAC_C1 02:00:00:00:00:99 $C1 $C2 4000 80 >"$TMP/elsewhere"
	straight=$(went_past)
	for i in {1..15}; do
		sends 3
		must ns l1 frame send -i eth0 <"$TMP/elsewhere"
		must busywait 20 behind port1
		sends 1
		busywait 2 behind port0 || lost=$((lost + 1))
	done
	cmp_ok $(($(went_past) - straight)) -ge 15 "$1: frames go past the bridge"
	is $lost 0 "$1: its first frame tells the bridge where it is"
}

# --- what the bridge does not take ------------------------------------------------------

stays() # COUNT
{
	sends 3
	[ $lifted -eq "$1" ]
}

port0()
{
	must ns box ip link set port0 type bridge_slave "$@"
}

# A port that only learns; that is said by a work.
learning() # TITLE
{
	client_frame
	ok "$1: frames are lifted" stays 3
	port0 state 2
	ok "$1: none of a port that does not forward" busywait 60 stays 0
	port0 state 3
	ok "$1: again when it does" busywait 60 stays 3
}

# A port of which only stations may send that the FDB knows
locked() # TITLE
{
	client_frame
	ok "$1: frames are lifted" stays 3
	port0 locked on
	must bridge -n mk-box fdb del $MAC_C1 dev port0 master
	ok "$1: none of a station that is not known" stays 0
	must bridge -n mk-box fdb replace $MAC_C1 dev port0 master static
	ok "$1: of one that is" stays 3
	must bridge -n mk-box fdb del $MAC_C1 dev port0 master
	ok "$1: none when it is known no more" stays 0
	port0 locked off
	ok "$1: of all when it is not locked" stays 3
}

# Both ways, as the tool sets the bridge up
both() # TITLE
{
	must held_start flow c1 -s 3000 -w 5 $S1
	for past in straight direct; do
		ok "$1: frames go past the bridge, $past" busywait 60 goes past
	done
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

must topo_up
must servers_up
must proxy_up
kept_up
each_family looked_at "lifted"
each_family counted "counted" 20 to got_by br0
each_family refreshed "refreshed"
each_family came_back "came back"
each_family learning "learning"
each_family locked "locked"

topo_box_rules_off
must ns box nft delete table bridge mackeep
topo_box_unrouted
must ns box mackeep up --bridge br0 --tcp 443 --to $PROXY_PORT
# Before 5.19 conntrack keeps events for every flow, which keep it off the fast path.
topo_sysctl box net.netfilter.nf_conntrack_events=0
each_family both "mackeep up"
must ns box mackeep down br0

net_done
