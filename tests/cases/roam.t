#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# MACs that change under live flows: the router's, the client's, and a router
# that takes frames at a virtual MAC but sends them from its own.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1, later ..:c9                                  ..:f1, later ..:f9
#
# A station that moves announces it by a gratuitous ARP reply and an unsolicited
# neighbour advertisement, as a router does that takes over.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

BULK=100000000
C6=2001:db8:1::31
S6=2001:db8:2::73
MAC_C9=02:00:00:00:00:c9
MAC_R9=02:00:00:00:00:f9
MAC_V=00:00:5e:00:01:01

# Bytes that came to c1 until now
arrived()
{
	ns c1 awk '$1 == "eth0:" { printf "%d\n", $2 }' /proc/net/dev
}

arrived_past() # BYTES
{
	[ "$(arrived)" -ge "$1" ]
}

router_moves() # MAC
{
	must ip -n mk-rt link set lan address $1
}

client_moves() # MAC
{
	must ip -n mk-c1 link set eth0 address $1
}

# The last frame for which OLD holds came no more than SECONDS after the first for
# which NEW holds. There were frames of both.
until_shown() # NAME OLD NEW SECONDS DESCRIPTION
{
	local old new

	old=$(wire_time $1 last "$2")
	new=$(wire_time $1 first "$3")
	awk -v old="$old" -v new="$new" -v max="$4" \
		'BEGIN { exit !(old != "" && new != "" && old - new <= max) }'
	tap_report $? "$5 (${old:-none}, ${new:-none})" && return
	wire_show $1
}

# A download during which the router moves and then the client
moving() # TITLE BYTES SERVER CLIENT
{
	local start

	wire_both
	start=$(arrived)
	spawn moving ns c1 load get -s $2 -t 20 $3
	ok "$1: a fifth is there, the router moves" busywait 60 arrived_past $((start + $2 / 5))
	router_moves $MAC_R9
	ok "$1: two fifths, the client moves" busywait 60 arrived_past $((start + $2 * 2 / 5))
	client_moves $MAC_C9
	ok "$1: the transfer of $2 bytes ends, all of them intact" wait $spawned
	proxy_quiet
	wire_stop

	until_shown east "way == \"from\" && dst == \"$MAC_R\"" \
		"way == \"to\" && src == \"$MAC_R9\"" 1 \
		"$1: 1 s after the router's news nothing goes to its dead MAC"
	until_shown west "way == \"from\" && saddr == \"$3\" && src == \"$MAC_R\"" \
		"way == \"to\" && daddr == \"$3\" && dst == \"$MAC_R9\"" 1 \
		"$1: nor comes anything from it, once the client knows"
	until_shown west "way == \"from\" && dst == \"$MAC_C1\"" \
		"way == \"to\" && src == \"$MAC_C9\"" 1 \
		"$1: 1 s after the client's news nothing goes to its dead MAC"
	until_shown east "way == \"from\" && saddr == \"$4\" && src == \"$MAC_C1\"" \
		"way == \"from\" && src == \"$MAC_C9\"" 1 \
		"$1: nor comes anything from it"
	cmp_ok "$(wire_sum west "way == \"from\" && src == \"$MAC_R9\" && dst == \"$MAC_C9\" && saddr == \"$3\"" bytes)" \
		-gt $(($2 / 50)) "$1: the rest comes from the one to the other, west"
	cmp_ok "$(wire_sum east "way == \"from\" && src == \"$MAC_C9\" && dst == \"$MAC_R9\" && saddr == \"$4\"")" \
		-ge 1 "$1: and is acknowledged so, east"
	wire_clean "$1"
	router_moves $MAC_R
	client_moves $MAC_C1
}

# A connection that is idle while both move: no frame is on its way then.
idle() # NAME SERVER CLIENT
{
	until_shown west "way == \"from\" && saddr == \"$2\" && src == \"$MAC_R\" && dst == \"$MAC_C1\"" \
		"way == \"to\" && daddr == \"$2\" && src == \"$MAC_C9\" && dst == \"$MAC_R9\"" 0 \
		"$1, idle: the first frame changes the answers to the client"
	until_shown east "way == \"from\" && saddr == \"$3\" && src == \"$MAC_C1\" && dst == \"$MAC_R\"" \
		"way == \"from\" && saddr == \"$3\" && src == \"$MAC_C9\" && dst == \"$MAC_R9\"" 0 \
		"$1, idle: and all that goes to the router"
}

first_failed()
{
	[ "$(held_count first failed)" -ge 1 ]
}

# The client has the virtual MAC for the router's addresses.
client_pinned() # replace|del
{
	must ip -n mk-c1 -batch - <<-LINES
	neigh $1 192.0.2.1 lladdr $MAC_V dev eth0 nud permanent
	neigh $1 2001:db8:1::1 lladdr $MAC_V dev eth0 nud permanent
	LINES
}

must topo_up
topo_sysctl rt net.ipv4.conf.lan.arp_notify=1 net.ipv6.conf.lan.ndisc_notify=1
topo_sysctl c1 net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1
must servers_up
must proxy_up
must topo_ip rt <<-LINES
	link add link lan name vrrp address $MAC_V type macvlan mode private
	link set vrrp up
LINES
# It has no address: an ARP request for the router's gets one answer.
topo_sysctl rt net.ipv4.conf.vrrp.arp_ignore=1
client_pinned replace

# --- control ----------------------------------------------------------------------

today_up
wire_both
ok "no module: a request" ns c1 load get $S1
proxy_quiet
wire_stop
wire_leg west $S1 $C1 $MAC_BR $MAC_C1 4 \
	"no module: the client is answered by the box's MAC, not the virtual one"
wire_leg east $C1 $S1 $MAC_BR $MAC_R 4 \
	"no module: and the router gets the box's, not the client's"
today_down

kept_up

# --- a router with a virtual MAC -----------------------------------------------------

# What the server sends to a socket that is closed is bridged as it is.
wire_both -q 0
ok "virtual: a connection is at work, another router takes over" \
	held_start virtual c1 -s 1000000 -t 20 $S1
router_moves $MAC_R9
ok "virtual: it goes on" held_grows virtual 10
ok "virtual: IPv6" ns c1 load get -n 5 $S6
wire_stop
ok "virtual: bytes intact" held_stop virtual
proxy_quiet
cmp_ok "$(wire_sum east "way == \"to\" && saddr == \"$S1\" && src == \"$MAC_R\"")" -ge 20 \
	"virtual: the one router sends from its own MAC"
cmp_ok "$(wire_sum east "way == \"to\" && (saddr == \"$S1\" || saddr == \"$S6\") && src == \"$MAC_R9\"")" \
	-ge 20 "virtual: and so does the other"
wire_leg west $S1 $C1 $MAC_V $MAC_C1 200 "virtual: the client is answered from the virtual one"
wire_leg west $S6 $C6 $MAC_V $MAC_C1 4 "virtual: IPv6 as well"
wire_leg east $C1 $S1 $MAC_C1 $MAC_V 20 "virtual: and what it sends goes there"
wire_leg east $C6 $S6 $MAC_C1 $MAC_V 4 "virtual: IPv6 as well"
wire_clean "virtual"
client_pinned del
router_moves $MAC_R

# --- in the middle of a transfer -------------------------------------------------------

moving IPv4 $BULK $S1 $C1
moving IPv6 $BULK $S6 $C6

# --- while nothing is sent ---------------------------------------------------------------

# Between two requests there is time for both to move. If one came first all the
# same, the next but one is judged.
pause=$((2000 * ${MACKEEP_PATIENCE:-1}))
wire_both
spawn held-v4 ns c1 load get -l -w $pause $S1
held_pid[v4]=$spawned
spawn held-v6 ns c1 load get -l -w $pause $S6
held_pid[v6]=$spawned
busywait 20 held_past v4 1
busywait 20 held_past v6 1
router_moves $MAC_R9
client_moves $MAC_C9
ok "IPv4, idle: the connection goes on" held_grows v4 2
ok "IPv6, idle: the connection goes on" held_grows v6 2
ok "IPv4, idle: nothing failed" held_stop v4
ok "IPv6, idle: nothing failed" held_stop v6
proxy_quiet
wire_stop
idle IPv4 $S1 $C1
idle IPv6 $S6 $C6
wire_clean "idle"

# --- who is told not to follow ---------------------------------------------------------------

topo_box_rules -j MACKEEP --refresh first
wire_both
spawn held-first ns c1 load get -l -w 1000 -t 4 $S1
busywait 20 held_past first 1
client_moves $MAC_C1
ok "--refresh first: the connection breaks" busywait 20 first_failed
wire_stop
old=$(wire_time west last "way == \"from\" && saddr == \"$S1\" && dst == \"$MAC_C9\"")
new=$(wire_time west first "way == \"to\" && daddr == \"$S1\" && src == \"$MAC_C1\"")
ok "--refresh first: answers go on to the dead MAC ($old, $new)" \
	awk -v old="$old" -v new="$new" 'BEGIN { exit !(new != "" && old > new + 1) }'
# Otherwise the box's sockets would retry for minutes.
topo_box_rules -j MACKEEP
tap_kill $spawned
ok "followed again, it comes to rest" proxy_quiet

net_done
