#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A firewall is loaded again under live flows, with the same MACKEEP rules and
# with others: no frame has a MAC of the box, flows are under the new options at
# once and never under a stranger's, and with --strict nothing leaks.
#
#  c1 ..:c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#   two flows that live on     iptables-restore
#
# What happened to others when rules or marks were away for a moment: firewalld
# issue 369, HydraRoute pull request 92.
#
# Its time is long: it runs on one kernel in turn.

V6=1
TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/reload.sh" || exit 1
tools udp

# Both tables again and again, from two files in turn
reload() # COUNT BACKEND
{
	ns box bash -c 'for ((i = 0; i < $1; i++)); do
		iptables-$2-restore <$3/table$((i % 2)) || exit
		ip6tables-$2-restore <$3/table$((i % 2)) || exit
	done' sh $1 $2 "$TMP"
}

reloads() # TITLE COUNT BACKEND RULE OTHER-RULE
{
	table "$4" >"$TMP/table0"
	table "$5" >"$TMP/table1"
	rules $3 "$4"
	flows
	wire_both
	ok "$1: $2 reloads" reload $2 $3
	ok "$1: the flows go on" flows_grow
	flows_end "$1"
	wire_stop
	wire_clean "$1" 'proto == "tcp"'
	cmp_ok "$(wire_sum west 'way == "from" && proto == "tcp"')" -ge 50 "$1: there was traffic"
	rules_off $3
}

# All rules go and come back
again() # TITLE BACKEND RULE
{
	rules $2 "$3"
	flows
	flows_halt
	rules_off $2
	rules $2 "$3"
	wire_both
	flows_go
	ok "$1: the flows go on" flows_grow 20
	flows_end "$1"
	wire_stop
	wire_clean "$1" 'type ~ /^ip/'
	rules_off $2
}

must topo_up
must servers_up
must proxy_up

# --- control ------------------------------------------------------------------------

today_up
wire_both
ok "no module: a request" ns c1 load get $S1
proxy_quiet
wire_stop
cmp_ok "$(wire_own 'type == "ip"')" -ge 5 "no module: the box's own MAC is on the wire"
today_down

module_needed
topo_box_marks
must ns box sysctl -qw net.netfilter.mackeep_neigh=0

# --- again and again ------------------------------------------------------------------

IN="PREROUTING -j MACKEEP"
reloads "the same" 80 legacy "$IN --reply-mark 0/1" "$IN --reply-mark 0/1"
reloads "the same, strict" 80 legacy "$IN --strict" "$IN --strict"
reloads "others" 80 legacy "$IN --reply-mark 0/1" "$IN"
reloads "others, strict" 80 legacy "$IN --strict" "$IN --refresh first --strict"
reloads "nft" 20 nft "$IN --reply-mark 0/1" "$IN"
reloads "nft, strict" 20 nft "$IN --strict" "$IN --refresh first --strict"
is "$(mackeep_stat box strict)" 0 "nothing was dropped"

# --- away and back ----------------------------------------------------------------------

for backend in legacy nft; do
	again "back" $backend "$IN --reply-mark 0/1"
	again "back, strict" $backend "$IN --strict"
done

# --- another rule -----------------------------------------------------------------------

rules legacy "$IN --orig-mark 0/2"
flows
flows_halt
rules legacy "$IN --keep dst"
before=$(mackeep_stat box rule)
legs "keep dst" $MAC_BR $MAC_BR
rules legacy "$IN --refresh first"
legs "refresh first" $MAC_R $MAC_C1
rules legacy "OUTPUT -p tcp --dport 443 -j MACKEEP --keep dst" "$IN --reply-mark 0/1"
legs "a rule in OUTPUT" $MAC_R $MAC_BR
rules legacy "OUTPUT -p tcp --dport 443 -j MACKEEP --keep dst" "$IN --refresh first"
legs "a rule in OUTPUT, another before" $MAC_R $MAC_BR
rules legacy "PREROUTING -p udp --dport 9 -j MACKEEP"
legs "none that sees them" $MAC_R $MAC_C1
cmp_ok "$(mackeep_stat box rule)" -gt "$before" "kept under another rule: counted"

# --- strangers --------------------------------------------------------------------------

# Flows know the options of a rule that is gone for good, and numbers run out.
rules legacy "$IN --reply-mark 0/4"
flows_go
ok "flows of a rule" flows_grow
flows_halt
rules legacy
strange() # FROM TO: rules, one after the other
{
	local i

	for ((i = $1; i <= $2; i++)); do
		printf '*mangle\n-A OUTPUT -p udp --dport 9 -j MACKEEP --reply-mark %s/0xffff00\nCOMMIT\n' $((i << 8))
		printf '*mangle\n-F OUTPUT\nCOMMIT\n'
	done
}

ok "255 rules with other options" ns box iptables-legacy-restore -n < <(strange 1 255)
# Numbers of 8 bits come back now.
must ns box ip6tables-legacy -t mangle -A OUTPUT -p udp --dport 9 -j MACKEEP \
	--reply-mark 0x10000/0xffff00
ok "45 more" ns box iptables-legacy-restore -n < <(strange 256 300)
before=$(mackeep_stat box mark)
for family in iptables ip6tables; do
	must ns box $family-legacy -t mangle -I PREROUTING -p udp --dport 9 -j MACKEEP
done
legs "after 300 others" $MAC_R $MAC_C1
is "$(mackeep_stat box mark)" "$before" "no flow is under a stranger's options"

# --- strict -----------------------------------------------------------------------------

# Any rule that is strict, and the flows' own is gone
rules legacy "$IN --reply-mark 0/1"
flows_go
ok "flows of another rule" flows_grow
flows_halt
rules legacy "PREROUTING -p udp --dport 9 -j MACKEEP --strict"
legs "any strict rule" $MAC_R $MAC_C1

# By another device than the flows came in by
must topo_ip box <<-LINES
	link add other address 02:00:00:00:00:b9 type dummy
	link set other up
	route add 203.0.113.73 dev other
	route add 2001:db8:2::73 dev other
	neigh replace 203.0.113.73 lladdr $MAC_R dev other nud permanent
	neigh replace 2001:db8:2::73 lladdr $MAC_R dev other nud permanent
LINES
strict=$(mackeep_stat box strict)
wire_start other box other
flows_go
ok "another device: dropped" busywait 10 eval '[ "$(mackeep_stat box strict)" -ge $((strict + 4)) ]'
wire_stop other
is "$(wire_sum other 'proto == "tcp"')" 0 "another device: nothing leaves by it"
must topo_ip box <<<"link del other"
for name in $FLOWS; do
	held_stop $name
done

# A socket that does not say it is transparent; IPv4 has no route for those.
ghost() # TITLE COUNT
{
	wire_both
	ns box udp send -f 2001:db8:1::99 2001:db8:1::80 9 >/dev/null 2>&1
	wire_stop
	is "$(wire_sum east 'way == "from" && saddr == "2001:db8:1::99" && proto == "udp"')" \
		$2 "$1: $2 datagrams from a foreign address"
}

must topo_ip box <<<"neigh replace 2001:db8:1::80 lladdr $MAC_L1 dev br0 nud permanent"
strict=$(mackeep_stat box strict)
ghost "strict" 0
is $(($(mackeep_stat box strict) - strict)) 1 "strict: it is counted"
rules_off legacy
rules legacy "$IN"
ghost "not strict" 1

rules_off legacy
net_done
