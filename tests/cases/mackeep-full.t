#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check: tables that are full, a port that another program has, packets that
# are not kept, and why. Each is provoked, and gone after what is printed.
#
#  c1 192.0.2.31 --+                                      +-- l1 192.0.2.80, l2
#     ..:c1        +-- west -- [ port0 br0 port1 ] -- east     ..:80         ..:81
#  c2 ..:c2 -------+               ..:b0,b1,b2            +-- rt ..:f1 -- srv
#
# Control: before it is provoked nothing is found.
#
# Seen by others: new connections are dropped as conntrack is full, and a larger limit
# helps, kubernetes/kubernetes issue 71261; nobody was told, canonical/hotsos issue
# 101; a port of TPROXY that another process has, SagerNet/sing-box issue 3646.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep socat conntrack
tools udp

# The findings of these alone, so that mend does what they say
only() # ID...
{
	local id

	for id; do
		grep "^$id: " "$TMP/found"
	done >"$TMP/one"
	mv "$TMP/one" "$TMP/found"
}

# A datagram from an address of others
forge() # FROM TO
{
	ns box socat -u - "UDP4-SENDTO:$2:9,bind=$1,ip-transparent" <<<boo
}

quiet()
{
	proxy_quiet
	look
}

must topo_up
servers_up
echo_up l1
must proxy_up
udp_proxy_up -u -k
kept_up
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
clean "set up by hand"

# --- tables ---------------------------------------------------------------------------

topo_sysctl box net.netfilter.mackeep_pair_max=4
ok "a client" ns c1 load get $L1
ok "another client" ns c2 load get $L1
must proxy_quiet
look
like "$(cat "$TMP/found")" "^pairs: the pair cache is nearly full: 4 of 4; " "pairs: of how many"
ns c1 load get -t 2 $L2 >/dev/null 2>&1
look
like "$(cat "$TMP/found")" "pairs: the pair cache is full, 4 of 4: all are in use, and [1-9][0-9]* were not learned" \
	"pairs: and how many were not learned"
only pairs
mend
is "$(ns box cat /proc/sys/net/netfilter/mackeep_pair_max)" 8 "pairs: there is room for twice as many"
ok "pairs: and the client gets its answer" ns c1 load get $L2
quiet
clean "pairs"
topo_sysctl box net.netfilter.mackeep_pair_max=65536

most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
defer sysctl -qw net.netfilter.nf_conntrack_max=$most
for i in {1..60}; do
	ns box conntrack -I -p udp -s 198.51.100.$i -d 198.51.100.200 --sport 1 --dport 2 -t 600
done >/dev/null 2>&1
count=$(ns box cat /proc/sys/net/netfilter/nf_conntrack_count)
must sysctl -qw net.netfilter.nf_conntrack_max=$((count * 100 / 92))
look
like "$(cat "$TMP/found")" "^conntrack: the conntrack table is nearly full, [0-9]* of $((count * 100 / 92)): " \
	"conntrack: nearly full"
must sysctl -qw net.netfilter.nf_conntrack_max=$count
look
like "$(cat "$TMP/found")" "^conntrack: the conntrack table is full, " "conntrack: full"
mend
is "$(cat /proc/sys/net/netfilter/nf_conntrack_max)" $((2 * count)) "conntrack: there is room for twice as many"
clean "conntrack"
must sysctl -qw net.netfilter.nf_conntrack_max=$most
must ns box conntrack -D -d 198.51.100.200 >/dev/null 2>&1

# --- the proxy's port ---------------------------------------------------------------------

must spawn beside ns box socat TCP-LISTEN:$PROXY_PORT,reuseport,fork /dev/null
beside=$spawned
found_beside()
{
	look
	grep -q "^port-taken: " "$TMP/found"
}
ok "a program beside the proxy is found" busywait 10 found_beside
like "$(cat "$TMP/found")" "^port-taken: socat \(pid $beside\) listens on TCP port $PROXY_PORT .*; mend: stop socat \(pid $beside\), or " \
	"port-taken: by name"
tap_kill $beside
clean "port-taken"
proxy_down
must spawn instead ns box socat TCP-LISTEN:$PROXY_PORT,reuseaddr,fork /dev/null
instead=$spawned
found_instead()
{
	look
	grep -q "^listener: socat " "$TMP/found"
}
ok "a program instead of the proxy is found" busywait 10 found_instead
like "$(cat "$TMP/found")" "^listener: socat \(pid $instead\), .*has not set IP_TRANSPARENT; mend: stop socat \(pid $instead\)" \
	"listener: by name"
tap_kill $instead
must proxy_up
clean "listener"

# --- a service in bypass ---------------------------------------------------------------------

must ns box mackeep services add --mark $LIFT_MARK -p tcp --to $PROXY_PORT
must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass on
ok "a client goes past the proxy" ns c1 load get $L1
look
like "$(cat "$TMP/found")" "^bypass: .*, [1-9][0-9]* frames went by; " "bypass: how many frames"
mend
clean "bypass"
must ns box mackeep services del --mark $LIFT_MARK -p tcp

# --- packets that are not kept ------------------------------------------------------------------

# Only ARP would leave.
topo_sysctl box net.netfilter.mackeep_neigh=0
nok "nothing is known of the sender, nor can be asked for" forge 192.0.2.99 $L1
cmp_ok "$(mackeep_stat box unknown)" -gt 0 "nothing is known of the sender"
look
finds_not own-mac
must ip -n mk-box neigh replace $L1 lladdr $MAC_L1 dev br0
must forge 192.0.2.99 $L1
look
like "$(cat "$TMP/found")" "^own-mac: [1-9][0-9]* packets had this machine's own MAC, and a guard kept them in, .*: nothing is known" \
	"own-mac: why, and who kept it in"
mend
look
must forge 192.0.2.99 $L1
look
like "$(cat "$TMP/found")" "^own-mac: .*; mend: iptables .* --strict" "own-mac: and when nobody knows the sender"
mend
nok "own-mac: such packets are refused" forge 192.0.2.99 $L1
clean "own-mac"
must ns box iptables -t mangle -D PREROUTING -i br0 -j MACKEEP --strict
topo_sysctl box net.netfilter.mackeep_neigh=1

# By another device than the flow came by, as when a route changes
must ip -n mk-box -batch - <<-LINES
link add eth9 type dummy
link set eth9 up
LINES
must held_start flow c1 $L1
must ns box ip route add $L1 dev eth9
counted() # COUNTER
{
	[ "$(mackeep_stat box "$1")" -gt 0 ]
}
must busywait 20 counted device
held_stop flow >/dev/null 2>&1
look
like "$(cat "$TMP/found")" "^own-mac: [0-9]* packets left with this machine's own MAC .*: they leave by another device" \
	"own-mac: another device"
only own-mac
mend
look # packets that left before
ns c1 load get -t 2 $L1 >/dev/null 2>&1
look
finds_not own-mac
must topo_ip box <<-LINES
route del $L1 dev eth9
link del eth9
LINES
must ns box sysctl -qw net.netfilter.mackeep_steer=0
must proxy_quiet
ok "a request is answered again" ns c1 load get $L1
must proxy_quiet

# A rule that names a mark which they have not
look
must ns box iptables -t mangle -D PREROUTING -j MACKEEP
must ns box iptables -t mangle -I PREROUTING -j MACKEEP --orig-mark 0x99
ns c1 load get -t 2 $L1 >/dev/null 2>&1
look
like "$(cat "$TMP/found")" "^own-mac: .*their mark is not the one" "own-mac: their mark"
only own-mac
mend
quiet
ok "own-mac: a request is answered" ns c1 load get $L1
quiet
clean "own-mac"

# IPsec that takes what is for the client, with a priority as a daemon gives
own=192.0.2.5
esp() # xfrm OBJECT...
{
	ns box ip xfrm "$@"
}
must ns box ip addr add $own dev lo
must esp state add src $own dst $L2 proto esp spi 0x100 mode tunnel enc "cipher_null" ""
must esp policy add dir out dst 192.0.2.0/24 priority 1000 tmpl src $own dst $L2 proto esp mode tunnel
ns c1 load get -t 2 $L1 >/dev/null 2>&1
look
like "$(cat "$TMP/found")" "^own-mac: [1-9][0-9]* packets of kept flows went into IPsec .*; mend: .* dst CLIENTS " \
	"own-mac: IPsec"
unlike "$(cat "$TMP/found")" "strict" "own-mac: to drop them is no mend"
ok "own-mac: IPsec takes what the box opens, too" forge $C1 $L1
sed -i "s/; mend: [^:]*: /; mend: /; s/CLIENTS/$C1/g" "$TMP/found"
only own-mac
mend
quiet # packets that left before
ok "own-mac: past IPsec a request is answered" ns c1 load get $L1
quiet
clean "own-mac"
must esp policy flush
must esp state flush
must ns box ip addr del $own/32 dev lo
must ns box ip neigh flush dev br0

# Another server than the client's: the way to it is not known.
must ns box ip neigh flush all nud permanent
must ns box mackeep flush
ok "a client of a station" ns c1 load get $L1
quiet
nok "mute: another server" forge $C1 $S1
look
finds_not own-mac
like "$(cat "$TMP/found")" "^nexthop: 1 packets were dropped since the last check: .* no address to ask from; mend: .* via 169.254.1.1 dev br0 onlink" \
	"mute: it was dropped, and what would help"

# What clients ask for tells the router's MAC, which is that of more than one server.
S3=203.0.113.75
must ip -n mk-srv addr add $S3/32 dev lo
must ip -n mk-rt route add $S3 via $S2
ok "a client of the router" ns c1 load get $S2
ok "with another server" ns c1 load get $S3
quiet
wire_both
must forge $C1 $S1
must busywait 10 wire_has east "saddr == \"$C1\" && daddr == \"$S1\""
wire_stop
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 1 "mute: and then there is no more to it"
clean "mute"

# A rule that goes by the route, and an address to ask from
must ns box iptables -t mangle -I PREROUTING -j MACKEEP --next-hop route
must ns box iptables -t mangle -D PREROUTING -j MACKEEP
must ns box ip addr add 192.0.2.5/24 dev br0
ok "nexthop: a request is answered" ns c1 load get $L1
ns box conntrack -D -p udp -s $C1 -d $S1 >/dev/null 2>&1
quiet
wire_both
must forge $C1 $S1
must busywait 20 counted noneigh
wire_stop
is "$(wire_sum east "saddr == \"$C1\" && daddr == \"$S1\"")" 0 "control: it does not leave"
look
finds_not own-mac
like "$(cat "$TMP/found")" "^nexthop: 1 packets found no next hop by br0 .*: nobody answers for $S1.*; mend: .*lladdr $MAC_R " \
	"nexthop: who does not answer, and who would"
unlike "$(cat "$TMP/found")" "strict" "nexthop: to drop them is no mend"
mend
look
finds_not nexthop
wire_both
must forge $C1 $S1
must busywait 10 wire_has east "saddr == \"$C1\" && daddr == \"$S1\""
wire_stop
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 1 "nexthop: from the client's MAC to the router's"
must ns box ip addr del 192.0.2.5/24 dev br0
must ns box ip route replace default dev br0
must ns box iptables -t mangle -I PREROUTING -j MACKEEP
must ns box iptables -t mangle -D PREROUTING -j MACKEEP --next-hop route
ok "nexthop: a request is answered" ns c1 load get $L1
quiet
clean "nexthop"

# --- datagrams, and sockets that answer ------------------------------------------------------------

topo_box_rules_off
for proto in tcp udp; do
	must ns box iptables -t mangle -A PREROUTING -p $proto -j MACKEEP
	must ns box iptables -t mangle -A PREROUTING -p $proto --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
done
must ns box iptables -t mangle -I PREROUTING -m socket --transparent -j ACCEPT
nok "control: sockets first, and not all datagrams are answered" ns c1 udp talk -n 6 -t 2 $L1
must ns box iptables -t mangle -D PREROUTING -m socket --transparent -j ACCEPT
quiet
finds divert
like "$(cat "$TMP/found")" "^divert: .*-p udp -m multiport ! --dports 443 " "divert: a port of the proxy is TPROXY's"
mend
quiet
clean "divert"
ok "divert: six datagrams of a flow are answered" ns c1 udp talk -n 6 -t 10 $L1
ok "divert: and a request" ns c1 load get $L1
must ns box iptables -t mangle -I PREROUTING 3 -m mark --mark 1 -j ACCEPT
ok "divert: also before a rule that accepts the mark" ns c2 udp talk -n 6 -t 10 $L1

net_done
