#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --strict on a bridge in a VRF: packets from the box's own addresses leave, those
# from other addresses do not. The box's own are those in the VRF's table.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                       vrf0: br0 192.0.2.5                 ..:80
#
# Seen by others: local addresses of a VRF are not in table local (FRR pull request
# 8741, sonic-swss pull request 1557).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

box_address()
{
	if [ $family = 6 ]; then
		OWN=2001:db8:1::5 GHOST=2001:db8:1::99
	else
		OWN=192.0.2.5 GHOST=192.0.2.99
	fi
}

own() # TITLE
{
	local t=$1

	box_address
	wire_both
	like "$(ns c1 timeout 10 bash -c ": </dev/tcp/$OWN/9" 2>&1)" "refused" \
		"$t: a reset for a closed port"
	like "$(ns c1 udp talk -t 10 $OWN 9 2>&1)" "refused" \
		"$t: an ICMP error for another"
	ok "$t: a datagram of the box's own" ns box udp send -f $OWN $L1 9
	wire_stop
	wire_leg west $OWN $C1 $MAC_BR $MAC_C1 2 "$t: both from the box to the client"
	wire_leg east $OWN $L1 $MAC_BR $MAC_L1 1 "$t: and the datagram to the server"
}

foreign() # TITLE COUNT
{
	local t=$1

	box_address
	wire_both
	ns box udp send $GHOST $L1 9 >/dev/null 2>&1
	wire_stop
	is "$(wire_sum east "way == \"from\" && saddr == \"$GHOST\"")" $2 \
		"$t: $2 frames in another's name"
}

must topo_up
must topo_ip box <<-LINES
	link add vrf0 type vrf table 10
	link set vrf0 up
	link set br0 master vrf0
	addr add 192.0.2.5/24 dev br0
	addr add 2001:db8:1::5/64 dev br0 nodad
	addr add fe80::b0/64 dev br0 nodad
	route replace default dev br0 table 10
	route replace ::/0 dev br0 table 10
	route replace default dev br0
	route replace ::/0 dev br0
	neigh replace 192.0.2.80 lladdr $MAC_L1 dev br0 nud permanent
	neigh replace 2001:db8:1::80 lladdr $MAC_L1 dev br0 nud permanent
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev br0 nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev br0 nud permanent
LINES

each_family own "no module"
each_family foreign "no module" 1

module_needed
must ns box sysctl -qw net.netfilter.mackeep_neigh=0
topo_box_rules -p tcp --dport 443 -j MACKEEP
each_family own "not strict"
each_family foreign "not strict" 1
topo_box_rules_off
topo_box_rules -p tcp --dport 443 -j MACKEEP --strict
each_family own "strict"
is "$(mackeep_stat box strict)" 0 "strict: none of these is dropped"
each_family foreign "strict" 0
is "$(mackeep_stat box strict)" 2 "strict: those are, and counted"

topo_box_rules_off
net_done
