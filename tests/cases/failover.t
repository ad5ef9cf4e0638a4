#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The router fails over while the client is silent. The old router dies with
# acknowledgements of the proxy's. The first packet from the new one, which has
# another MAC, is one that the server repeats. The proxy has it already, so there is
# nothing for the client to answer. Within a second both legs have to use the new MAC.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east -+- rt ..:f1, then ..:f9 --- srv
#     ..:c1, later ..:c9                                          +- l1 ..:80
#                                                                 +- l2 ..:81
#
# The server sends in parts, the next one when it is told to. Control: the stack
# follows an announcement, with the box's own MACs.
#
# Seen by others: keepalived issues 20, "Problems with GARP" (a network that
# stood still for as long as ARP caches lived), and 160, "No gratuitous arp on
# recovery"; metallb issue 123, on failover with and without virtual MACs.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
tools frame udp

MAC_C9=02:00:00:00:00:c9
MAC_R9=02:00:00:00:00:f9
MAC_V=00:00:5e:00:01:01
VIP4=192.0.2.90
VIP6=2001:db8:1::90

declare -A pid

# --- flows ------------------------------------------------------------------------

# What the client asks for, once, and then listens
flow_start() # SERVER PARTS KIND...
{
	local to=$1 parts=$2

	shift 2
	for kind; do
		case $kind in
		tcp) spawn tcp$family ns c1 load get -p $parts -s $((parts * PART)) -t 60 $to ;;
		udp) spawn udp$family ns c1 udp talk -w $((parts - 1)) -t 60 $to ;;
		esac
		pid[$kind$family]=$spawned
	done
}

# Both families, to the server S1 unless it is L1
flows_start() # PARTS KIND...
{
	local to=${SERVER:-S1}

	kinds=${*:2}
	for family in 4 6; do
		topo_family $family
		flow_start ${!to} "$@"
	done
	topo_family 4
	must busywait 30 answers_there 1
	must busywait 30 acknowledged srv box
}

# COUNT parts of each download are there, and the datagrams' answers.
answers_there() # COUNT
{
	local name n

	for name in "${!pid[@]}"; do
		n=$(grep -cE "^(part|waiting)$" "$TMP/$name.out")
		[[ $name == udp* && $n -ge 1 ]] || [ $n -ge $1 ] || return
	done
}

next_datagram()
{
	[[ $kinds != *udp* ]] || kill -USR1 "${echo_pids[@]}"
}

flows_end() # TITLE
{
	local name

	for name in "${!pid[@]}"; do
		ok "$1: $name, all of it came, and intact" wait ${pid[$name]}
	done
	pid=()
	proxy_quiet
}

# Ends all flows, also those that hang. The box's connections go first, while all
# of them are still open.
flows_gone()
{
	local name

	[ ${#pid[@]} -gt 0 ] || return 0
	tcp_close box $proxy_pid
	for name in "${!pid[@]}"; do
		tap_kill ${pid[$name]}
	done
	pid=()
	tcp_close c1
	tcp_close srv
	busywait 30 tcp_idle box
}

# --- the router ---------------------------------------------------------------------

# First it stops forwarding, then its cable is pulled.
router_dies()
{
	local before

	before=$(retransmissions)
	must ns rt nft -f - <<-RULES
	table inet dying {
		chain forward {
			type filter hook forward priority 0; policy accept;
			iifname { lan, vrrp } drop
		}
	}
	RULES
	next_part
	must busywait 20 retransmitted $before
	# The client has acknowledged all that came.
	must busywait 20 acknowledged box
	must ip -n mk-east link set rt nomaster
	must ns rt nft delete table inet dying
}

# It has the client's MAC and need not ask for it: its question would tell its own.
router_knows() # CLIENT-MAC
{
	must ip -n mk-rt -batch - <<-LINES
	neigh replace 192.0.2.31 lladdr $1 dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $1 dev lan nud permanent
	LINES
}

router_mac() # MAC
{
	must ip -n mk-rt link set lan address $1
}

# NAMESPACE says by DEVICE that MAC has the addresses, three times.
announce() # NAMESPACE DEVICE MAC ADDRESS...
{
	local space=$1 dev=$2 mac=$3 addr

	shift 3
	for addr; do
		frame make has $mac $addr
	done >"$TMP/announce"
	for _ in 1 2 3; do
		must ns $space frame send -i $dev <"$TMP/announce"
	done
}

client_asks()
{
	ip -n mk-c1 neigh flush dev eth0
	ip -n mk-c1 -6 neigh flush dev eth0
}

client_pinned() # replace|del MAC
{
	must ip -n mk-c1 -batch - <<-LINES
	neigh $1 192.0.2.1 lladdr $2 dev eth0 nud permanent
	neigh $1 2001:db8:1::1 lladdr $2 dev eth0 nud permanent
	LINES
}

retransmitted() # MORE-THAN
{
	[ "$(retransmissions)" -gt $1 ]
}

retransmissions()
{
	ns srv awk '/^Tcp:/ && !col { for (i = 2; i <= NF; i++) if ($i == "RetransSegs") col = i; next }
		/^Tcp:/ { print $col }' /proc/net/snmp
}

# Another router takes over. It announces itself ("says"), asks for the client's
# MAC ("asks"), or does neither ("silent").
router_takes_over() # MAC HOW [CLIENT-MAC]
{
	router_mac $1
	[ $2 = asks ] || router_knows ${3:-$MAC_C1}
	must ip -n mk-east link set rt master br0
	[ $2 != says ] || announce rt lan $1 192.0.2.1 2001:db8:1::1
	next_datagram
}

# --- judgement ------------------------------------------------------------------------

# 1 s after the first frame with the new MAC nothing goes to the old one.
left_behind() # TITLE OLD NEW
{
	local old new

	new=$(wire_time east first "way == \"to\" && src == \"$3\"")
	# ICMP does not count: a neighbour solicitation of the client's is bridged.
	old=$(wire_time east last "way == \"from\" && dst == \"$2\" && proto != \"icmp\" && type ~ /^ip/")
	awk -v old="${old:-0}" -v new="$new" 'BEGIN { exit !(new != "" && old - new <= 1) }'
	tap_report $? "$1: 1 s after the first sign nothing goes to the old MAC (${old:-none}, ${new:-none})" && return
	wire_show east
}

legs() # TITLE CLIENT-MAC ROUTER-MAC
{
	wire_leg west $S1 $C1 $3 $2 3 "$1: to the client"
	wire_leg east $C1 $S1 $2 $3 2 "$1: to the router"
}

# What the server sent meanwhile gets acknowledged. If not, the flows are ended.
goes_on() # TITLE
{
	ok "$1: what the server sent meanwhile is acknowledged" busywait 15 acknowledged srv && return
	wire_stop
	wire_show east
	flows_gone
	return 1
}

# After that second every frame has the right MACs.
rest() # TITLE CLIENT-MAC ROUTER-MAC
{
	pause 1
	wire_both
	next_part
	next_datagram
	flows_end "$1"
	wire_stop
	[ $1 != control ] || return 0
	each_family legs "$@"
	wire_clean "$1"
}

# A failover from OLD to NEW
failover() # TITLE OLD NEW HOW KIND...
{
	local title=$1 old=$2 new=$3 how=$4

	shift 4
	flows_start 3 "$@"
	wire_both
	router_dies
	router_takes_over $new $how
	goes_on $title || return
	wire_stop
	[ $title = control ] || left_behind $title $old $new
	rest $title $MAC_C1 $new
}

# --------------------------------------------------------------------------------------

must topo_up
must servers_up
echo_up srv
must proxy_up
router_knows $MAC_C1

# --- control --------------------------------------------------------------------------

today_up
failover control $MAC_R $MAC_R9 says tcp
plain() # TITLE
{
	wire_leg west $S1 $C1 $MAC_BR $MAC_C1 3 "$1: from the box"
	wire_leg east $C1 $S1 $MAC_BR $MAC_R9 2 "$1: the stack follows the router"
}
each_family plain control
today_down
router_mac $MAC_R
router_knows $MAC_C1

kept_up
udp_proxy_up

# --- three ways to learn of it ----------------------------------------------------------

client_asks
failover announced $MAC_R $MAC_R9 says tcp udp

# A question for the client's MAC tells as well: it is a broadcast from the new MAC.
client_asks
failover asked $MAC_R9 $MAC_R asks tcp udp

# Nothing but the frames of the flows: the client goes on sending to the dead MAC.
router_knows $MAC_C1
client_pinned replace $MAC_R
failover silent $MAC_R $MAC_R9 silent tcp udp
client_pinned del $MAC_R
router_mac $MAC_R
router_knows $MAC_C1

# --- back and forth -----------------------------------------------------------------------

client_asks
flows_start 11 tcp
for turn in 1 2 3 4 5 6 7 8 9 10; do
	mac=$MAC_R9
	((turn % 2)) || mac=$MAC_R
	router_mac $mac
	router_knows $MAC_C1
	announce rt lan $mac 192.0.2.1 2001:db8:1::1
	[ $turn -lt 10 ] || { pause 1; wire_both; }
	next_part
	busywait 15 answers_there $((turn + 1)) || break
	busywait 15 acknowledged srv || break
done
if is $turn 10 "swaps: after each the server's next part arrives and is acknowledged"; then
	flows_end swaps
	wire_stop
	each_family legs swaps $MAC_C1 $MAC_R
	wire_clean swaps
fi
flows_gone

# --- the client too -------------------------------------------------------------------------

client_asks
flows_start 3 tcp udp
wire_both
router_dies
must ip -n mk-c1 link set eth0 address $MAC_C9
announce c1 eth0 $MAC_C9 192.0.2.31 2001:db8:1::31
router_takes_over $MAC_R9 says $MAC_C9
if goes_on both; then
	wire_stop
	rest both $MAC_C9 $MAC_R9
fi
must ip -n mk-c1 link set eth0 address $MAC_C1
announce c1 eth0 $MAC_C1 192.0.2.31 2001:db8:1::31
router_mac $MAC_R
router_knows $MAC_C1
announce rt lan $MAC_R 192.0.2.1 2001:db8:1::1

# --- a virtual MAC stays ----------------------------------------------------------------------

client_pinned replace $MAC_V
must topo_ip rt <<-LINES
	link add link lan name vrrp address $MAC_V type macvlan mode private
	link set vrrp up
LINES
topo_sysctl rt net.ipv4.conf.vrrp.arp_ignore=1
flows_start 3 tcp udp
wire_both
router_dies
router_takes_over $MAC_R9 silent
announce rt lan $MAC_V 192.0.2.1 2001:db8:1::1
if goes_on virtual; then
	next_part
	next_datagram
	flows_end virtual
	wire_stop
fi
cmp_ok "$(wire_sum east "way == \"to\" && type ~ /^ip/ && src == \"$MAC_R9\"")" -ge 6 \
	"virtual: the router sends from its own new MAC"
each_family legs virtual $MAC_C1 $MAC_V
must ip -n mk-rt link del vrrp
client_pinned del $MAC_V
router_mac $MAC_R
router_knows $MAC_C1

# --- an address that moves on, and a host that stays ---------------------------------------------

must topo_ip l1 <<-LINES
	addr add $VIP4/24 dev eth0
	addr add $VIP6/64 dev eth0 nodad preferred_lft 0
LINES
client_asks
ok "moved: a request to the address, IPv4" ns c1 load get $VIP4
ok "moved: a request to the address, IPv6" ns c1 load get $VIP6
SERVER=L1 flows_start 2 tcp
must topo_ip l1 <<-LINES
	addr del $VIP4/24 dev eth0
	addr del $VIP6/64 dev eth0
LINES
must topo_ip l2 <<-LINES
	addr add $VIP4/24 dev eth0
	addr add $VIP6/64 dev eth0 nodad preferred_lft 0
LINES
announce l2 eth0 $MAC_L2 $VIP4 $VIP6
wire_both
next_part
flows_end "moved, the host's other address"
ok "moved: a request to where it is now, IPv4" ns c1 load get -t 5 $VIP4
ok "moved: a request to where it is now, IPv6" ns c1 load get -t 5 $VIP6
proxy_quiet
wire_stop
moved() # TITLE
{
	local vip=VIP$family

	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 3 "$1: the other address stays, west"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 2 "$1: the other address stays, east"
	wire_leg west ${!vip} $C1 $MAC_L2 $MAC_C1 2 "$1: the address is followed, west"
	wire_leg east $C1 ${!vip} $MAC_C1 $MAC_L2 2 "$1: the address is followed, east"
}
each_family moved "moved"

# --- who is told not to follow ----------------------------------------------------------------------

topo_box_rules -j MACKEEP --refresh first
# Otherwise the MACs of before would be the first ones.
must ns box mackeep flush
client_asks
flows_start 3 tcp
wire_both
router_dies
router_takes_over $MAC_R9 says
before=$(retransmissions)
ok "--refresh first: the server goes on trying" busywait 30 retransmitted $((before + 3))
wire_stop
kept() # TITLE
{
	cmp_ok "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && daddr == \"$S1\" && dst == \"$MAC_R\"")" -ge 1 \
		"$1: it is answered at the old MAC"
	is "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && daddr == \"$S1\" && dst != \"$MAC_R\"")" 0 \
		"$1: and at no other"
}
each_family kept "--refresh first"
topo_box_rules -j MACKEEP
flows_gone

net_done
