#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A rule that takes only what clients send (--dport), and a connection so long
# idle that conntrack and the pair cache have both forgotten it. Then the server
# speaks first: no frame of the proxy may carry the box's MAC, and the connection
# goes on. The test waits most of the time.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1                        box ..:b0,b1,b2             ..:f1
#
# Control: without the module it goes on as well, with the box's MACs.
#
# Seen by others: cilium issue 2697, "CT entries are removed/reset every 5
# minutes", where connections without traffic for so long get stuck; opnsense
# core issue 6445, "More favorable/natural handling of stale TCP connections".
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1

# Conntrack and the pair cache are empty.
forgotten()
{
	[ -z "$(ns box conntrack -L -p tcp 2>/dev/null; ns box conntrack -f ipv6 -L -p tcp 2>/dev/null
		! module_loaded || ns box mackeep pairs 2>/dev/null)" ]
}

# The server sends the second part, once all is forgotten.
server_first() # TITLE
{
	parts_start 2
	ok "$1: conntrack and the pair cache have forgotten the connections" \
		busywait 60 forgotten
	wire_both
	next_part
	each_family comes "$1"
	tcp_close srv
	must busywait 30 tcp_idle box
	wire_stop
}

comes() # TITLE
{
	local pid=${part_pid[get$family]}

	busywait 15 ended $pid || given_up $pid
	ok "$1: the server's part comes, all bytes intact" wait $pid
}

# The box's connections go first, while all of them are still open.
given_up() # PID
{
	tcp_close box $proxy_pid
	kill $1
}

ended() # PID
{
	! kill -0 $1 2>/dev/null
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 3 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 3 "$1: to the router"
}

# A rule for one direction, as people write it; "mackeep up" makes another.
narrow() # [-j MACKEEP [OPTION...]]
{
	topo_box_rules ${1:+-p tcp --dport 443 "$@"}
}

must topo_up
web_up srv
must proxy_up
must modprobe nf_conntrack
topo_sysctl box net.netfilter.nf_conntrack_tcp_timeout_established=6 \
	net.netfilter.nf_conntrack_tcp_timeout_{fin_wait,close_wait,last_ack,time_wait,close}=6

# --- control ----------------------------------------------------------------------------

topo_box_addressed
narrow
# The box tracks nothing until a rule uses conntrack.
for tables in iptables ip6tables; do
	must ns box $tables -t mangle -I PREROUTING -m conntrack --ctstate INVALID
done
topo_box_broute
server_first "no module"
plain() # TITLE
{
	wire_leg east $C1 $S1 $MAC_BR $MAC_R 3 "$1: the router is answered, by the box"
}
each_family plain "no module"
today_down

module_needed
must ns box sysctl -qw net.netfilter.mackeep_pair_timeout=16
topo_box_marks

# --- the rule, and with --strict, which "mackeep check" names as the mend -------------------

narrow -j MACKEEP
server_first narrow
each_family legs narrow
wire_clean narrow

narrow -j MACKEEP --strict
server_first strict
each_family legs strict
wire_clean strict

net_done
