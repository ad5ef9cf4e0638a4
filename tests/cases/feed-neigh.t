#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep_feed_neigh: clients that are known by their frames are in the neighbour table
# of a bridge without address, for SIOCGARP and rtnetlink: stale, never asked for, of
# the client's present MAC, and gone with its pair.
#
#  c1 ..:c1 --+
#             +-- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv .73
#  c2 ..:c2 --+              ..:b0
#
# Control: without the sysctl the table is empty, and a stale entry that somebody else
# has made is asked for once the box sends by it.
#
# Seen by others: tables that overflow at 1,024 entries, rtr7/router7 issue 31, by what
# others do as well, e2b-dev/infra pull request 3508; MACs of IPv6 clients that nobody
# looks for in the table, AdguardTeam/AdGuardHome pull request 8248.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need python3
tools udp load frame

MOVED=02:00:00:00:00:c9

# What SIOCGARP says
arp() # ADDRESS
{
	ns box python3 -c '
import errno, fcntl, socket, struct, sys
ask = struct.pack("=HH4s8x16xi16x16s", socket.AF_INET, 0, socket.inet_aton(sys.argv[1]), 0, b"br0")
try:
    got = fcntl.ioctl(socket.socket(type=socket.SOCK_DGRAM), 0x8954, ask)
    print(got[18:24].hex(":"))
except OSError as error:
    print(errno.errorcode[error.errno])' "$1"
}

# What rtnetlink says
entry() # ADDRESS
{
	ns box ip neigh show "$1" dev br0 | xargs
}

has() # MAC TITLE
{
	is "$(entry $C1)" "$C1 lladdr $1 extern_learn STALE" "$2: it is in the table"
	[ $family = 6 ] || is "$(arp $C1)" $1 "$2: SIOCGARP says so"
}

fed()
{
	ns box ip neigh show dev br0 | grep -c extern_learn
}

none_fed()
{
	[ "$(fed)" = 0 ]
}

feed() # 0|1
{
	must ns box sysctl -qw net.netfilter.mackeep_feed_neigh=$1
}

request() # TITLE
{
	ok "$1: a request is answered" ns c1 load get $S1
}

off() # TITLE
{
	request "$1"
	is "$(entry $C1)" "" "$1: nothing is in the table"
	[ $family = 6 ] || is "$(arp $C1)" ENXIO "$1: SIOCGARP knows nothing"
}

on() # TITLE
{
	request "$1"
	has $MAC_C1 "$1"
}

lost() # TITLE
{
	must ns box ip neigh flush dev br0
	on "$1"
}

again() # TITLE
{
	ns box mackeep flush -a $C1 >/dev/null 2>&1
	unlike "$(entry $C1)" "lladdr|extern" "$1: goes with its pair"
	[ $family = 6 ] || like "$(arp $C1)" "^(ENXIO|00:00:00:00:00:00)$" "$1: SIOCGARP has no MAC"
	on "$1"
}

moved() # TITLE
{
	request "$1"
	has $MOVED "$1"
}

taken() # TITLE
{
	must ns box ip neigh replace $C1 lladdr 02:00:00:00:00:99 dev br0 nud permanent
	request "$1"
	is "$(entry $C1)" "$C1 lladdr 02:00:00:00:00:99 PERMANENT" "$1: it stays"
	must ns box ip neigh del $C1 dev br0
}

# The first datagram is enough: a server that answers it may ask.
datagram() # TITLE
{
	ok "$1: a datagram is answered" ns c1 udp talk $S1
	has $MAC_C1 "$1"
}

asked() # ADDRESS
{
	if [ $family = 4 ]; then
		echo "way == \"from\" && type == \"arp\" && src == \"$MAC_BR\" && daddr == \"$1\""
	else
		echo "way == \"from\" && proto == \"icmp\" && src == \"$MAC_BR\" && sport == 135 && daddr == \"$1\""
	fi
}

# The box sends to both clients by itself. It asks for one, whose entry it was told
# otherwise. They do not ask for the box: answers would look like questions.
unasked() # TITLE
{
	must ip -n $TOPO-c1 neigh replace $BOX lladdr $MAC_BR dev eth0 nud permanent
	must ip -n $TOPO-c2 neigh replace $BOX lladdr $MAC_BR dev eth0 nud permanent
	on "$1"
	wire_start west west w0
	ns box udp send -f -n 1 $BOX $C1 9 >/dev/null
	ok "$1: in use it is taken for reachable" busywait 20 reachable
	must ns box ip neigh replace $C2 lladdr $MAC_C2 dev br0 nud stale
	ns box udp send -f -n 1 $BOX $C2 9 >/dev/null
	ok "$1: another stale entry is asked for" busywait 20 wire_has west "$(asked $C2)"
	wire_stop
	is "$(wire_sum west "$(asked $C1)")" 0 "$1: and the client's is not"
}

reachable()
{
	[ "$(entry $C1)" = "$C1 lladdr $MAC_C1 extern_learn REACHABLE" ]
}

flood() # N udp|syn
{
	must ns west frame flood -i w0 -n $1 $2 $MAC_C2 $MAC_R $S1 443 >/dev/null
}

must topo_up
must servers_up
echo_up srv
must proxy_up
kept_up
must ns box sysctl -qw net.ipv4.tcp_synack_retries=1

# --- control ------------------------------------------------------------------------

each_family off "off"

# --- clients of TCP and UDP --------------------------------------------------------------

feed 1
each_family on "on"
cmp_ok "$(mackeep_stat box fed)" -eq 2 "both are counted"
each_family lost "lost from the table"
each_family again "forgotten"
must ip -n $TOPO-c1 link set eth0 address $MOVED
each_family moved "a client that moves"
must ip -n $TOPO-c1 link set eth0 address $MAC_C1
each_family on "and back"
each_family taken "an admin's entry"

feed 0
is "$(fed)" 0 "switched off: nobody is in the table"
feed 1
udp_proxy_up
each_family datagram "udp"
udp_proxy_down

# --- forged ones ------------------------------------------------------------------------

before=$(mackeep_stat box fed)
flood 300 syn
cmp_ok "$(mackeep_stat box pairs)" -ge 600 "forged SYNs make pairs"
is "$(mackeep_stat box fed)" "$before" "but nobody is put into the table for them"
flood 1500 udp
cmp_ok "$(fed)" -ge 1200 "datagrams put them there, more than the stack has room for"
ns box mackeep flush >/dev/null 2>&1
is "$(fed)" 0 "and are gone when they are forgotten"
must ns box sysctl -qw net.netfilter.mackeep_pair_max=64
flood 600 udp
cmp_ok "$(mackeep_stat box fed)" -ge $((before + 1700)) "others are put there"
cmp_ok "$(fed)" -ge 8 "and stay"
cmp_ok "$(fed)" -le 64 "as many as there are pairs at most"
is "$(mackeep_stat box nomem)" 0 "and the table had room"
must ns box sysctl -qw net.netfilter.mackeep_pair_max=65536

# --- age -------------------------------------------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_pair_timeout=16
each_family on "young"
ok "unused pairs and their clients are gone after a while" busywait 90 none_fed
must ns box sysctl -qw net.netfilter.mackeep_pair_timeout=300

# --- nobody is asked ------------------------------------------------------------------------

topo_sysctl box net.ipv4.neigh.br0.delay_first_probe_time=1 net.ipv6.neigh.br0.delay_first_probe_time=1
topo_box_addressed
BOX=192.0.2.5
unasked "in use, IPv4"
topo_family 6
BOX=2001:db8:1::5
unasked "in use, IPv6"
topo_family 4

# --- the end -----------------------------------------------------------------------------------

cmp_ok "$(fed)" -ge 1 "a client is in the table"
topo_box_rules_off
is "$(fed)" 0 "and is not when the last rule has gone"

net_done
