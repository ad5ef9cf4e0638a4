#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two clients and four servers, two of which are on the clients' own subnet:
# each frame carries the MACs of its own pair and none another's, with ports
# that differ between the legs and with the client's own port.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east -- l2 192.0.2.81 ..:81
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73, .74
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1

REQUESTS=6
CLIENTS="c1:$C1:$MAC_C1 c2:$C2:$MAC_C2"
SERVERS="$S1:$MAC_R $S2:$MAC_R $L1:$MAC_L1 $L2:$MAC_L2"

# Everybody to everybody at once
traffic() # TITLE
{
	local client name server pids=() failed=0 pid passive

	passive=$(box_opens Passive)
	for client in $CLIENTS; do
		name=${client%%:*}
		for server in $SERVERS; do
			spawn get-$name-${server%%:*} ns $name load get -c 2 \
				-n $REQUESTS -s 20000 ${server%%:*}
			pids+=("$spawned")
		done
	done
	for pid in "${pids[@]}"; do
		wait $pid || failed=$((failed + 1))
	done
	is $failed 0 "$1: all clients get what they ask from all servers"
	ok "$1: the proxy comes to rest" proxy_quiet
	is $(($(box_opens Passive) - passive)) 16 \
		"$1: every connection went through the proxy"
	wire_stop
}

# All legs, and that there is nothing else
kept() # TITLE
{
	local client server name addr mac saddr smac side

	for client in $CLIENTS; do
		name=${client%%:*} mac=${client#*:}
		addr=${mac%%:*} mac=${mac#*:}
		for server in $SERVERS; do
			saddr=${server%%:*} smac=${server#*:}
			wire_leg west $saddr $addr $smac $mac $REQUESTS \
				"$1: $saddr to $name"
			wire_leg east $addr $saddr $mac $smac $REQUESTS \
				"$1: $name to $saddr"
		done
	done
	wire_clean "$1"
	for side in west east; do
		is "$(wire_sum $side 'way == "from" && proto == "tcp"' 1)" 8 \
			"$1: the box sends nothing but these legs, $side"
	done
}

must topo_up
must servers_up
must proxy_up

today_up
wire_both
traffic "no module"
own=$(wire_own 'proto == "tcp"')
all=$(($(wire_sum west 'way == "from" && proto == "tcp"') +
	$(wire_sum east 'way == "from" && proto == "tcp"')))
cmp_ok "$own" -gt 100 "no module: the box's own MAC is on the wire"
is "$own" "$all" "no module: on every frame"
today_down

kept_up
wire_both
traffic "ports differ"
kept "ports differ"

# Both connections of a session are one conntrack entry.
proxy_down
must proxy_up tcp client
topo_box_remembers
ns box conntrack -F 2>/dev/null
wire_both
traffic "same port"
kept "same port"
is "$(ns box conntrack -L -p tcp --dport 443 2>/dev/null | grep -c helper=mackeep)" 16 \
	"same port: an entry for each session, not for each leg"

net_done
