#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box that has an address on its bridge, and "default dev br0" for a route: no gateway
# is configured anywhere. What its own sockets send leaves by the router that the
# clients use, if a rule in OUTPUT says so: here the packets of a WireGuard tunnel, into
# which the box takes what a client sends to T.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1, ..:f9 --- srv .73
#     ..:c1                    192.0.2.5 ..:b0                                  T = 203.0.113.200
#                              wg0 198.51.100.1 ================== wg0 198.51.100.2
#
# Control: without the rule the box asks for the far end by ARP, in vain, and nothing
# leaves for it; nor does what has not the rule's mark.
#
# Seen by others: opnsense/core issue 7364 (the packets of a tunnel need a way of their
# own, or they go into the tunnel); openwrt/packages issue 2548 (no direct route to the
# VPN gateway, as there is none to take for the default gateway).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need wg
tools frame udp

MAC_R9=02:00:00:00:00:f9
BOX4=192.0.2.5
BOX6=2001:db8:1::5
T4=203.0.113.200
T6=2001:db8:2::200
NEAR4=198.51.100.1
FAR4=198.51.100.2
NEAR6=2001:db8:3::1
FAR6=2001:db8:3::2
FWMARK=0x33

near=()

# --- the two ends ---------------------------------------------------------------------

wireguard_up()
{
	local box far name

	box=$(wg genkey)
	far=$(wg genkey)
	for name in box srv; do
		must ip -n mk-$name link add wg0 mtu 1380 type wireguard
	done
	must ns box wg set wg0 listen-port 51820 private-key <(echo $box) fwmark $FWMARK \
		peer "$(wg pubkey <<<$far)" allowed-ips 0.0.0.0/0,::/0 endpoint $S1:51820
	must ns srv wg set wg0 listen-port 51820 private-key <(echo $far) \
		peer "$(wg pubkey <<<$box)" allowed-ips 0.0.0.0/0,::/0 endpoint $BOX4:51820
	must topo_ip box <<-LINES
	addr add $BOX4/24 dev br0
	addr add $BOX6/64 dev br0 nodad
	addr add $NEAR4/30 dev wg0
	addr add $NEAR6/126 dev wg0 nodad
	link set wg0 up
	rule add fwmark 2 lookup 200
	route add default dev wg0 table 200
	LINES
	must ip -6 -n mk-box -batch - <<-LINES
	rule add fwmark 2 lookup 200
	route add default dev wg0 table 200
	LINES
	must topo_ip srv <<-LINES
	addr add $FAR4/30 dev wg0
	addr add $FAR6/126 dev wg0 nodad
	link set wg0 up
	addr add $T4/32 dev lo
	addr add $T6/128 dev lo nodad
	rule add from $T4 lookup 201
	route add default dev wg0 table 201
	LINES
	must ip -6 -n mk-srv -batch - <<-LINES
	rule add from $T6 lookup 201
	route add default dev wg0 table 201
	LINES
	topo_sysctl box net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# Both ends forget their keys, and the box its flows. Over the family at hand.
wireguard_anew()
{
	local name open=$S1 close=BOX$family

	close=${!close}
	[ $family = 4 ] || { open=[$open] close=[$close]; }
	for name in box srv; do
		must ip -n mk-$name link set wg0 down
	done
	must ns box wg set wg0 peer "$(ns box wg show wg0 peers)" endpoint $open:51820
	must ns srv wg set wg0 peer "$(ns srv wg show wg0 peers)" endpoint $close:51820
	ns box conntrack -F 2>/dev/null
	for name in box srv; do
		must ip -n mk-$name link set wg0 up
	done
	must ip -6 -n mk-box -batch - <<-LINES
	addr replace $NEAR6/126 dev wg0 nodad
	route replace default dev wg0 table 200
	LINES
	must ip -n mk-box route replace default dev wg0 table 200
	must ip -6 -n mk-srv -batch - <<-LINES
	addr replace $FAR6/126 dev wg0 nodad
	route replace default dev wg0 table 201
	LINES
	must ip -n mk-srv route replace default dev wg0 table 201
}

rules() # [OPTION of the rule in OUTPUT...]
{
	local command t

	for command in iptables ip6tables; do
		t=$T4
		[ $command = iptables ] || t=$T6
		must ns box $command-restore <<-RULES
		*mangle
		-A PREROUTING -i br0 -j MACKEEP --last-hop
		-A PREROUTING -i br0 -d $t -j MARK --set-mark 2
		${1:+-A OUTPUT -o br0 $*}
		COMMIT
		*filter
		:FORWARD ACCEPT
		COMMIT
		RULES
	done
}

# That of the family at hand
this() # NAME
{
	local name=$1$family

	echo "${!name}"
}

# --- the router ------------------------------------------------------------------------

# It knows the box and the client, whatever becomes of itself.
router_is() # MAC [silently]
{
	local _

	[ $# -eq 1 ] || must ns rt nft -f - <<-RULES
	table arp mute {
		chain out {
			type filter hook output priority 0; policy drop;
		}
	}
	table ip6 mute {
		chain out {
			type filter hook output priority 0; policy accept;
			icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } drop
		}
	}
	RULES
	must ip -n mk-rt link set lan address $1
	if [ $# -gt 1 ]; then
		must topo_ip rt <<-LINES
		neigh replace $BOX4 lladdr $MAC_BR dev lan nud permanent
		neigh replace $BOX6 lladdr $MAC_BR dev lan nud permanent
		neigh replace 192.0.2.31 lladdr $MAC_C1 dev lan nud permanent
		neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev lan nud permanent
		LINES
		must ns rt nft delete table arp mute
		must ns rt nft delete table ip6 mute
		return
	fi
	frame make has $1 192.0.2.1 >"$TMP/says"
	frame make has $1 2001:db8:1::1 >>"$TMP/says"
	for _ in 1 2 3; do
		must ns rt frame send -i lan <"$TMP/says"
	done
}

# --------------------------------------------------------------------------------------

asked() # WIRE
{
	if [ $family = 4 ]; then
		wire_sum $1 "way == \"from\" && type == \"arp\" && daddr == \"$S1\""
	else
		wire_sum $1 "way == \"from\" && proto == \"icmp\" && sport == 135 && daddr == \"ff02::1:ff00:73\""
	fi
}

# Its packets; a capture has no ports above 32767
tunnel()
{
	echo "way == \"from\" && proto == \"udp\" && daddr == \"$S1\""
}

# Who has asked in vain sends nothing for a moment.
asks_anew()
{
	ns box ip neigh del $S1 dev br0 2>/dev/null
}

stuck() # TITLE
{
	wire_both
	must ip -n mk-box link set wg0 down
	asks_anew
	wireguard_anew
	nok "$1: the far end is not reached" ns box load get -t 2 "$(this FAR)" 80
	wire_stop
	cmp_ok "$(asked east)" -ge 1 "$1: it is asked for by ARP"
	is "$(wire_sum east "$(tunnel)")" 0 "$1: nothing leaves for it"
}

leaves() # TITLE MAC
{
	wire_leg east "$(this BOX)" $S1 $MAC_BR $2 10 "$1: from the box to the router"
	is "$(asked east)" 0 "$1: nobody is asked for the far end"
	is "$(wire_sum west "$(tunnel)")" 0 "$1: nothing of it goes to the clients"
}

opened() # TITLE
{
	wireguard_anew
	wire_both
	ok "$1: the box asks the far end" ns box load get -s 100000 "$(this FAR)" 80
	wire_stop
	leaves "$1" $MAC_R
}

# The far end begins, and what the box sends answers it
answered() # TITLE
{
	wireguard_anew
	wire_both
	ok "$1: the far end asks the box" ns srv load get -s 100000 "$(this NEAR)" 80
	ok "$1: and the box the far end" ns box load get -s 100000 "$(this FAR)" 80
	wire_stop
	leaves "$1" $MAC_R
}

captured() # TITLE
{
	wireguard_anew
	wire_both
	ok "$1: a client's request is taken into the tunnel" ns c1 load get -s 100000 "$(this T)"
	wire_stop
	wire_leg west "$(this T)" $C1 $MAC_R $MAC_C1 10 "$1: and answered as if from the router"
	leaves "$1" $MAC_R
	is "$(wire_sum east "way == \"from\" && daddr == \"$(this T)\"")" 0 "$1: none of it goes beside the tunnel"
}

moved() # TITLE [silently]
{
	wireguard_anew
	router_is $MAC_R
	must held_start flow box "$(this FAR)" 80
	ok "$1: a flow" held_grows flow
	wire_both
	router_is $MAC_R9 ${2-}
	ok "$1: the router fails over, and it goes on" held_grows flow
	wire_stop
	[ $# -eq 1 ] || is "$(wire_sum east "way == \"to\" && src == \"$MAC_R9\" && (type == \"arp\" || proto == \"icmp\")")" 0 \
		"$1: without a word"
	wire_both
	ok "$1: and on" held_grows flow
	wire_stop
	held_stop flow
	leaves "$1" $MAC_R9
	router_is $MAC_R
}

# One that the rule does not name
unnamed() # TITLE
{
	asks_anew
	wire_both
	nok "$1: another socket is not helped" ns box udp talk -t 1 $S1
	wire_stop
	cmp_ok "$(asked east)" -ge 1 "$1: it asks by ARP"
}

must topo_up
must wireguard_up
web_up srv
web_up srv 80
echo_up srv
for any in 0.0.0.0 ::; do
	must spawn_ready near-$any ns box load serve -b $any 80
	near+=("$spawned")
done
module_needed
topo_box_marks "ip daddr $T4"
must ns box nft add rule bridge mackeep lift ip6 daddr $T6 meta mark set $LIFT_MARK
rules

# The clients show their router: they ask for its MAC, and send to T.
ns c1 load get -t 1 $T4 >/dev/null 2>&1
ns c1 load get -t 1 $T6 >/dev/null 2>&1
each_family stuck "no rule"
is "$(mackeep_stat box router)" 0 "no rule: no router is taken"

rules -j MACKEEP --next-hop route
each_family stuck "--next-hop route"

rules -j MACKEEP --orig-mark $FWMARK
each_family opened "opened here"
cmp_ok "$(mackeep_stat box router)" -ge 2 "these flows are counted"
each_family unnamed "not its mark"
each_family captured "captured"
each_family answered "opened there"
each_family moved "fail-over"
silently() { moved "$1" silently; }
each_family silently "fail-over, silently"

# A route that names a gateway is somebody's word.
rules -j MACKEEP
must topo_ip box <<-LINES
	route replace default via 192.0.2.1
	route replace ::/0 via 2001:db8:1::1
LINES
before=$(mackeep_stat box router)
ok "a gateway: a datagram is answered" ns box udp talk $S1
is "$(mackeep_stat box router)" $before "a gateway: its route is taken"

for pid in "${near[@]}"; do
	tap_kill $pid
done
net_done
