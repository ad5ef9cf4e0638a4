#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Stations come and go on the bridge all the time. Flows of others stay on the fast path;
# a flow whose station is forgotten, or moves to another port, looks again with its next
# packet, and nothing leaves by that station's own port. Flows of others stay on the fast
# path then, too, and while stations say that they have another MAC.
#
#  c1 192.0.2.31 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80 ..:80
#  c2 192.0.2.32 ..:c2 --- west                             east --- l2 192.0.2.81 ..:81
#
# Control: the flow's own stations.
#
# Seen by others: openvswitch/ovs pull request 287 (flows that are looked at again send
# all that follows the slow way); ovn-kubernetes/ovn-kubernetes pull request 5334 (what
# is for a station that the FDB does not know is flooded); openshift/openshift-sdn pull
# request 254 (the entry of a silent station ends before its neighbours forget it).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge mackeep
tools frame

CHANGES=8

fdb()
{
	must bridge -n mk-box fdb "$@"
}

# CHANGES times COMMAND with a number in place of @, and a request after each; the
# packets that took the slow path meanwhile are in $slow.
while_changing() # COMMAND...
{
	local i

	slow=$(mackeep_stat box slow)
	for ((i = 0; i < CHANGES; i++)); do
		"${@//@/$(printf %02x $i)}"
		must held_grows flow 1
	done
	slow=$(($(mackeep_stat box slow) - slow))
}

come_and_go() # NUMBER
{
	fdb add 02:00:00:00:0f:$1 dev port1 master static
	fdb del 02:00:00:00:0f:$1 dev port1 master
}

own()
{
	fdb replace $MAC_C1 dev port0 master static
	fdb del $MAC_C1 dev port0 master
}

traffic() # TITLE
{
	must held_start flow c1 -s 3000 -w 5 $L1
	while_changing come_and_go @
	cmp_ok $slow -lt $((CHANGES / 2)) "$1: other stations: the flows stay on the fast path"
	wire_both
	while_changing own
	wire_stop
	cmp_ok $slow -ge $CHANGES "$1: their own: they look again each time"
	is "$(wire_sum west "way == \"from\" && src == \"$MAC_C1\"")" 0 \
		"$1: nothing in c1's name leaves by its own port"
	wire_clean "$1"
	ok "$1: no request failed" held_stop flow
	proxy_quiet
}

# Somebody says that he has another MAC, and then that he has his own.
says() # NAMESPACE ADDR MAC
{
	local mac

	for mac in 02:00:00:00:00:ce $3; do
		frame make has $mac $2
	done | must ns $1 frame send -i eth0
}

# COMMAND is about a flow of c1 to l2, which rests meanwhile, and only c2's is counted.
beside() # TITLE COMMAND...
{
	local i slow=0 before

	must held_start flow c1 -s 3000 -w 5 $L2
	must held_start other c2 -s 3000 -w 5 $L1
	for ((i = 0; i < CHANGES; i++)); do
		must kill -STOP "${held_pid[flow]}"
		must held_grows other 3
		before=$(mackeep_stat box slow)
		"${@:2}"
		must held_grows other 3
		slow=$((slow + $(mackeep_stat box slow) - before))
		must kill -CONT "${held_pid[flow]}"
		must held_grows flow 3
	done
	cmp_ok $slow -lt $((CHANGES / 2)) "$1: the flows of others stay on the fast path"
	ok "$1: no request failed" held_stop flow
	ok "$1: nor one of the other client" held_stop other
	proxy_quiet
}

must topo_up
web_up l1
web_up l2
must proxy_up
kept_up
# Before 5.19 conntrack keeps events for every flow, which keep it off the fast path.
topo_sysctl box net.netfilter.nf_conntrack_events=0
each_family traffic "kept"
others() # TITLE
{
	beside "$1, a client moves" own
	beside "$1, a client says so" says c1 $C1 $MAC_C1
	beside "$1, a server says so" says l2 $L2 $MAC_L2
}
each_family others "kept"

net_done
