#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --last-hop: the box sends the client's traffic into a WireGuard tunnel, and
# has no route for what comes back.
#
#  c1 ..:c1 --+                                          +-- rt ..:f1
#             +-- west -- w0 [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+                box
#                              vpn0 198.51.100.1 --- 198.51.100.2 l1, here the
#                              wg0 ================= wg0          tunnel's end
#                                                                 203.0.113.73
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need wg
tools udp

V6=1
S1_6=2001:db8:2::73
C1_6=2001:db8:1::31
wg_mtu=1420

wireguard_up()
{
	local box l1

	box=$(wg genkey)
	l1=$(wg genkey)
	# Its packets go by the namespace that it was made in.
	must ip link add vpn0 netns mk-box type veth peer name vpn0 netns mk-l1
	must ip -n mk-box link add wg0 mtu $wg_mtu type wireguard
	must ip -n mk-l1 link add wg0 mtu $wg_mtu type wireguard
	must ns box wg set wg0 listen-port 51820 private-key <(echo $box) \
		peer "$(wg pubkey <<<$l1)" allowed-ips 0.0.0.0/0,::/0 \
		endpoint 198.51.100.2:51820
	must ns l1 wg set wg0 listen-port 51820 private-key <(echo $l1) \
		peer "$(wg pubkey <<<$box)" allowed-ips 0.0.0.0/0,::/0 \
		endpoint 198.51.100.1:51820
	must topo_ip box <<-LINES
	route del default dev br0
	addr add 198.51.100.1/24 dev vpn0
	addr add 203.0.113.200/32 dev wg0
	addr add 2001:db8:2::200/128 dev wg0
	link set vpn0 up
	link set wg0 up
	route add $S1/32 dev wg0
	rule add fwmark 2 lookup 200
	route add default dev wg0 table 200
	LINES
	must ip -6 -n mk-box -batch - <<-LINES
	route del default dev br0
	route add $S1_6/128 dev wg0
	rule add fwmark 2 lookup 200
	route add default dev wg0 table 200
	LINES
	must topo_ip l1 <<-LINES
	link set eth0 down
	addr add 198.51.100.2/24 dev vpn0
	addr add $S1/32 dev lo
	addr add $S1_6/128 dev lo
	link set vpn0 up
	link set wg0 up
	route replace default dev wg0
	route replace ::/0 dev wg0
	LINES
	topo_sysctl box net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

rules() # [-j MACKEEP OPTION...]
{
	local family

	for family in iptables ip6tables; do
		must ns box $family-restore <<-RULES
		*mangle
		${1:+-A PREROUTING -i br0 $*}
		-A PREROUTING -i br0 -j MARK --set-mark 2
		COMMIT
		*filter
		:FORWARD ACCEPT
		COMMIT
		RULES
	done
}

talk() # ADDRESS [OPTION...]
{
	ns c1 udp talk "${@:2}" "$1"
}

no_answer() # ADDRESS
{
	[ "$(talk $1 -n 1 -t 1)" = "done 0 failed 1" ]
}

# Datagrams over both families, then TCP
traffic() # TITLE
{
	ok "$1: UDP" talk $S1 -n 5
	ok "$1: UDP over IPv6" talk $S1_6 -n 5
	ok "$1: TCP, bytes intact" ns c1 load get -s 500000 $S1
	ok "$1: TCP over IPv6, bytes intact" ns c1 load get -s 500000 $S1_6
}

kept() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 20 "$1: from the router to the client"
	wire_leg west $S1_6 $C1_6 $MAC_R $MAC_C1 20 "$1: the same over IPv6"
}

must topo_up
must wireguard_up
# The client gets its router's MAC by hand: the box answers no ARP.
must ip -n mk-c1 neigh replace 192.0.2.1 lladdr $MAC_R dev eth0 nud permanent
must ip -n mk-c1 neigh replace 2001:db8:1::1 lladdr $MAC_R dev eth0 nud permanent
must spawn_ready echo ns l1 udp echo
must spawn_ready echo6 ns l1 udp echo -6
must spawn_ready serve ns l1 load serve
must spawn_ready serve6 ns l1 load serve -b $S1_6

# --- control: today the box is the router, and has a route back -------------------

rules
must ns box nft -f - <<RULES
table bridge today {
	chain arriving {
		type filter hook prerouting priority dstnat; policy accept;
		udp dport 443 ether daddr set $MAC_BR meta pkttype set host
	}
}
RULES
nok "no module, no route: no answer" talk $S1 -n 1 -t 1
must ip -n mk-box route add 192.0.2.0/24 dev br0
must ip -n mk-box neigh replace $C1 lladdr $MAC_C1 dev br0 nud permanent
wire_both
ok "no module, a route: an answer" talk $S1 -n 5
wire_stop
wire_leg west $S1 $C1 $MAC_BR $MAC_C1 5 "no module: from the box's MAC"
must ip -n mk-box route del 192.0.2.0/24 dev br0
must ns box nft delete table bridge today
ns box ip neigh flush dev br0 nud permanent

module_needed
topo_box_marks

# --- without the option ------------------------------------------------------------

rules -j MACKEEP
ok "not asked for: no route, no answer" no_answer $S1
is "$(mackeep_stat box lasthop)" 0 "not asked for: nothing sent back"

# --- with it -------------------------------------------------------------------------

rules -j MACKEEP --last-hop
must ns c1 iptables-restore <<RULES
*filter
-A INPUT -s $S1 -m ttl --ttl-eq 63
COMMIT
RULES
wire_both
traffic "last hop"
wire_stop
kept "last hop"
wire_clean "last hop" 'type == "ip" || type == "ip6"'
cmp_ok "$(mackeep_stat box lasthop)" -ge 40 "last hop: counted"
is "$(ns c1 iptables -nvxL INPUT | awk '/TTL match/ { print $1 }')" \
	"$(wire_sum west "way == \"from\" && saddr == \"$S1\"")" \
	"last hop: the time to live is counted down, by one"
is "$(ns box ip neigh show dev br0)" "" "last hop: the box knows no neighbour"

# --- the FORWARD chain --------------------------------------------------------------

must ns box iptables -A FORWARD -i wg0 -o br0 -j DROP
ok "FORWARD: can drop it" no_answer $S1
cmp_ok "$(ns box iptables -nvxL FORWARD | awk '/DROP .*wg0/ { print $1 }')" -ge 1 \
	"FORWARD: sees it, with the devices it comes and goes by"
must ns box iptables -F FORWARD

topo_sysctl box net.ipv4.conf.wg0.forwarding=0
ok "forwarding off: no answer" no_answer $S1
cmp_ok "$(mackeep_stat box nohop)" -ge 1 "forwarding off: counted"
topo_sysctl box net.ipv4.conf.wg0.forwarding=1

# --- TTL, MTU -----------------------------------------------------------------------

# ICMP errors that came to the server
errors() # FIELD
{
	ns l1 awk -v name="$1" '
		/^Icmp:/ && !col { for (i = 2; i <= NF; i++) if ($i == name) col = i; next }
		/^Icmp:/ { print $col }' /proc/net/snmp
}

errors6() # FIELD
{
	ns l1 awk -v name="Icmp6$1" '$1 == name { print $2 }' /proc/net/snmp6
}

topo_sysctl l1 net.ipv4.ip_default_ttl=1 net.ipv6.conf.wg0.hop_limit=1
ok "TTL 1: no answer" no_answer $S1
ok "TTL 1: nor over IPv6" no_answer $S1_6
cmp_ok "$(errors InTimeExcds)" -ge 1 "TTL 1: the server is told"
topo_sysctl l1 net.ipv4.ip_default_ttl=64 net.ipv6.conf.wg0.hop_limit=64

must topo_ip box <<<"link set br0 mtu 1300"
wire_both
ok "MTU: a download over a smaller device" ns c1 load get -s 200000 $S1
ok "MTU: the same over IPv6" ns c1 load get -s 200000 $S1_6
ok "MTU: datagrams of 2000 bytes" talk $S1 -n 5 -s 2000
wire_stop
kept "MTU"
cmp_ok "$(errors InDestUnreachs)" -ge 1 "MTU: the server is told"
cmp_ok "$(errors6 InPktTooBigs)" -ge 1 "MTU: over IPv6 too"
cmp_ok "$(wire_sum west "way == \"from\" && saddr == \"$S1\" && dport == \"-\"")" -ge 5 \
	"MTU: fragments leave, with the right MACs"
must topo_ip box <<<"link set br0 mtu 1500"

# --- marks ---------------------------------------------------------------------------

rules -j MACKEEP --last-hop --reply-mark 7
ns box conntrack -F 2>/dev/null
ok "reply mark: another mark, no answer" no_answer $S1
must ns box iptables -t mangle -A PREROUTING -i wg0 -j MARK --set-mark 7
wire_both
ok "reply mark: an answer" talk $S1 -n 5
wire_stop
wire_leg west $S1 $C1 $MAC_R $MAC_C1 5 "reply mark: with the MACs of the flow"
must ns box iptables -t mangle -D PREROUTING -i wg0 -j MARK --set-mark 7

# --- a better way --------------------------------------------------------------------

# c2 sends by way of c1, while the box could reach it directly.
must topo_ip c2 <<<"route replace default via $C1"
topo_sysctl c1 net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
	net.ipv4.conf.eth0.send_redirects=0
must topo_ip box <<LINES
route add 192.0.2.0/24 dev br0
neigh replace $C2 lladdr $MAC_C2 dev br0 nud permanent
LINES

rules -j MACKEEP
wire_both
ok "a better way: not asked for, an answer" ns c2 udp talk -n 5 $S1
wire_stop
wire_leg west $S1 $C2 $MAC_R $MAC_C2 5 "a better way: not asked for, it is taken"

rules -j MACKEEP --last-hop
ns box conntrack -F 2>/dev/null
wire_both
ok "a better way: asked for, an answer" ns c2 udp talk -n 5 $S1
wire_stop
wire_leg west $S1 $C2 $MAC_R $MAC_C1 5 "a better way: asked for, back as it came"
must topo_ip box <<<"route del 192.0.2.0/24 dev br0"

# --- what the box answers itself ------------------------------------------------------

# A proxy whose default route is the tunnel
must topo_ip box <<<"route add default dev wg0"
topo_box_rules_off
topo_box_rules -i br0 -j MACKEEP --last-hop
ns box conntrack -F 2>/dev/null
must spawn_ready proxy ns box udp proxy $PROXY_PORT
proxy=$spawned
wire_both
ok "a proxy in front of the tunnel: answers" talk $S1 -n 5
wire_stop
wire_leg west $S1 $C1 $MAC_R $MAC_C1 5 "a proxy in front of the tunnel: kept"
tap_kill $proxy

# --- a device without IPv6 ---------------------------------------------------------------

# The device loses IPv6 before the first answer has gone by it.
hops_past() # COUNT
{
	[ "$(mackeep_stat box nohop)" -gt $1 ]
}

dropped()
{
	ns box ip6tables -t raw -nvxL PREROUTING | awk '/DROP/ { n = $1 } END { exit !n }'
}

topo_box_rules_off
rules -j MACKEEP --last-hop
must ns box ip6tables -t raw -A PREROUTING -i wg0 -p tcp --sport 443 -j DROP
spawn early ns c1 load get $S1_6
early=$spawned
ok "no IPv6: a connection that waits for an answer" busywait 20 dropped
must topo_ip box <<<"link set br0 mtu 1200"
hops=$(mackeep_stat box nohop)
must ns box ip6tables -t raw -F
ok "no IPv6: the answer is left to the stack, and counted" busywait 20 hops_past $hops
tap_kill $early
must topo_ip box <<<"link set br0 mtu 1500"

# --- the device goes under traffic ------------------------------------------------------

ns box conntrack -F 2>/dev/null
held_start c1 c1 -s 100000 $S1 || fail "a running download"
ok "the device goes while packets take it" timeout 20 ip -n mk-box link del br0
ok "and the namespace, with its rules" timeout 20 ip netns del mk-box
busywait 20 eval '! ip netns list | has mk-box'
tap_kill "${held_pid[c1]}"

net_done
