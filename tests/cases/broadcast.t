#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the box sends from a client's address to a broadcast or multicast address
# is left to the stack: one frame at each port, and one copy for the box's own
# listeners. With --strict nothing is sent, as it would carry the box's own MAC.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1, rt
#     ..:c1                        box ..:b0,b1,b2
#
# Seen by others: a multicast packet that was put back into the stack arrived
# twice, as the stack loops it again (WinDivert issue 364).
#
# It runs on one kernel in turn.

V6=1
TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=5

targets() # of this family
{
	if [ $family = 6 ]; then
		echo ff05::123
	else
		echo 255.255.255.255 239.1.2.3
	fi
}

# Broadcast and multicast datagrams that came to the box and no socket took
looped()
{
	if [ $family = 6 ]; then
		ns box awk '$1 == "Udp6IgnoredMulti" { print $2 }' /proc/net/snmp6
	else
		ns box awk '/^Udp:/ && !col { for (i = 2; i <= NF; i++) if ($i == "IgnoredMulti") col = i; next }
			/^Udp:/ { print $col }' /proc/net/snmp
	fi
}

came_back() # BEFORE COUNT
{
	[ $(($(looped) - $1)) -ge $2 ]
}

frames() # SIDE ADDRESS [SOURCE-MAC]
{
	wire_sum $1 "way == \"from\" && proto == \"udp\" && daddr == \"$2\"${3:+ && src == \"$3\"}"
}

# Sent from a client's address, each of them arrives everywhere once.
everybody() # TITLE
{
	local to before t

	for to in $(targets); do
		t="$1, $to"
		before=$(looped)
		wire_both
		ok "$t: as a client" ns box udp send -i br0 -n $N $C1 $to 9
		ok "$t: comes back to the box" busywait 10 came_back $before $N
		wire_stop
		is "$(frames west $to) $(frames east $to)" "$N $N" "$t: a frame each at both ports"
		is "$(frames west $to $MAC_BR) $(frames east $to $MAC_BR)" "$N $N" "$t: the stack's"
		is $(($(looped) - before)) $N "$t: and no more come back"
	done
}

nobody() # TITLE
{
	local to before drops t

	for to in $(targets); do
		t="$1, $to"
		drops=$(mackeep_stat box strict)
		wire_both
		ns box udp send -i br0 -n $N $C1 $to 9 >/dev/null 2>&1
		wire_stop
		is "$(frames west $to) $(frames east $to)" "0 0" "$t: as a client: nothing"
		cmp_ok $(($(mackeep_stat box strict) - drops)) -ge $N "$t: which is counted"
		before=$(looped)
		wire_both
		ok "$t: as the box" ns box udp send -i br0 -n $N $OWN $to 9
		ok "$t: as the box: comes back" busywait 10 came_back $before $N
		wire_stop
		is "$(frames west $to $MAC_BR) $(frames east $to $MAC_BR)" "$N $N" \
			"$t: as the box: a frame each"
	done
}

known() # TITLE
{
	ok "$1: c1 is known" ns c1 load get $S1
}

must topo_up
must servers_up
must proxy_up
must spawn_ready join ns box udp join br0 239.1.2.3
members=$spawned
must spawn_ready join6 ns box udp join br0 ff05::123
members+=" $spawned"

each_family everybody "no module"

kept_up
each_family known "module"
proxy_quiet
each_family everybody "module"

# A rule that gives such flows a record
for family in iptables ip6tables; do
	must ns box $family -t mangle -A OUTPUT -j MACKEEP
done
each_family everybody "adopted"

topo_box_rules_off
topo_box_rules -j MACKEEP --strict
must topo_ip box <<-LINES
	addr add 192.0.2.5/24 dev br0
	addr add 2001:db8:1::5/64 dev br0 nodad
LINES
own()
{
	OWN=192.0.2.5
	[ $family = 4 ] || OWN=2001:db8:1::5
	nobody "strict"
}
each_family own

for pid in $members; do
	tap_kill $pid
done
net_done
