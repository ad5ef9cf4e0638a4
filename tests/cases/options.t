#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --keep, --refresh, --strict and the neighbour table as a source, with a
# datagram proxy and with datagrams that the box sends in another's name.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                        box ..:b0,b1,b2               ..:80

TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need socat
tools udp

GHOST=192.0.2.99
NEW=02:00:00:00:00:ce

rule() # OPTION...
{
	topo_box_rules_off
	topo_box_rules -j MACKEEP "$@"
}

talk() # DESCRIPTION
{
	wire_both
	ok "$1: datagrams answered" ns c1 udp talk -n 5 $L1
	wire_stop
}

# From an address that no frame came from
ghost()
{
	ns box socat -u - "UDP4-SENDTO:$L1:9,bind=$GHOST,ip-transparent" <<<boo
}

# Datagrams that came to the server for a port nobody has
no_ports()
{
	ns l1 awk '/^Udp:/ { n = $3 } END { print n }' /proc/net/snmp
}

arrived() # BEFORE
{
	[ "$(no_ports)" != "$1" ]
}

must topo_up
echo_up l1

# --- control: without the module a foreign address shows the box's MAC --------------

must ip -n mk-box neigh replace $L1 lladdr $MAC_L1 dev br0 nud permanent
before=$(no_ports)
wire_both
ok "no module: a datagram from a foreign address" ghost
ok "no module: it arrives" busywait 10 arrived "$before"
wire_stop
wire_leg east $GHOST $L1 $MAC_BR $MAC_L1 1 "no module: from the box's MAC"

kept_up
udp_proxy_up

# --- strict -------------------------------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_neigh=0
before=$(no_ports)
wire_both
ok "not strict: a datagram from a foreign address" ghost
ok "not strict: it arrives" busywait 10 arrived "$before"
wire_stop
wire_leg east $GHOST $L1 $MAC_BR $MAC_L1 1 "not strict: as the stack sends it"
cmp_ok "$(mackeep_stat box unknown)" -ge 1 "not strict: counted as unknown"
is "$(mackeep_stat box strict)" 0 "not strict: nothing is dropped"

rule --strict
ns box conntrack -F 2>/dev/null
wire_both
ghost 2>/dev/null
ok "strict: it is dropped" busywait 10 eval '[ "$(mackeep_stat box strict)" -ge 1 ]'
talk_ok=$(ns c1 udp talk -n 5 $L1)
is "$talk_ok" "done 5 failed 0" "strict: what is known is sent"
wire_stop
is "$(wire_sum east "saddr == \"$GHOST\"")" 0 "strict: and seen by nobody"
is "$(wire_own 'type == "ip"')" 0 "strict: no IP frame with a MAC of the box"

# --- the neighbour table ---------------------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_neigh=1
must ip -n mk-box neigh replace $GHOST lladdr $NEW dev br0 nud permanent
ns box conntrack -F 2>/dev/null
before=$(no_ports)
wire_both
ok "neighbour: a datagram from a foreign address" ghost
ok "neighbour: it arrives" busywait 10 arrived "$before"
wire_stop
wire_leg east $GHOST $L1 $NEW $MAC_L1 1 "neighbour: from the MAC that has the address"
cmp_ok "$(mackeep_stat box neigh)" -ge 1 "neighbour: counted"

# --- keep -------------------------------------------------------------------------------

rule --keep dst
talk "keep dst"
wire_leg west $L1 $C1 $MAC_BR $MAC_C1 5 "keep dst: to the client from the device's MAC"
wire_leg east $C1 $L1 $MAC_BR $MAC_L1 5 "keep dst: to the server from the device's MAC"

# The next hop gets another MAC than the client used: the wire shows which is taken.
rule --keep src
must ip -n mk-box neigh replace $C1 lladdr $MAC_C1 dev br0 nud permanent
must ip -n mk-box neigh replace $L1 lladdr $NEW dev br0 nud permanent
wire_both
ns c1 udp talk -n 3 -t 1 $L1 >/dev/null 2>&1
wire_stop
wire_leg east $C1 $L1 $MAC_C1 $NEW 3 "keep src: to the server as the route has it"
must ip -n mk-box neigh replace $L1 lladdr $MAC_L1 dev br0 nud permanent
talk "keep src"
wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 5 "keep src: to the client from the server's MAC"
wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 5 "keep src: to the server from the client's MAC"

# --- refresh ----------------------------------------------------------------------------

rule --refresh first
talk "first"
wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 5 "first: to the MAC that the client has"
must ip -n mk-c1 link set eth0 address $NEW
must ip -n mk-c1 neigh replace $L1 lladdr $MAC_L1 dev eth0 nud permanent
wire_both
ns c1 udp talk -n 2 -t 1 $L1 >/dev/null 2>&1
wire_stop
wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 2 "first: another MAC, the old one is kept"

rule
talk "last"
wire_leg west $L1 $C1 $MAC_L1 $NEW 5 "last: to the MAC that the client has now"
wire_leg east $C1 $L1 $NEW $MAC_L1 5 "last: from the MAC that the client has now"

net_done
