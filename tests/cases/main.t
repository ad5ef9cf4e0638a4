#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The main job: HAProxy with TPROXY on a bridge, and every frame on both wires
# carries the MACs of client and router; IPv4 and IPv6.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1                        box ..:b0,b1,b2               ..:f1  203.0.113.73
#
# Control: the box as people run it today. Then the module: the box without
# address, gateway and ARP, and the box with all of them.

. "$(dirname "$0")/../lib/net.sh" || exit 1

V6=1
CONNS=20
REQUESTS=200

# What the client does in each of the settings
traffic()
{
	local passive active

	wire_both
	passive=$(box_opens Passive)
	active=$(box_opens Active)
	ok "$1: $REQUESTS requests on $CONNS connections, bytes intact" \
		ns c1 load get -c $CONNS -n $REQUESTS $S1
	ok "$1: a download of $BULK bytes, bytes intact" \
		ns c1 load get -s $BULK -t 60 $S1
	ok "$1: the proxy comes to rest" proxy_quiet
	is "$(($(box_opens Passive) - passive)) $(($(box_opens Active) - active))" \
		"$((CONNS + 1)) $((CONNS + 1))" \
		"$1: every connection went through the proxy"
	wire_stop
}

# Both legs carry the MACs of the two ends.
kept()
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((REQUESTS + CONNS)) \
		"$1: to the client from the router's MAC"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((REQUESTS + CONNS)) \
		"$1: to the router from the client's MAC"
	like "$(wire_flags west $S1 $C1) $(wire_flags east $C1 $S1)" \
		"^F.*S.*\ F.*S" "$1: from the first SYN to the FIN, on both sides"
	cmp_ok "$(wire_sum west 'way == "from" && proto == "tcp"' bytes)" \
		-gt $BULK "$1: the capture has the whole download"
}

today() # TITLE
{
	BULK=5000000
	traffic "$1"
	wire_leg west $S1 $C1 $MAC_BR $MAC_C1 $((REQUESTS + CONNS)) \
		"$1: the client sees the box's MAC instead of the router's"
	wire_leg east $C1 $S1 $MAC_BR $MAC_R $((REQUESTS + CONNS)) \
		"$1: the router sees the box's MAC instead of the client's"
}

bare() # TITLE
{
	BULK=$((family == 4 ? 50000000 : 10000000))
	traffic "$1"
	kept "$1"
	wire_clean "$1"
	for side in west east; do
		wire_shape $side "way == \"from\" && type == \"$IP\"" >"$TMP/bare-$family-$side"
	done
}

addressed() # TITLE
{
	# The router is in the table as if the box had talked to it before.
	ns box ip neigh replace $GW lladdr $MAC_R dev br0 nud stale
	BULK=$((family == 4 ? 50000000 : 10000000))
	traffic "$1"
	kept "$1"
	wire_clean "$1" "proto == \"tcp\""
	for side in west east; do
		is "$(wire_shape $side 'way == "from" && proto == "tcp"')" \
			"$(grep " $IP .* tcp " "$TMP/bare-$family-$side")" \
			"$1: the same frames as without an address, $side"
	done
}

must topo_up
must servers_up
must proxy_up

# --- control ----------------------------------------------------------------

today_up
each_family today "no module"
today_down

# --- no address, no gateway, no ARP, no NDP -----------------------------------

kept_up
is "$(ns box ip neigh show)" "" "bare: the box knows no neighbour before"
each_family bare "bare"
is "$(ns box ip neigh show)" "" "bare: the box knows no neighbour after"

# --- with address, routes and live ARP and NDP ----------------------------------

topo_box_addressed
each_family addressed "addressed"

net_done
