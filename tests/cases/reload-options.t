#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The rule gets other options under live flows, and the next packet of each is under
# them: marks, --strict, --refresh. Where no room is left for options, rules that are
# there work on.
#
#  c1 ..:c1, then ..:ce --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#   two flows that live on             iptables-restore
#
# Control: with marks that do not match the box's own MAC is on the wire, and without
# --strict a flow leaves by a device where it was not learned.
#
# Its time is long: it runs on one kernel in turn.

V6=1
TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/reload.sh" || exit 1

IN="PREROUTING -j MACKEEP"
PARTS="part4 part6"
NEW=02:00:00:00:00:ce

past() # COUNTER VALUE
{
	[ "$(mackeep_stat box $1)" -ge $2 ]
}

# The client's frames show another address, and no ARP tells of it.
client_is() # MAC
{
	must topo_ip c1 <<-LINES
	link set eth0 address $1
	neigh replace 192.0.2.1 lladdr $MAC_R dev eth0 nud permanent
	neigh replace 2001:db8:1::1 lladdr $MAC_R dev eth0 nud permanent
	LINES
}

parts_there() # COUNT
{
	local name

	for name in $PARTS; do
		[ "$(grep -c part "$TMP/$name.out")" -ge $1 ] || return
	done
}

# One more part of an answer comes, so that the proxy is who sends next.
parts() # TITLE SOURCE-TO-CLIENT SOURCE-TO-SERVER
{
	local title="$1, the server speaks"

	wire_both
	kill -USR1 "${web_pids[@]}"
	turn=$((turn + 1))
	ok "$title: the client gets it" busywait 20 parts_there $turn
	busywait 20 silent
	wire_stop
	wire_leg west 203.0.113.73 192.0.2.31 $2 $MAC_C1 1 "$title: IPv4, to the client"
	wire_leg east 192.0.2.31 203.0.113.73 $3 $MAC_R 1 "$title: IPv4, to the server"
	wire_leg west 2001:db8:2::73 2001:db8:1::31 $2 $MAC_C1 1 "$title: IPv6, to the client"
	wire_leg east 2001:db8:1::31 2001:db8:2::73 $3 $MAC_R 1 "$title: IPv6, to the server"
}

# The way to the server leads by another device than the flows came in by.
astray() # TITLE COUNTER
{
	local before

	wire_start other box other
	# TCP retransmits ever more slowly: only what the capture sees counts.
	before=$(mackeep_stat box $2)
	flows_go
	ok "another device, $1: counted as $2" busywait 60 past $2 $((before + 4))
	flows_halt
	wire_stop other
}

# Rules that no flow meets, each with options of its own
others() # FROM TO
{
	local i

	echo '*mangle'
	for ((i = $1; i <= $2; i++)); do
		echo "-A OUTPUT -p udp --dport 9 -j MACKEEP --reply-mark $((i << 8))/0xffff00"
	done
	echo COMMIT
}

saved()
{
	ns box iptables-legacy-save -t mangle | grep MACKEEP
}

must topo_up
web_up srv
must proxy_up
must topo_ip rt <<-LINES
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev lan nud permanent
LINES
client_is $MAC_C1
module_needed
topo_box_marks
must ns box sysctl -qw net.netfilter.mackeep_neigh=0
rules legacy "$IN"
flows
flows_halt

# --- marks ------------------------------------------------------------------------------

# What the stack sends itself
for to in "192.0.2.31 lladdr $MAC_C1" "203.0.113.73 lladdr $MAC_R" \
	"2001:db8:1::31 lladdr $MAC_C1" "2001:db8:2::73 lladdr $MAC_R"; do
	must topo_ip box <<<"neigh replace $to dev br0 nud permanent"
done
spawn part4 ns c1 load get -p 9 -s 270000 -t 300 203.0.113.73
part_pid=$spawned
spawn part6 ns c1 load get -p 9 -s 270000 -t 300 2001:db8:2::73
turn=1
must busywait 20 parts_there 1
parts "no marks" $MAC_R $MAC_C1
before=$(mackeep_stat box mark)
marks() # TITLE SOURCE-TO-CLIENT SOURCE-TO-SERVER OPTION...
{
	rules legacy "$IN ${*:4}"
	parts "$1" $2 $3
	legs "$1" $2 $3
}
marks "--orig-mark matches no more" $MAC_R $MAC_BR --orig-mark 2/2
marks "--reply-mark matches no more" $MAC_BR $MAC_C1 --reply-mark 2/2
marks "neither matches" $MAC_BR $MAC_BR --orig-mark 2/2 --reply-mark 2/2
cmp_ok "$(mackeep_stat box mark)" -ge $((before + 80)) "that is counted"
marks "both match again" $MAC_R $MAC_C1 --orig-mark 0/2 --reply-mark 0/2
tap_kill $part_pid
tap_kill $spawned
must topo_ip box <<<"neigh flush dev br0 nud permanent"

# --- refresh ----------------------------------------------------------------------------

rules legacy "$IN --refresh first"
legs "--refresh first" $MAC_R $MAC_C1
client_is $NEW
rules legacy "$IN"
legs "--refresh last: the new address" $MAC_R $NEW $NEW

# Answers go where the client is no more, and it asks again and again.
client_is $MAC_C1
rules legacy "$IN --refresh first"
before=$(sent)
gone_on() { [ "$(sent)" -ge $((before + 20)) ]; }
wire_both
flows_go
ok "--refresh first: the proxy goes on sending" busywait 20 gone_on
wire_stop
wire_leg west 203.0.113.73 192.0.2.31 $MAC_R $NEW 2 "--refresh first: IPv4, to the old address"
wire_leg east 192.0.2.31 203.0.113.73 $NEW $MAC_R 2 "--refresh first: IPv4, from the old address"
wire_leg west 2001:db8:2::73 2001:db8:1::31 $MAC_R $NEW 2 "--refresh first: IPv6, to the old address"
wire_leg east 2001:db8:1::31 2001:db8:2::73 $NEW $MAC_R 2 "--refresh first: IPv6, from the old address"
rules legacy "$IN"
ok "--refresh last: the flows go on" flows_grow
flows_halt
legs "--refresh last: the old address again" $MAC_R $MAC_C1

# --- strict -----------------------------------------------------------------------------

must topo_ip box <<-LINES
	link add other address 02:00:00:00:00:b9 type dummy
	link set other up
	route add 203.0.113.73 dev other
	route add 2001:db8:2::73 dev other
	neigh replace 203.0.113.73 lladdr $MAC_R dev other nud permanent
	neigh replace 2001:db8:2::73 lladdr $MAC_R dev other nud permanent
LINES
astray "not strict" device
cmp_ok "$(wire_sum other 'proto == "tcp"')" -ge 4 "another device, not strict: it leaves by that"
rules legacy "$IN --strict"
astray "strict" strict
is "$(wire_sum other 'proto == "tcp"')" 0 "another device, strict: nothing does"
rules legacy "$IN"
astray "not strict any more" device
cmp_ok "$(wire_sum other 'proto == "tcp"')" -ge 4 "another device, not strict any more: it leaves by that"
must topo_ip box <<<"link del other"
legs "the bridge again" $MAC_R $MAC_C1

# --- no room ----------------------------------------------------------------------------

rules legacy "$IN --keep dst"
ok "254 rules more" ns box iptables-legacy-restore -n < <(others 1 254)
saved >"$TMP/full"
is "$(wc -l <"$TMP/full")" 255 "there are 255"
got=$(ns box iptables-legacy -t mangle -A OUTPUT -j MACKEEP --reply-mark 7 2>&1)
like "$got" "No space left on device" "one more is refused"
like "$(dmesg | tail -n 5)" "more than 255 rules with different options: use fewer" "the log says why"
nok "and a whole table" ns box iptables-legacy-restore < <(table "$IN" "$IN --strict" "$IN --reply-mark 7")
ok "all rules are still there" diff <(saved) "$TMP/full"
before=$(mackeep_stat box rule)
legs "no room" $MAC_BR $MAC_BR
is "$(mackeep_stat box rule)" "$before" "no room: the flows are under their own options"
ok "a rule goes" ns box iptables-legacy -t mangle -D OUTPUT 1
ok "and another comes" ns box iptables-legacy -t mangle -A OUTPUT -p udp --dport 9 -j MACKEEP --reply-mark 7
legs "room again" $MAC_BR $MAC_BR

flows_go
flows_end "to the end"
rules_off legacy
net_done
