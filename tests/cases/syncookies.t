#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# SYN cookies with a service: the frame that ends a handshake belongs to no socket,
# and is for the proxy all the same. What began without the proxy stays without it,
# while cookies are being sent as well. Always (2), under a flood (1), and SYNPROXY's.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy
#
# Control: segments like these, whose cookie is none, go past the proxy.
#
# Seen by others: the cookie sits in a number that somebody else chose,
# 0xsirus/tirdad issue 34; SYNPROXY and TPROXY each work, but not both,
# firehol/firehol issue 454.
#
# Its time is long: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
tools frame

# Handshakes of the box that were answered by a cookie, and that ended with one
cookies() # Sent|Recv|Failed
{
	ns box awk -v name="Syncookies$1" '
		/^TcpExt:/ && !col { for (i = 2; i <= NF; i++) if ($i == name) col = i; next }
		/^TcpExt:/ { print $col }' /proc/net/netstat
}

must topo_up
must servers_up
must proxy_up
module_needed
topo_box_marks
topo_box_rules -j MACKEEP
is "$(service_add -p tcp --to $PROXY_PORT)" "" "a service is made"

past_start()
{
	must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass on
	must held_start past$family c1 -s 5000 -w 20 $S1
	must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass off
	must busywait 10 service_is tcp ipv$family open
}

past_lives() # TITLE
{
	ok "$1: what began without the proxy goes on" held_grows past$family 20
	ok "$1: and has failed nothing" held_stop past$family
}

# The end of a handshake that nobody began
none() # TITLE
{
	local frame before

	before=$(service tcp midstream)
	frame=$(frame make -a 12345 ack $MAC_C1 $MAC_R $C1 $S1 45000 443)
	wire_start east east e0 -p
	must ns c1 frame send -i eth0 -n 10 <<<"$frame"
	ok "$1: a cookie that is none" busywait 10 wire_has east \
		"way == \"from\" && src == \"$MAC_C1\" && saddr == \"$C1\" && sport == 45000"
	wire_stop
	is $(($(service tcp midstream) - before)) 10 "$1: goes past the proxy"
}

always() # TITLE
{
	local t=$1 before

	past_start
	topo_sysctl box net.ipv4.tcp_syncookies=2
	before=$(cookies Recv)
	wire_both
	proxied "$t" 20
	ok "$t: many at a time" new 100 -c 8
	proxy_quiet
	wire_stop
	cmp_ok "$(($(cookies Recv) - before))" -ge 120 "$t: each by a cookie"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 200 "$t: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 200 "$t: to the server"
	wire_clean "$t" 'type ~ /ip/'
	past_lives "$t"
	none "$t"
	topo_sysctl box net.ipv4.tcp_syncookies=1
}
each_family always "cookies always"

# A queue of handshakes that is kept full
flood() # TITLE
{
	local t=$1 before flood

	past_start
	proxy_down
	topo_sysctl box net.core.somaxconn=32 net.ipv4.tcp_synack_retries=2
	must proxy_up
	must busywait 10 service_is tcp ipv$family open
	spawn flood ns west frame flood -i w0 -n 20000 syn $MAC_C2 $MAC_R $S1 443 200000
	flood=$spawned
	before=$(cookies Sent)
	must busywait 20 eval '[ $(cookies Sent) -gt '$((before + 50))' ]'
	before=$(cookies Recv)
	taken >/dev/null
	ok "$t: new connections" new 50
	cmp_ok "$(taken)" -ge 40 "$t: go through the proxy"
	cmp_ok "$(($(cookies Recv) - before))" -gt 0 "$t: by cookies"
	past_lives "$t"
	none "$t"
	tap_kill $flood
	topo_sysctl box net.core.somaxconn=4096 net.ipv4.tcp_synack_retries=5
}
each_family flood "a flood"

# --- SYNPROXY ----------------------------------------------------------------------------

# What SYNPROXY sends to the server is for the proxy; that one's own has sockets.
for tables in iptables ip6tables; do
	must ns box $tables -t raw -A PREROUTING -i br0 -p tcp --dport 443 --syn -j CT --notrack
	must ns box $tables -A INPUT -i br0 -p tcp --dport 443 -m conntrack \
		--ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460
	must ns box $tables -t mangle -A OUTPUT -p tcp --dport 443 ! --tcp-flags RST RST \
		-m owner ! --socket-exists -j MARK --set-mark 1
done
topo_sysctl box net.netfilter.nf_conntrack_tcp_loose=0 net.ipv4.tcp_synack_retries=1 \
	net.ipv4.tcp_syncookies=0

valid() # cookies that SYNPROXY took
{
	ns box awk 'NR > 1 { print $4 }' /proc/net/stat/synproxy | { n=0; while read -r x; do n=$((n + 0x$x)); done; echo $n; }
}

synproxy() # TITLE
{
	local t=$1 before

	past_start
	before=$(valid)
	wire_both
	proxied "$t" 20
	proxy_quiet
	wire_stop
	cmp_ok "$(($(valid) - before))" -ge 20 "$t: each by a cookie"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 80 "$t: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 80 "$t: to the server"
	wire_clean "$t" 'type ~ /ip/'
	past_lives "$t"
	none "$t"
}

nok "SYNPROXY: nothing works unless the service says it is there" new 3
must service_del tcp
is "$(service_add -p tcp --to $PROXY_PORT --synproxy)" "" "SYNPROXY: a service that says so"
each_family synproxy "SYNPROXY"

proxy_quiet
net_done
