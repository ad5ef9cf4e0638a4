#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An OpenVPN endpoint (tun) that stands in a cable with one address and no gateway: its
# packets leave by the router that the captured traffic goes to. As nexthop-own.t is
# for WireGuard.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#     ..:c1                    192.0.2.5 ..:b0                         T = 203.0.113.200
#                              tun0 198.51.100.1 ================ tun0 198.51.100.2
#
# Control: without the rule in OUTPUT the box asks for the far end by ARP, in vain.
# It runs on one kernel in turn.
#
# Seen by others: opnsense/core issue 378, "openvpn: default gateway is wrong when left
# empty"; openwrt/packages issue 2548 (no direct route to the VPN gateway).

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need openvpn conntrack
tools udp

BOX4=192.0.2.5
BOX6=2001:db8:1::5
T=203.0.113.200
NEAR=198.51.100.1
FAR=198.51.100.2
FWMARK=0x33

openvpn --genkey secret "$TMP/key"
ends=()

tunnel_down()
{
	local pid

	for pid in "${ends[@]}"; do
		tap_kill $pid
	done
	ends=()
}

# Over the family at hand
tunnel_up()
{
	local proto=udp$family close=BOX$family
	local common="--dev tun0 --secret $TMP/key --cipher AES-256-CBC --port 1194 --proto $proto"

	! openvpn --help | has allow-deprecated-insecure-static-crypto ||
		common+=" --allow-deprecated-insecure-static-crypto"
	spawn near$family ns box openvpn $common --ifconfig $NEAR $FAR --remote $S1 --mark $((FWMARK)) --ping 1
	ends+=("$spawned")
	# Or the far end may have opened the flow.
	must busywait 20 near_spoke ${!close}
	spawn far$family ns srv openvpn $common --ifconfig $FAR $NEAR --remote ${!close} --ping 1
	ends+=("$spawned")
	must busywait 20 tunnel_there
	must ns box ip route replace default dev tun0 table 200
	must ns srv ip route replace default dev tun0 table 201
}

near_spoke() # ADDRESS
{
	ns box conntrack -L -f ipv$family -p udp --orig-port-dst 1194 --orig-src $1 2>/dev/null |
		has .
}

tunnel_there()
{
	ns box ip -o addr show dev tun0 2>/dev/null | has $NEAR &&
		ns srv ip -o addr show dev tun0 2>/dev/null | has $FAR
}

rules() # [RULE in OUTPUT...]
{
	local command

	for command in iptables ip6tables; do
		must ns box $command-restore <<-RULES
		*mangle
		-A PREROUTING -i br0 -j MACKEEP --last-hop
		$([ $command != iptables ] || echo "-A PREROUTING -i br0 -d $T -j MARK --set-mark 2")
		${1:+-A OUTPUT -o br0 $*}
		COMMIT
		RULES
	done
}

asked()
{
	wire_sum east "way == \"from\" && (type == \"arp\" && daddr == \"$S1\" ||
		proto == \"icmp\" && sport == 135 && daddr == \"ff02::1:ff00:73\")"
}

outer='proto == "udp" && dport == 1194'

stuck() # TITLE
{
	wire_both
	tunnel_up
	nok "$1: the far end is not reached" ns c1 load get -t 2 $T
	wire_stop
	tunnel_down
	cmp_ok "$(asked)" -ge 1 "$1: it is asked for by ARP"
	is "$(wire_sum east "way == \"from\" && $outer")" 0 "$1: nothing leaves for it"
	ns box conntrack -F 2>/dev/null
}

goes() # TITLE
{
	local close=BOX$family

	wire_both
	tunnel_up
	ok "$1: the box asks the far end" ns box load get -s 100000 $FAR
	ok "$1: the far end asks the box" ns srv load get -s 100000 $NEAR 80
	ok "$1: a client's request is taken into the tunnel" ns c1 load get -s 100000 $T
	wire_stop
	tunnel_down
	wire_leg east ${!close} $S1 $MAC_BR $MAC_R 20 "$1: from the box to the router"
	is "$(asked)" 0 "$1: nobody is asked for the far end"
	wire_leg west $T 192.0.2.31 $MAC_R $MAC_C1 10 "$1: the client is answered as if from the router"
	is "$(wire_sum east "way == \"from\" && daddr == \"$T\"")" 0 "$1: none of that goes beside the tunnel"
}

must modprobe tun
must topo_up
must topo_ip box <<-LINES
	addr add $BOX4/24 dev br0
	addr add $BOX6/64 dev br0 nodad
	rule add fwmark 2 lookup 200
LINES
must topo_ip srv <<-LINES
	addr add $T/32 dev lo
	rule add from $T lookup 201
LINES
topo_sysctl box net.ipv4.ip_forward=1
web_up srv
must spawn_ready near ns box load serve 80
near=$spawned
module_needed
topo_box_marks "ip daddr $T"
rules
# The client shows its router, of IPv6 as well: it asks for its MAC, and sends.
ns c1 udp talk -t 1 $T >/dev/null 2>&1
must ns box nft add rule bridge mackeep lift ip6 daddr 2001:db8:2::74 meta mark set $LIFT_MARK
ns c1 udp talk -t 1 2001:db8:2::74 >/dev/null 2>&1
each_family stuck "no rule"
rules -j MACKEEP --orig-mark $FWMARK
each_family goes "a rule in OUTPUT"
tap_kill $near

net_done
