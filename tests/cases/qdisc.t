#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a queue or a control group's program says of a packet reaches its sender
# as on the stock path: TCP slows down, a datagram's sender is told.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- rt --- srv .73
#     ..:c1                          ^ qdisc; the proxy in a cgroup
#
# A full queue is taken for a broken socket where a sender sees ENOBUFS that Linux
# does not report by itself: libuv issue 5194, liboping issue 28.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need tc ss
tools udp egress

GROUP=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/proxy

# Older kernels ask no hook what became of a packet that it took.
hooks_tell()
{
	printf '%s\n' 6.1 "$(uname -r)" | sort -CV
}

# Of the flow to the client, which the proxy answers as the server: the threshold
# that TCP has once it was told of congestion, and how often it sent again
told()
{
	ns box ss -tinOH state established "( sport = :443 )" |
		has " ssthresh:"
}

retransmits()
{
	ns box ss -tinOH state established "( sport = :443 )" |
		grep -oE " retrans:[0-9/]*" | xargs
}

# Connections that nothing has slowed down yet. On a busy machine TCP may have
# taken something for lost: then others.
untold_start() # ARGS...
{
	local i

	for i in {1..10}; do
		held_start flow c1 -t 120 "$@" || return
		told || [ -n "$(retransmits)" ] || return 0
		held_stop flow
		proxy_quiet
	done
	return 1
}

# How soon TCP takes what it sent for lost, at the least
slowly() # TIME
{
	must ip -n mk-box route change default $way dev br0 rto_min $1
	must ip -n mk-box -6 route change default $way6 dev br0 rto_min $1
}

# Soon everything of the box's stays in a queue of one place, which the one before
# it leaves. A packet over the burst would be cut, and nothing told of its pieces.
stall()
{
	must ns box tc -batch - <<-LINES
	qdisc add dev br0 root handle 1: tbf rate 8bit burst 100kb limit 1000000
	qdisc add dev br0 parent 1: handle 2: pfifo_head_drop limit 1
	LINES
}

unqueue()
{
	must ns box tc qdisc del dev br0 root
}

sndbuf_errors()
{
	if [ $family = 6 ]; then
		ns box awk '$1 == "Udp6SndbufErrors" { print $2 }' /proc/net/snmp6
	else
		ns box awk '/^Udp:/ && !col { for (i = 2; i <= NF; i++) if ($i == "SndbufErrors") col = i; next }
			/^Udp:/ { print $col }' /proc/net/snmp
	fi
}

# The sender of a datagram in the client's name
datagram()
{
	ns box udp send $C1 $L1 9 2>&1
}

round() # TITLE
{
	local before t=$1

	# --- a program that asks to slow down, and loses nothing
	ok "$t: nothing has slowed TCP down" untold_start -s 20000 -w 20 $S1
	must spawn_ready egress egress cn $GROUP
	ok "$t: TCP slows down as the program says" busywait 30 told
	tap_kill $spawned
	ok "$t: and the flow goes on" held_grows flow
	ok "$t: nothing failed" held_stop flow

	# --- a queue that takes nothing
	ok "$t: the bridge knows all stations" ns c1 load get $L1
	ok "$t: nothing has slowed TCP down, once more" untold_start -s 20000 -w 20 $S1
	must ns box tc qdisc add dev br0 root pfifo limit 0
	ok "$t: TCP slows down as the queue drops" busywait 30 told
	pause 3
	before=$(ns box ss -tinOH state established "( sport = :443 )" | grep -oE "backoff:[0-9]+")
	is "$before" "" "$t: and goes on trying, twice a second"
	before=$(sndbuf_errors)
	like "$(datagram)" "No buffer space.*failed 1" "$t: a datagram's sender is told"
	is $(($(sndbuf_errors) - before)) 1 "$t: and it is counted"
	unqueue
	ok "$t: the flow goes on" held_grows flow
	ok "$t: nothing failed" held_stop flow

	# --- a queue that drops the packet before; what was lost is not missed yet
	slowly 60s
	# One whose last packet stays in the queue has none to be told of.
	ok "$t: nothing has slowed TCP down, as before" untold_start -c 4 -s 500000 -w 20 $S1
	stall
	ok "$t: TCP slows down as the queue is full" busywait 30 told
	like "$(datagram; datagram)" "failed 0.*failed 0" "$t: a datagram's sender is not bothered"
	unqueue
	held_stop flow
	slowly 200ms
	ns box ss -K -t >/dev/null
	proxy_quiet
}

mkdir $GROUP || skip_all "no control groups"
defer rmdir $GROUP
hooks_tell || skip_all "this kernel does not ask hooks for what became of a packet"
must topo_up
must servers_up
# Congestion is what it is told of, not what it finds; nothing times out.
topo_sysctl box net.ipv4.tcp_congestion_control=reno net.ipv4.tcp_early_retrans=0
# The sockets' group is that of who opens them.
echo $$ >$GROUP/cgroup.procs
must proxy_up
echo $$ >${GROUP%/*}/cgroup.procs
must topo_ip box <<-LINES
	neigh replace $L1 lladdr $MAC_L1 dev br0 nud permanent
	neigh replace 2001:db8:1::80 lladdr $MAC_L1 dev br0 nud permanent
LINES

today_up
way="via 192.0.2.1" way6="via 2001:db8:1::1"
each_family round "no module"
today_down

kept_up
way='' way6=''
each_family round "module"

net_done
