#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two bridges in one box, and one default route. The clients of both use the proxy
# at once; what it sends for each leaves by that one's bridge, with the right MACs.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                                                          ..:80
#                               box
#
#  d1 198.51.100.31 ------ eth0 [ port2 br1 port3 ] eth0 ------ m1 198.51.100.80
#     ..:d1                                                          ..:d8
#
# Control: without the sysctl mackeep_steer clients of br1 get no answer, as that
# leaves by br0.
#
# Seen by others: GoSecure/pyrdp issue 204, what a proxy between two ports sends
# follows the routes of the box.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

TOPO_NS="$TOPO_NS d1 m1"
MAC_D1=02:00:00:00:00:d1 MAC_M1=02:00:00:00:00:d8

# The addresses at br1, of the family that is set
other()
{
	D1=198.51.100.31 M1=198.51.100.80
	[ $family = 4 ] || D1=2001:db8:3::31 M1=2001:db8:3::80
}

second_up()
{
	must ip -batch - <<-LINES
	link add br1 address 02:00:00:00:00:b5 netns mk-box type bridge
	$(topo_link box port2 02:00:00:00:00:b6 d1 eth0 $MAC_D1)
	$(topo_link box port3 02:00:00:00:00:b7 m1 eth0 $MAC_M1)
	LINES
	must topo_ip box <<-LINES
	link set port2 master br1 up
	link set port3 master br1 up
	link set br1 up
	LINES
	must topo_ip d1 <<-LINES
	addr add 198.51.100.31/24 dev eth0
	addr add 2001:db8:3::31/64 dev eth0 nodad
	link set eth0 up
	LINES
	must topo_ip m1 <<-LINES
	addr add 198.51.100.80/24 dev eth0
	addr add 2001:db8:3::80/64 dev eth0 nodad
	link set eth0 up
	LINES
}

lost() # TITLE
{
	other
	ok "$1: a client of br0 is answered" ns c1 load get $L1
	nok "$1: one of br1 is not" ns d1 load get -t 1 $M1
}

# Frames with an address that is not of that bridge, or with a MAC of the box
strays() # NAME PREFIX
{
	wire_sum $1 "way == \"from\" && type ~ /^ip/ && proto ~ /tcp|udp/ &&
		(saddr !~ /^$2/ || src ~ /:b[0-7]\$/)"
}

kept() # TITLE
{
	local lan='192\.0\.2\.' second='198\.51\.100\.'

	other
	[ $family = 4 ] || lan=2001:db8:1: second=2001:db8:3:
	wire_both
	wire_start d1 d1 eth0
	wire_start m1 m1 eth0
	must spawn one ns c1 load get -c 2 -n 10 -w 20 $L1
	ok "$1: requests of br1" ns d1 load get -c 2 -n 10 -w 20 $M1
	ok "$1: at the same time as those of br0" wait $spawned
	ok "$1: a connection for each request" ns d1 load get -o -n 3 $M1
	ok "$1: datagrams of br1" ns d1 udp talk -n 3 $M1
	ok "$1: datagrams of br0" ns c1 udp talk -n 3 $L1
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 10 "$1: br0, to the client"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 10 "$1: br0, to the server"
	wire_leg d1 $M1 $D1 $MAC_M1 $MAC_D1 13 "$1: br1, to the client"
	wire_leg m1 $D1 $M1 $MAC_D1 $MAC_M1 13 "$1: br1, to the server"
	is "$(strays west "$lan") $(strays east "$lan") $(strays d1 "$second") $(strays m1 "$second")" \
		"0 0 0 0" "$1: each on its own bridge, and none with a MAC of the box"
}

# One of the two is down, and the other as it was.
one_left() # TITLE
{
	local before

	other
	before=$(box_opens Active)
	ok "$1: br0 is answered" ns c1 load get $L1
	is "$(box_opens Active)" "$before" "$1: past the proxy"
	ok "$1: br1 is answered" ns d1 load get $M1
	is "$(box_opens Active)" $((before + 1)) "$1: by the proxy"
}

must topo_up
topo_box_unrouted
second_up
web_up l1
web_up m1
echo_up l1
echo_up m1
must proxy_up
udp_proxy_up
module_needed
# Before Linux 5.19 events of conntrack keep flows off the fast path.
topo_sysctl box net.netfilter.nf_conntrack_events=0
for bridge in br0 br1; do
	ok "up $bridge" ns box mackeep up --bridge $bridge --tcp 443 --udp 443 --to $PROXY_PORT \
		--settle 0
done
must ns box sysctl -qw net.netfilter.mackeep_steer=0
each_family lost "without the sysctl"
must ns box sysctl -qw net.netfilter.mackeep_steer=1
tcp_close box $proxy_pid
each_family kept "two bridges"
slow=$(mackeep_stat box slow) reply=$(mackeep_stat box reply)
cmp_ok $((slow * 2)) -lt $((reply + $(mackeep_stat box orig))) "most of it takes the fast path"
cmp_ok "$(mackeep_stat box steered)" -ge 50 "what is steered is counted"
ns box mackeep check >/dev/null 2>&1 # forgets what the control counted
is "$(ns box mackeep check 2>/dev/null)" "" "check finds nothing"
ok "down br0" ns box mackeep down br0
each_family one_left "br0 is down"
ok "down br1" ns box mackeep down br1
net_done
