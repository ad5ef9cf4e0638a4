#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An attacker on a third port sends from the victim's address. That moves no flow
# of the victim's: none of its frames leaves by the attacker's port, and none carries
# the attacker's MAC. A victim that really moves shows that with its own flow, and is
# followed. An address that nobody has used for 16 s is free for others.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1, later ..:c9            port2 |                   ..:f1
#                                        atk 192.0.2.31 ..:a7
#
# The victim has a download in parts; after each forgery comes the next part.
# Control: the stack alone keeps no MACs of frames, and is not affected.
#
# Seen by others: kubernetes issue 117924, "Connection reset by peer due to
# invalid conntrack packets", and spr-networks/super issue 375, "conntrack
# hardening": packets that conntrack calls INVALID go on through the stack.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
tools frame

PARTS=7
MAC_A=02:00:00:00:00:a7
MAC_C9=02:00:00:00:00:c9
TOPO_NS="$TOPO_NS atk"

declare -A port upstream
limit=15

# --- the victim's flow -------------------------------------------------------------

# COUNT parts are there, and nobody has anything on its way.
came() # COUNT
{
	parts_there $1 && acknowledged srv box
}

# The other end's port in the connections of NAMESPACE with SERVER
ports() # NAMESPACE local|peer
{
	ns $1 ss -Htn state established "${3:-( sport = :443 or dport = :443 )}" |
		awk -v want="$C1" -v col="$([ $2 = local ] && echo 3 || echo 4)" '
		index($col, want "]") || index($col, want ":") { sub(/.*:/, "", $col); print $col }'
}

victim_ports() # TITLE
{
	port[$family]=$(ports c1 local)
	upstream[$family]=$(ports srv peer)
	like "${port[$family]} ${upstream[$family]}" "^[0-9]+ [0-9]+$" \
		"$1: the victim has a connection, and the proxy one"
}

# Which MACs frames from the victim to the server carry, and to any
known() # SERVER
{
	ns box mackeep pairs 2>/dev/null | awk -v c="client=$C1" -v s="server=$1" '
		$0 ~ c " " && $0 ~ s " " {
			for (i = 1; i <= NF; i++) if ($i ~ /^[sd]mac=/) printf "%s ", $i
		}'
}

# --- the attacker --------------------------------------------------------------------

# It sends no ARP and no NDP by itself.
quiet() # NAMESPACE
{
	must ns $1 nft -f - <<-RULES
	table arp quiet {
		chain out {
			type filter hook output priority 0; policy accept;
			drop
		}
	}
	table ip6 quiet {
		chain out {
			type filter hook output priority 0; policy accept;
			icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } drop
		}
	}
	RULES
}

# It has the router's MAC, as the victim does, and need not ask.
routes() # NAMESPACE
{
	must ip -n mk-$1 -batch - <<-LINES
	neigh replace 192.0.2.1 lladdr $MAC_R dev eth0 nud permanent
	neigh replace 2001:db8:1::1 lladdr $MAC_R dev eth0 nud permanent
	LINES
}

# From the attacker's MAC, in the victim's name
forge() # FRAME-OPTION... KIND SPORT
{
	local kind=${*: -2:1} sport=${*: -1}

	frame make "${@:1:$#-2}" $kind $MAC_A $MAC_R $C1 $S1 $sport 443 |
		ns atk frame send -i eth0
}

# $at is where the TCP checksum is.
forge_checksum() { forge -b $at ack ${port[$family]}; }
# From all over the sequence space: half of it looks like data that comes late,
# which conntrack lets pass.
forge_window()
{
	local seq

	for seq in 12345 1073754169 2147496000 3221237824; do
		forge -s $seq -a $((seq ^ 0x5a5a5a5a)) ack ${port[$family]}
	done
}
forge_syn() { forge syn 1111; }
forge_reopen() { forge syn ${port[$family]}; }
forge_udp() { forge udp 1112; }
# Whether the attacker is answered does not matter.
forge_connection() { ns atk load get -n 3 -w 100 -t 5 $S1 >"$TMP/atk" 2>&1; }

# After a forgery the victim's flow goes on, and its pair is unchanged. Only a whole
# connection of the attacker's changes the pair, until the victim's next frame.
withstood() # COUNT WHAT TITLE
{
	each_family forged_by "" forge_$2
	next_part
	# A flow that has stalled is not waited for a second time.
	ok "$3: the victim's next part comes" busywait $limit came $1 || limit=1
	[ $2 = connection ] || ! module_loaded || each_family pair_stayed "$3"
}

forged_by() # TITLE COMMAND
{
	[ $family = 4 ] && at=50 || at=70
	$2
}

pair_stayed() # TITLE
{
	is "$(known $S1)" "smac=$MAC_C1 dmac=$MAC_R " "$1: the pair is as it was"
}

# What the box sent on any port: the victim's frames are its own, and only they
unmoved() # TITLE
{
	local up=${upstream[$family]} victim=${port[$family]}
	local ours="type == \"$IP\" && way == \"from\""

	is "$(wire_sum atk "$ours && (daddr == \"$C1\" && !(dport < 3000) || saddr == \"$C1\")")" 0 \
		"$1: no frame of the victim's leaves by the attacker's port"
	is "$(wire_sum west "$ours && dport == $victim && dst != \"$MAC_C1\"") $(wire_sum west "src == \"$MAC_A\" && $ours")" "0 0" \
		"$1: the client gets what is its own, from nobody else"
	is "$(wire_sum east "$ours && sport == $up && src == \"$MAC_A\"")" 0 \
		"$1: none to the server carries the attacker's MAC"
	cmp_ok "$(wire_sum east "$ours && sport == $up && src == \"${2:-$MAC_C1}\" && dst == \"$MAC_R\"")" -ge $PARTS \
		"$1: but the victim's"
}

# Packets from which the module did not learn
invalid()
{
	local n

	n=$(mackeep_stat box invalid)
	[[ $n =~ ^[0-9]+$ ]] || n=0 # no such counter
	echo $n
}

# All forgeries, while the victim downloads
forgeries() # TITLE
{
	parts_start $PARTS
	each_family victim_ports "$1"
	wire_both -p
	wire_start atk atk eth0 -p
	withstood 2 checksum "$1, wrong checksum"
	withstood 3 window "$1, out of window"
	withstood 4 syn "$1, a SYN of a new flow"
	withstood 5 udp "$1, a datagram"
	withstood 6 reopen "$1, a SYN of the victim's flow"
	[ $1 = control ] || withstood 7 connection "$1, a whole connection"
	[ $1 != control ] || next_part
	for name in "${!part_pid[@]}"; do
		ok "$1: $name has all bytes, intact" wait ${part_pid[$name]}
	done
	part_pid=()
	proxy_quiet
	wire_stop
}

must topo_up
must ip -batch - <<<"$(topo_link box port2 02:00:00:00:00:b3 atk eth0 $MAC_A)"
must ip -n mk-box link set port2 master br0 up
topo_sysctl atk net.ipv4.ip_local_port_range="2000 2999"
quiet atk
must topo_host atk $C1 31
routes atk
must topo_ip rt <<-LINES
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev lan nud permanent
LINES
routes c1
web_up srv
must proxy_up
# A half-open connection keeps the listener alive, and that the namespace.
must ns box sysctl -qw net.ipv4.tcp_synack_retries=1

# --- control ----------------------------------------------------------------------------

today_up
must topo_ip box <<-LINES
	neigh replace $C1 lladdr $MAC_C1 dev br0 nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev br0 nud permanent
LINES
# The bridge does not learn from frames that broute takes, and would flood the
# answers.
must ns box bridge fdb replace $MAC_C1 dev port0 master static
forgeries control
each_family unmoved control $MAC_BR
must ns box bridge fdb del $MAC_C1 dev port0 master
today_down

kept_up
invalid=$(invalid)

# --- under a download ---------------------------------------------------------------------

forgeries forged
each_family unmoved forged
wire_clean forged
cmp_ok $(($(invalid) - invalid)) -ge 4 "forged: what conntrack calls invalid is counted as that"

# Right after a connection of the attacker's, the victim's next one has its own MACs.
each_family forge_connection "forged"
wire_both
wire_start atk atk eth0
next_one() # TITLE
{
	ok "$1: the victim's next connection" ns c1 load get -o -n 2 $S1
}
each_family next_one "forged, next"
proxy_quiet
wire_stop
own() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 6 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 6 "$1: to the router"
}
each_family own "forged, next"
is "$(wire_sum atk 'way == "from" && dst == "'$MAC_A'"')" 0 "forged, next: nothing for the attacker"

# --- who really moves -------------------------------------------------------------------------

# Only the flow's own frames tell that it has moved.
quiet c1
held_start held4 c1 -w 100 $S1
held_start held6 c1 -w 100 2001:db8:2::73
must ip -n mk-c1 link set eth0 address $MAC_C9
routes c1
must topo_ip rt <<-LINES
	neigh replace 192.0.2.31 lladdr $MAC_C9 dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C9 dev lan nud permanent
LINES
ok "moves: IPv4 goes on" held_grows held4 3
ok "moves: IPv6 goes on" held_grows held6 3
wire_both
ok "moves: both go on" eval 'held_grows held4 5 && held_grows held6 5'
ok "moves: IPv4, nothing failed" held_stop held4
ok "moves: IPv6, nothing failed" held_stop held6
proxy_quiet
wire_stop
followed() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C9 5 "$1: to the client's new MAC"
	wire_leg east $C1 $S1 $MAC_C9 $MAC_R 5 "$1: from the client's new MAC"
}
each_family followed "moves"

# --- an address that is free ----------------------------------------------------------------------

pause 17
must topo_ip rt <<-LINES
	neigh replace 192.0.2.31 lladdr $MAC_A dev lan nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_A dev lan nud permanent
LINES
wire_start east east e0
wire_start atk atk eth0
ok "free: another station with the address, IPv4" ns atk load get $S1
ok "free: another station with the address, IPv6" ns atk load get 2001:db8:2::73
proxy_quiet
wire_stop
taken() # TITLE
{
	wire_leg atk $S1 $C1 $MAC_R $MAC_A 2 "$1: it is answered"
	wire_leg east $C1 $S1 $MAC_A $MAC_R 2 "$1: and what it asks is asked from its MAC"
}
each_family taken "free"

net_done
