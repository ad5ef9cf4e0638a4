#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two boxes in one kernel: namespaces with a bridge and a proxy each, the same
# addresses and even the same numbers of devices on both, but other MACs.
# Nothing crosses, and the one lives on when the other is taken down.
#
#  c1 ..:00:c1 -- [ port0 br0 port1 ] -- rt ..:00:f1 -- srv .73
#  c1 ..:03:c1 -- [ port0 br0 port1 ] -- rt ..:03:f1 -- srv .73
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

# What follows is about this box: 00 or 03.
box() # NUMBER
{
	local mac host

	which=$1
	TOPO=mk$1
	for host in C1=c1 C2=c2 R=f1 L1=80 L2=81 S=73 BR=b0 PORT0=b1 PORT1=b2; do
		printf -v "MAC_${host%=*}" %s "02:00:00:00:$1:${host#*=}"
	done
	topo_family 4
}

each() # COMMAND...
{
	local number

	for number in 00 03; do
		box $number
		"$@"
	done
	box 00
}

up()
{
	must topo_up
	must servers_up
	must proxy_up
	echo $proxy_pid >"$TMP/proxy$which"
}

intercept()
{
	topo_box_marks
	topo_box_rules -j MACKEEP
}

captures()
{
	wire_start west$which west w0
	wire_start east$which east e0
}

# A MAC of the other box or its stations
foreign()
{
	local name own=$which

	for name in west$own east$own; do
		wire_sum $name "src !~ /^02:00:00:00:$own:/ && src !~ /^02:00:00:00:0[12]:/"
	done | xargs
}

flows_start() # TITLE
{
	ok "$1: requests without end" held_start $which-$family c1 -w 20 -b $C1 $S1
}

flows_go() # TITLE
{
	ok "$1: they go on" held_grows $which-$family
}

flows_stop() # TITLE
{
	ok "$1: none failed" held_stop $which-$family
}

flows() # start|go|stop
{
	each_family flows_$1 "box $which"
}

legs() # TITLE
{
	wire_leg west$which $S1 $C1 $MAC_R $MAC_C1 10 "$1: to the client"
	wire_leg east$which $C1 $S1 $MAC_C1 $MAC_R 10 "$1: to the router"
}

judged()
{
	each_family legs "box $which"
	is "$(foreign)" "0 0" "box $which: nothing of the other on its wires"
	is "$(ns box conntrack -L 2>/dev/null | grep -c helper=mackeep)" \
		"$(ns box conntrack -L 2>/dev/null | grep -c dport=443)" \
		"box $which: each of its flows has a record"
}

number()
{
	ip -n $TOPO-box -o link show br0 | cut -d : -f 1
}

today()
{
	captures
	ok "box $which, no module: a request" ns c1 load get $S1
	proxy_quiet
	wire_stop
	wire_leg west$which $S1 $C1 $MAC_BR $MAC_C1 3 "box $which, no module: the box's own MAC"
}

each up
each today_up
each today
each today_down

module_needed
each intercept
is "$(each number | uniq | wc -l)" 1 "the two bridges have the same number"
each captures
each flows start
each flows go
box 03
flows stop
proxy_quiet
wire_stop west03 east03
judged

# --- one of them goes, with all it has ------------------------------------------

flows start
tap_kill "$(<"$TMP/proxy03")"
topo_down
box 00
flows go
flows stop
proxy_quiet
wire_stop
judged

proxy_pid=$(<"$TMP/proxy00")
net_done
