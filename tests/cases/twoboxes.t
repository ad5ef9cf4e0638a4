#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two boxes in one kernel: namespaces with a bridge and a proxy each, the same
# addresses and even the same numbers of devices on both, but other MACs.
# Nothing crosses, and the one lives on when the other is taken down.
#
#  c1 ..:00:c1 -- [ port0 br0 port1 ] -- rt ..:00:f1 -- srv .73
#  c1 ..:03:c1 -- [ port0 br0 port1 ] -- rt ..:03:f1 -- srv .73

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

# From here on it is about the one box, or the other: 00 or 03.
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

addressed()
{
	topo_box_addressed
	topo_box_rules
	topo_box_broute
}

unaddressed()
{
	topo_box_broute_off
	topo_box_rules_off
	topo_box_unaddressed
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

# In both families
flows() # start|go|stop
{
	local family

	for family in 4 6; do
		topo_family $family
		case $1 in
		start)
			ok "box $which, IPv$family: requests without end" \
				held_start $which-$family c1 -w 20 -b $C1 $S1
			;;
		go)
			ok "box $which, IPv$family: they go on" held_grows $which-$family
			;;
		stop)
			ok "box $which, IPv$family: none failed" held_stop $which-$family
			;;
		esac
	done
	topo_family 4
}

judged()
{
	local family

	for family in 4 6; do
		topo_family $family
		wire_leg west$which $S1 $C1 $MAC_R $MAC_C1 10 "box $which, IPv$family: to the client"
		wire_leg east$which $C1 $S1 $MAC_C1 $MAC_R 10 "box $which, IPv$family: to the router"
	done
	topo_family 4
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
each addressed
each today
each unaddressed

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

tap_kill "$(<"$TMP/proxy00")"
topo_down
module_gone
done_testing
