#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bridge is deleted and made again, with the same name and MAC, as a restart
# of the network does it: under transfers, and while connections are idle. They
# go on, and no frame carries a MAC of the box.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1                            twice                   ..:f1
#
# Control: without the module they go on as well, with the box's MACs.
#
# Seen by others: ganeti issue 336, "Network restart fails to bring up tap
# devices (bridged network)"; shakenfist issue 289, "Recreating bridges does not
# reconnect VM's"; incus-os issue 687, where a change of VLANs does the same.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1

BULK=40000000

bulk_start()
{
	spawn get$family ns c1 load get -s $BULK -t 40 $S1
	part_pid[get$family]=$spawned
}

# Bytes that came to c1 until now
arrived()
{
	ns c1 awk '$1 == "eth0:" { printf "%d\n", $2 }' /proc/net/dev
}

arrived_past() # BYTES
{
	[ "$(arrived)" -ge "$1" ]
}

# The new bridge has another number. The routes went with the old one.
rebuild()
{
	must ip -n mk-box link del br0
	must ip -batch - <<<"$(topo_bridge box $MAC_BR)"
	must topo_ports box port0 port1
	must topo_ip box <<-LINES
	route add default dev br0
	route add ::/0 dev br0
	LINES
}

rebuild_addressed()
{
	rebuild
	topo_box_addressed
}

all_came() # TITLE
{
	ok "$1: it goes on, and all bytes are intact" wait ${part_pid[get$family]}
}

finish() # TITLE
{
	each_family all_came "$1"
	# Connections that failed
	tcp_close box $proxy_pid
	tcp_close srv
	must busywait 30 tcp_idle box
	wire_stop
}

# The captures begin before the bridge is deleted.
transfer() # TITLE REBUILD
{
	local from

	wire_both
	from=$(arrived)
	each_family bulk_start
	ok "$1: transfers are at work" busywait 30 arrived_past $((from + BULK / 4))
	$2
	nok "$1: and were not through when it was there again" arrived_past $((from + 2 * BULK))
	finish "$1"
}

# The server speaks first.
sleeping() # TITLE REBUILD
{
	parts_start 2
	wire_both
	$2
	next_part
	finish "$1"
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 3 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 3 "$1: to the router"
}

fresh() # TITLE
{
	ok "$1: a new connection" ns c1 load get $S1
}

kept() # TITLE
{
	each_family fresh "$1"
	each_family legs "$1"
	wire_clean "$1"
}

must topo_up
web_up srv
must proxy_up

# --- control ----------------------------------------------------------------------------

today_up
transfer "no module" rebuild_addressed
plain() # TITLE
{
	wire_leg west $S1 $C1 $MAC_BR $MAC_C1 3 "$1: the client is answered, by the box"
}
each_family plain "no module"
today_down

module_needed
topo_box_marks

# --- kept, and strictly ---------------------------------------------------------------------

for strict in "" --strict; do
	title=${strict:-kept}
	topo_box_rules -j MACKEEP $strict
	sleeping "$title, idle" rebuild
	kept "$title, idle"
	transfer "$title, transfer" rebuild
	kept "$title, transfer"
done

net_done
