#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up: one command makes a bare bridge keep, with nft and with iptables,
# for IPv4, IPv6 and a VLAN.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                        box ..:b0,b1,b2               ..:80
#
# The same in VLAN 100: c1 198.51.100.31, l1 198.51.100.80. Control: without
# "up" requests pass the bridge, and the proxy does not see them.
#
# It is about the tool: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep ebtables socat
tools udp

L1_6=2001:db8:1::80
C1_6=2001:db8:1::31
UP="--bridge br0 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT --settle 0"

opens()
{
	box_opens Passive
}

up() # OPTION...
{
	ns box mackeep up "$@"
}

down()
{
	ns box mackeep down br0 "$@"
}

# Everything is answered, through the proxy, and nothing shows the box's MAC.
kept() # TITLE
{
	local before

	before=$(opens)
	wire_both
	ok "$1: requests are answered" ns c1 load get -c 2 -n 4 $L1
	ok "$1: datagrams are answered" ns c1 udp talk -n 3 $L1
	ok "$1: datagrams over IPv6 are answered" ns c1 udp talk -n 3 $L1_6
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	is $(($(opens) - before)) 2 "$1: through the proxy"
	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 8 "$1: to the client"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 8 "$1: to the server"
	wire_leg west $L1_6 $C1_6 $MAC_L1 $MAC_C1 3 "$1: to the client, IPv6"
	wire_leg east $C1_6 $L1_6 $MAC_C1 $MAC_L1 3 "$1: to the server, IPv6"
	wire_clean "$1"
}

# 802.1X frames that come out of the box's other end, of three that are sent
eapol()
{
	local i

	wire_start eapol east e0
	for i in 1 2 3; do
		printf '\x01\x80\xc2\x00\x00\x03\x02\x00\x00\x00\x00\xc1\x88\x8e\x01\x01%046d' $i |
			ns west socat -u - INTERFACE:w0 >&2
	done
	wire_stop eapol >&2
	wire_sum eapol 'type == "888e"'
}

# Lines without the timeout, which ticks, and without the record
lines()
{
	sed -E 's/^([a-z]+ +[0-9]+) [0-9]+ /\1 T /; s/ smac=.*//; s/ *$//' | sort
}

# What conntrack -L prints of kept flows is what mackeep list begins with.
listed() # TITLE
{
	{ ns box conntrack -L -f ipv4; ns box conntrack -L -f ipv6; } 2>/dev/null |
		grep helper=mackeep | lines >"$TMP/theirs"
	ns box mackeep list 2>/dev/null | lines >"$TMP/ours"
	cmp_ok "$(wc -l <"$TMP/theirs")" -ge 4 "$1: there are flows"
	ok "$1: listed as by conntrack -L" diff "$TMP/theirs" "$TMP/ours"
}

must topo_up
topo_box_unrouted
web_up l1
echo_up l1
must proxy_up
udp_proxy_up

# --- control ----------------------------------------------------------------------

before=$(opens)
ok "no up: a request passes the bridge" ns c1 load get $L1
is "$(opens)" "$before" "no up: and the proxy does not see it"

is "$(eapol)" 0 "no up: 802.1X stays where it is"

module_needed
ok "up" up $UP
is "$(eapol)" 3 "up: 802.1X passes the bridge"
is "$(ns box mackeep services 2>/dev/null | sed 's/ lifted=.*//')" \
	"tcp to=$PROXY_PORT mark=0x4d4b ipv4=open ipv6=open fail=open
udp to=$PROXY_PORT mark=0x4d4b ipv4=open ipv6=open fail=open" "up: the proxy's services are there"
topo_sysctl box net.netfilter.nf_conntrack_acct=1
kept "nft"
like "$(ns box mackeep list 2>/dev/null)" "packets=.*\[ASSURED\]" "with packets and bytes"
listed "nft"
ok "down" down
before=$(opens)
ok "down: a request passes the bridge" ns c1 load get $L1
is "$(opens)" "$before" "down: and the proxy does not see it"

# --- iptables ---------------------------------------------------------------------------

ok "up --backend iptables" up --backend iptables --strict $UP
like "$(ns box iptables -t mangle -S)" "-j MACKEEP --strict" "with an option of the rule"
kept "iptables"
ok "up again" up --backend iptables --strict $UP
is "$(up --backend iptables --strict $UP --dry-run)" "" "nothing is left to do"
ok "down" down
unlike "$(ns box sh -c 'iptables -t mangle -S; ip6tables -t mangle -S; ebtables -t nat -L')" \
	mackeep "no rule is left"

# --- VLAN -----------------------------------------------------------------------------------

for host in c1:198.51.100.31 l1:198.51.100.80; do
	must ip -n mk-${host%:*} -batch - <<-LINES
	link add link eth0 name eth0.100 type vlan id 100
	addr add ${host#*:}/24 dev eth0.100
	link set eth0.100 up
	LINES
done
must ip -n mk-c1 neigh add 198.51.100.80 lladdr $MAC_L1 dev eth0.100
must ip -n mk-l1 neigh add 198.51.100.31 lladdr $MAC_C1 dev eth0.100
ok "up --vlan" up $UP --vlan 100
before=$(opens)
wire_both
ok "vlan: a request is answered" ns c1 load get -b 198.51.100.31 198.51.100.80
ok "vlan: the proxy comes to rest" proxy_quiet
wire_stop
is $(($(opens) - before)) 1 "vlan: through the proxy"
wire_leg west 198.51.100.80 198.51.100.31 $MAC_L1 $MAC_C1 3 "vlan: to the client"
wire_leg east 198.51.100.31 198.51.100.80 $MAC_C1 $MAC_L1 3 "vlan: to the server"
is "$(wire_sum east 'way == "from" && saddr == "198.51.100.31" && vlan != 100')" 0 \
	"vlan: all tagged"
ok "a request without tag passes by" ns c1 load get $L1
is $(($(opens) - before)) 1 "and the proxy does not see it"
ok "down" down

net_done
