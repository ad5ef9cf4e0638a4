#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up --rehearse: what would be lifted is counted, by services and by MACs,
# and the wire stays that of the plain bridge, byte for byte. Lifted in earnest, the
# same traffic is what was counted. TCP and UDP, IPv4 and IPv6, a VLAN; fragments.
#
#  c1 ..:c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#  c2 ..:c2 ---+             ^ HAProxy, udp                       +--- l1 ..:80
#
# Control: the plain bridge before, and "mackeep up" behind it.
#
# Seen by others: a rehearsal that enforces a part of it all the same,
# MystenLabs/sui pull request 17297; it says of what was let through anyway that it
# was not enforced, CopilotKit/OpenBot pull request 530; what began outside of the
# rehearsal, kubernetes-sigs/network-policy-api issue 230.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
need nft python3
tools udp

# The same traffic each time: connections, datagrams, and datagrams in fragments
TCP=6 UDP=5
traffic() # FIRST-PORT
{
	ns c1 load get -o -n $TCP $S1 && ns c2 load get -o -n 2 $L1 &&
		ns c1 udp talk -b $1 -n $UDP -t 5 $S1 &&
		ns c1 udp talk -b $(($1 + 100)) -n 2 -s 4000 -t 5 $S1
}

each_traffic() # FIRST-PORT
{
	local rc=0

	for family in 4 6; do
		topo_family $family
		traffic $(($1 + family)) || rc=1
	done
	topo_family 4
	return $rc
}

# What a frame is but for ports, numbers and times that differ each time
shape()
{
	wire_shape $1 'type ~ /^ip6?$/ && proto ~ /tcp|udp/' | awk '{
		if ($9 != 443) $9 = "p"
		if ($10 != 443) $10 = "p"
		print }' | sort -u
}

# What up would change of the bridge and around it
bridge_state()
{
	ns box ip -d link show br0 | grep -o "group_fwd_mask [^ ]*"
	ns box ip -4 route show table all
	ns box ip -4 rule
	ns box ip -o addr show dev br0
}

rehearsed() # WORD=VALUE...; flows of the MACs
{
	local word lines

	lines=$(ns box mackeep services rehearsed 2>/dev/null)
	for word; do
		lines=$(grep -- "\b$word\b" <<<"$lines")
	done
	awk '{ for (i = 1; i <= NF; i++) if (sub(/^flows=/, "", $i)) n += $i } END { print n + 0 }' <<<"$lines"
}

conntracked() # PROTO; flows that came to the box, of those that it keeps
{
	ns box mackeep list -p $1 2>/dev/null | grep -c "via=learned"
}

UP="--bridge br0 --tcp 443 --udp 443 --to $PROXY_PORT --settle 0"
up()
{
	ns box mackeep up $UP "$@" 2>&1
}

must topo_up
servers_up
echo_up srv
must proxy_up
udp_proxy_up
topo_box_unrouted
must modprobe br_netfilter
topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0

# --- the plain bridge -----------------------------------------------------------------

wire_both
ok "plain bridge: the traffic" each_traffic 7000
wire_stop
for side in west east; do
	shape $side >"$TMP/plain.$side"
	cmp_ok "$(grep -c . "$TMP/plain.$side")" -gt 8 "plain bridge: $side has seen it"
done
bridge_state >"$TMP/plain.br0"
module_load || { skip "no module"; done_testing; }

# --- the rehearsal --------------------------------------------------------------------

must held_start before c1 -s 2000 -w 20 $S1
like "$(up --rehearse)" "bridge br0: this is a rehearsal, nothing is lifted" "up --rehearse says so"
for proto in tcp udp; do
	ok "rehearsal: the service of $proto is open" busywait 10 service_is $proto ipv4 open
done
taken >/dev/null
wire_both
ok "rehearsal: the traffic" each_traffic 7000
wire_stop
is "$(taken)" 0 "rehearsal: the proxy has not got a connection"
for side in west east; do
	shape $side >"$TMP/rehearsed.$side"
	ok "rehearsal: $side is the plain bridge's" diff "$TMP/plain.$side" "$TMP/rehearsed.$side"
done
wire_clean "rehearsal" 'proto ~ /^(tcp|udp)$/'
for name in lifted lifted_sock lifted_frag saved orig reply; do
	is "$(mackeep_stat box $name)" 0 "rehearsal: $name is 0"
done
bridge_state >"$TMP/rehearsed.br0"
ok "rehearsal: bridge, routes and addresses are as they were" diff "$TMP/plain.br0" "$TMP/rehearsed.br0"

is "$(service tcp lifted) $(service udp lifted)" "0 0" "rehearsal: nothing is said to be lifted"
is "$(rehearsed tcp smac=$MAC_C1 dmac=$MAC_R)" $((2 * TCP)) "rehearsal: connections of c1 to the router"
is "$(rehearsed tcp smac=$MAC_C2 dmac=$MAC_L1)" 4 "rehearsal: of c2 to l1"
is "$(rehearsed udp smac=$MAC_C1 dmac=$MAC_R)" 4 "rehearsal: flows of UDP"
is "$(rehearsed)" $((2 * TCP + 8)) "rehearsal: and no others"
cmp_ok "$(service tcp midstream)" -ge 5 "rehearsal: what was there before is midstream"
udp_frames=$(service udp rehearsed)
is "$udp_frames" $((2 * (UDP + 2))) "rehearsal: datagrams, each once"
cmp_ok "$(service tcp rehearsed)" -ge $((4 * (2 * TCP + 4))) "rehearsal: each connection has some frames"
like "$(ns box mackeep services rehearsed 2>&1)" "$((2 * TCP + 8)) flows would have been lifted" \
	"rehearsal: the sum"
ok "rehearsal: JSON" eval "ns box mackeep services rehearsed -o json -p tcp 2>/dev/null |
	python3 -c 'import json, sys; f = json.load(sys.stdin); assert sum(e[\"flows\"] for e in f) == $((2 * TCP + 4)), f'"
is "$(ns box mackeep check br0 2>/dev/null | cut -d ' ' -f 1 | sort -u | wc -l)" 1 "check has one thing to say"
like "$(ns box mackeep check br0 2>&1)" "rehearsal" "that it is a rehearsal"
ok "what was there before goes on" held_grows before

# As br_netfilter sees frames first
topo_sysctl box net.bridge.bridge-nf-call-iptables=1
before=$(rehearsed tcp smac=$MAC_C1)
ok "with br_netfilter: connections" ns c1 load get -o -n 3 $S1
is $(($(rehearsed tcp smac=$MAC_C1) - before)) 3 "with br_netfilter: each is counted once"
topo_sysctl box net.bridge.bridge-nf-call-iptables=0

# Without a proxy, and with --fail closed: as a rehearsal drops nothing either
proxy_down
like "$(up --rehearse --fail closed)" "this is a rehearsal" "fail closed: up"
ok "fail closed: connections of those who would get none" ns c1 load get -o -n 3 $S1
cmp_ok "$(service tcp nolistener)" -ge 3 "fail closed: which are counted"
is "$(service tcp rehearsed)$(rehearsed tcp)" 0 "fail closed: as nothing that is lifted"
must proxy_up

# A VLAN, with a device that is made, and stays down
must topo_ip c1 <<-LINES
	link add link eth0 name eth0.7 type vlan id 7
	addr add 198.51.100.31/24 dev eth0.7
	link set eth0.7 up
LINES
must topo_ip l1 <<-LINES
	link add link eth0 name eth0.7 type vlan id 7
	addr add 198.51.100.80/24 dev eth0.7
	link set eth0.7 up
LINES
like "$(up --rehearse --vlan 7 -4)" "this is a rehearsal" "VLAN: up"
must busywait 10 service_is tcp ipv4 open
ok "VLAN: connections" ns c1 load get -o -n 3 198.51.100.80
is "$(rehearsed tcp smac=$MAC_C1 dmac=$MAC_L1 vlan=7)" 3 "VLAN: with its number"
nok "VLAN: its device is down" eval "ns box ip -o link show dev br0.7 up | has ."

# --- in earnest ---------------------------------------------------------------------------

ok "what was there before has failed nothing" held_stop before
is "$(up)" "" "up without --rehearse"
nok "the VLAN's device is gone" ns box ip link show dev br0.7
unlike "$(ns box mackeep services 2>/dev/null)" "rehearse" "in earnest: no service rehearses"
like "$(ns box mackeep services rehearsed 2>&1)" " 0 flows would have been lifted" "and nothing is left of it"
for proto in tcp udp; do
	must busywait 10 service_is $proto ipv4 open
done
topo_box_remembers
taken >/dev/null
wire_both
ok "in earnest: the traffic" each_traffic 8000
wire_stop
is "$(taken)" $((2 * TCP + 4)) "in earnest: the connections that were counted"
is "$(conntracked tcp)" $((2 * TCP + 4)) "in earnest: with records"
is "$(ns box mackeep list -p tcp -m $MAC_C1 2>/dev/null | grep "dmac=$MAC_R" | grep -c via=learned)" \
	$((2 * TCP)) "in earnest: with the MACs that were told"
is "$(service udp lifted)" "$udp_frames" "in earnest: the frames of UDP that were counted"
is "$(service udp rehearsed) $(service tcp rehearsed)" " " "in earnest: none is rehearsed"
wire_leg west $S1 $C1 $MAC_R $MAC_C1 20 "in earnest: the client sees the router"

# The end of it
ok "down" ns box mackeep down br0
like "$(up --rehearse)" "this is a rehearsal" "another rehearsal"
is "$(rehearsed)" 0 "which begins at 0"
ok "down ends it" ns box mackeep down br0
is "$(ns box mackeep services 2>/dev/null)" "" "and no service is left"
nok "nor a rule" eval "ns box nft list ruleset | has ."

net_done
