#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Path-MTU discovery of the upstream leg. The router's "fragmentation needed"
# is addressed to the client, IP and MAC, and has to reach the proxy's socket.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 ===== srv .73
#                                                          MTU 1400
#
# Control: the way of today does not bring ICMP to the box, and uploads never end.

. "$(dirname "$0")/../lib/net.sh" || exit 1

V6=1
UPLOAD=200000

# Condition for the router's message in a capture
too_big()
{
	needed='proto == "icmp" && sport == 3 && dport == 4'
	[ $family = 4 ] || needed='type == "ip6" && proto == "icmp" && sport == 2'
}

today() # TITLE
{
	too_big
	wire_both
	ok "$1: a small request" ns c1 load get $S1
	nok "$1: an upload never ends" ns c1 load get -u $UPLOAD -t 4 $S1
	wire_stop
	cmp_ok "$(wire_sum east "way == \"to\" && $needed")" -ge 1 \
		"$1: the router did say that it is too big"
	cmp_ok "$(wire_sum west "way == \"from\" && $needed")" -ge 1 \
		"$1: to the client, who knows of no such packet"
}

discovered() # TITLE
{
	local lifted

	too_big
	lifted=$(mackeep_stat box lifted_sock)
	wire_both
	ok "$1: an upload comes through, bytes intact" ns c1 load get -u $UPLOAD $S1
	ok "$1: and more, on several connections" \
		ns c1 load get -o -c 3 -n 6 -u $UPLOAD $S1
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	cmp_ok "$(mackeep_stat box lifted_sock)" -gt "$lifted" \
		"$1: frames were lifted for their socket"
	cmp_ok "$(wire_sum east "way == \"to\" && $needed")" -ge 1 \
		"$1: the router said that it is too big"
	is "$(wire_sum west "way == \"from\" && $needed")" 0 \
		"$1: the client was told nothing: it did nothing wrong"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 20 "$1: client leg kept"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 20 "$1: upstream leg kept"
	wire_clean "$1"
}

# An ICMP error about a flow that is not proxied goes to the client.
unproxied() # TITLE
{
	too_big
	wire_both
	ok "$1: an upload comes through" \
		ns c1 load get -u $UPLOAD $S1 80
	wire_stop
	cmp_ok "$(wire_sum west "way == \"from\" && $needed && src == \"$MAC_R\"")" \
		-ge 1 "$1: the client was told, by the router"
}

must topo_up
must servers_up
web_up srv 80
must proxy_up
must ip -n mk-rt link set wan mtu 1400
# The servers do not know of it: their MSS is that of an MTU of 1500.

today_up
each_family today "no module"
# While the box has an address: a reset without a neighbour becomes an ICMP error.
ns box ss -K -t >/dev/null
proxy_quiet
today_down

kept_up
each_family discovered "module"
each_family unproxied "not proxied"

net_done
