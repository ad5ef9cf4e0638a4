#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The proxy goes to another server than its client did: to a fixed one, here. The
# client never sent a frame to that, and the box has neither address nor gateway. The
# packets leave by the router that the client uses, or to the server itself if that is
# a station of the segment, and follow a router that fails over.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- w0 [ port0 br0 port1 ] e0 -- east
#  c2 ..:c2 --+                 ..:b1 ..:b0 ..:b2      +-- rt ..:f1, then ..:f9 -- srv .73, .74
#
# The proxy takes all to S1, but what is for F to L1. Control: without the module the
# box asks in nobody's name who has the server, and tells the client of its failure;
# with --next-hop route nothing connects.
#
# Seen by others: GoSecure/pyrdp issue 204, "Layer 2 transparent proxying" (the bridge
# needs an address where the targets are); mitmproxy/mitmproxy issue 436 (what happens
# if the interface to the Internet has no address).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
. "$(dirname "$0")/../lib/elsewhere.sh" || exit 1
tools frame udp

MAC_R9=02:00:00:00:00:f9

# --- the router -----------------------------------------------------------------------

# c1 has the router's MAC and need not ask, or it has not.
client_knows() # replace|del MAC
{
	must ip -n mk-c1 -batch - <<-LINES
	neigh $1 192.0.2.1 lladdr $2 dev eth0 nud permanent
	neigh $1 2001:db8:1::1 lladdr $2 dev eth0 nud permanent
	LINES
}

# It needs not ask for c1's MAC, which would tell its own.
router_is() # MAC
{
	must ip -n mk-rt -batch - <<-LINES
	link set lan address $1
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev lan nud permanent
	LINES
}

router_says() # MAC
{
	local _

	frame make has $1 192.0.2.1 >"$TMP/says"
	frame make has $1 2001:db8:1::1 >>"$TMP/says"
	for _ in 1 2 3; do
		must ns rt frame send -i lan <"$TMP/says"
	done
}

# --------------------------------------------------------------------------------------

grown() # COUNTER MORE-THAN
{
	[ "$(mackeep_stat box $1)" -gt $2 ]
}

asks() # TITLE
{
	wire_both
	ns box udp send $C1 $S1 >"$TMP/send" 2>&1
	if [ $family = 4 ]; then
		ok "$1: the box asks, and has no address" busywait 10 wire_has east \
			"way == \"from\" && type == \"arp\" && src == \"$MAC_BR\" && daddr == \"$S1\""
		ok "$1: and tells the client that nobody answered" busywait 10 wire_has west \
			"way == \"from\" && proto == \"icmp\" && src == \"$MAC_BR\" && daddr == \"$C1\""
	else
		ok "$1: the box asks" busywait 10 wire_has east \
			"way == \"from\" && proto == \"icmp\" && src == \"$MAC_BR\" && sport == 135"
	fi
	wire_stop
}

watch()
{
	guarded=$(mackeep_stat box guarded)
	wire_both
}

# No frame of the box leaves, nor would any if nothing kept it in.
clean() # TITLE
{
	wire_clean "$1"
	is "$(mackeep_stat box guarded)" $guarded "$1: nor was there one to keep in"
}

nothing() # TITLE
{
	local before

	before=$(mackeep_stat box mute)
	watch
	nok "$1: a request is not answered" ns c1 load get -t 2 $S2
	wire_stop
	cmp_ok "$(mackeep_stat box mute)" -gt $before "$1: for want of a next hop"
	is "$(wire_sum east "way == \"from\" && daddr == \"$S1\"")" 0 "$1: nothing leaves for the other server"
	wire_clean "$1"
	tcp_close box $proxy_pid
	must proxy_quiet
}

# The first one asks for another server that does not exist, and is taken there as well.
second()
{
	local pid

	before=$(mackeep_stat box mute)
	spawn first ns c1 load get $S2
	pid=$spawned
	must busywait 10 grown mute $before
	watch
	ok "$1: the second request is answered" ns c1 load get "$(far OTHER)"
	ok "$1: and the first one, now that two servers are known" wait $pid
	proxy_quiet
	wire_stop
	wire_leg west $S2 $C1 $MAC_R $MAC_C1 2 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 6 "$1: by the router"
	clean "$1"
}

both() # TITLE
{
	watch
	ok "$1: a request is answered" ns c1 load get $S2
	ok "$1: and five datagrams" ns c1 udp talk -n 5 $S2
	proxy_quiet
	wire_stop
	wire_leg west $S2 $C1 $MAC_R $MAC_C1 8 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 8 "$1: by the router"
	clean "$1"
}

# A client that has shown nothing, and says with ARP who its router is
datagram_first() # TITLE
{
	watch
	ok "$1: a datagram is answered" ns c2 udp talk $S2
	wire_stop
	wire_leg east $C2 $S1 $MAC_C2 $MAC_R 1 "$1: by the router"
	clean "$1"
}

station() # TITLE
{
	watch
	ok "$1: a request is answered" ns c1 load get "$(far F)"
	ok "$1: and five datagrams" ns c1 udp talk -n 5 $S2
	proxy_quiet
	wire_stop
	wire_leg west "$(far F)" $C1 $MAC_R $MAC_C1 3 "$1: to the client"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 8 "$1: to the station"
	clean "$1"
}

legs() # TITLE
{
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R9 2 "$1: by the new one"
}

must topo_up
must servers_up
echo_up srv
echo_up l1
web_up l1 80
client_knows replace $MAC_R

each_family asks "no module"

# --- which router ---------------------------------------------------------------------

module_needed
must elsewhere_up
topo_box_marks
topo_box_rules -j MACKEEP --next-hop route
must topo_ip box <<<"neigh flush dev br0"
router_is $MAC_R
each_family nothing "--next-hop route"
topo_box_rules_off
topo_box_rules -j MACKEEP
must ns box mackeep flush
each_family nothing "one server"
is "$(mackeep_stat box router)" 0 "a guess is none"
each_family second "two servers"
cmp_ok "$(mackeep_stat box router)" -ge 4 "these flows are counted"
like "$(ns box conntrack -L 2>/dev/null; ns box mackeep list 2>/dev/null)" "dst=$S1 .*via=router" "and listed"
like "$(ns box mackeep pairs)" "client=$C1 server=$S1 smac=$MAC_C1 dmac=$MAC_R .*routed" "with their pair"

datagrams_up S1
each_family both "TCP and UDP"
must ns box mackeep reload --force
each_family both "reload"
must ns box mackeep flush
ns c2 ip neigh flush dev eth0
each_family datagram_first "a datagram is the first"
udp_proxy_down

# --- a station ------------------------------------------------------------------------

datagrams_up L1
ok "it has been seen, IPv4" ns c2 load get $L1 80
topo_family 6
ok "it has been seen, IPv6" ns c2 load get $L1 80
topo_family 4
each_family station "station"
udp_proxy_down

# --- fail-over ------------------------------------------------------------------------

held_start flow c1 $S2
router_is $MAC_R9
client_knows del $MAC_R
router_says $MAC_R9
ok "announced: the flow goes on" held_grows flow
watch
ok "announced: and on" held_grows flow
wire_stop
legs announced
clean "announced"
held_stop flow

client_knows replace $MAC_R9
router_is $MAC_R
router_says $MAC_R
for family in 4 6; do
	topo_family $family
	S1=$S2
	part_start 3
done
topo_family 4
must busywait 30 parts_there 1
must busywait 30 acknowledged srv box
router_is $MAC_R9
next_part
ok "silent: the next part comes" busywait 20 parts_there 2
ok "silent: and is acknowledged" busywait 20 acknowledged srv
watch
next_part
for name in "${!part_pid[@]}"; do
	ok "silent: all of it came ($name)" wait ${part_pid[$name]}
done
proxy_quiet
wire_stop
each_family legs silent
clean "silent"

net_done
