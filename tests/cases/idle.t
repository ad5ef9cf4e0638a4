#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The first frame after a long pause of a flow teaches its pair again, however long
# the pause was. A record has only a few bits for the time of the last teaching,
# which must not wrap to the same value. The test runs under a fast clock.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#    asks twice, is silent for 17 minutes, asks once more
#
# That clock also jumps while a program is read from disk or a line of TAP is written,
# far on a busy machine. So all times that are compared lie far apart, and nothing is
# reported between a datagram and a look at what it did.
#
# Seen by others: clocks that wrapped too soon and broke what was idle for long:
# qmk_firmware pull request 126, HPCC-Platform pull request 18203.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
[ "${MACKEEP_CLOCK-}" = fast ] || skip_all "it would take hours by a real clock"
tools udp

# Sends a datagram for each line, and takes the answer
client() # FIFO SERVER
{
	spawn client$2 ns c1 bash -c 'exec 3<>"/dev/udp/$2/443" || exit
		while read -r line; do
			printf "%s\n" "$line" >&3
			read -r -t 5 answer <&3
			echo "$answer"
		done <"$1"' sh "$1" $2
	client=$spawned
}

answered() # SERVER COUNT
{
	[ "$(wc -l <"$TMP/client$1.out")" -ge $2 ]
}

# Both servers have answered COUNT datagrams. $pairs is what is in the cache then.
answers() # COUNT
{
	busywait 600 answered 203.0.113.73 $1
	busywait 600 answered 2001:db8:2::73 $1
	pairs=$(mackeep_stat box pairs)
}

ask()
{
	printf 'a\n' >&$four
	printf 'a\n' >&$six
}

# Hundredths of a second since boot, without a program: the clock would jump
# while that is read.
clock() # in $now
{
	read -r now _ </proc/uptime
	now=$((10#${now/./}))
}

until_clock() # TIME
{
	local now

	clock
	[ $now -ge $1 ] || pause "$(printf '%d.%02d' $((($1 - now) / 100)) $((($1 - now) % 100)))"
}

idle() # SECONDS PHASE
{
	local t="$1 s, phase $2" pids now began pairs

	mkfifo "$TMP/four" "$TMP/six"
	client "$TMP/four" 203.0.113.73
	pids=$client
	client "$TMP/six" 2001:db8:2::73
	pids+=" $client"
	exec {four}>"$TMP/four" {six}>"$TMP/six"
	ask
	answers 1
	ok "$t: an answer, IPv4" answered 203.0.113.73 1
	ok "$t: an answer, IPv6" answered 2001:db8:2::73 1
	# The flow is answered now. Its next datagram is sent at PHASE within a step of 8 s.
	clock
	until_clock $((now - now % 800 + 800 + $2 * 100))
	ask
	clock
	began=$now
	answers 2
	ok "$t: another one, IPv4" answered 203.0.113.73 2
	ok "$t: another one, IPv6" answered 2001:db8:2::73 2
	is $pairs 4 "$t: both flows have taught pair and client"
	until_clock $((began + $1 * 100 - 6000))
	is "$(mackeep_stat box pairs)" 0 "$t: all of it is forgotten"
	until_clock $((began + $1 * 100))
	ask
	answers 3
	ok "$t: the flow goes on, IPv4" answered 203.0.113.73 3
	ok "$t: the flow goes on, IPv6" answered 2001:db8:2::73 3
	is $pairs 4 "$t: and both have taught them again"
	exec {four}>&- {six}>&-
	for pid in $pids; do
		tap_kill $pid
	done
	rm "$TMP/four" "$TMP/six"
}

must topo_up
echo_up srv
udp_proxy_up

kept_up
topo_sysctl box net.netfilter.nf_conntrack_udp_timeout{,_stream}=100000 \
	net.netfilter.mackeep_pair_timeout=600

for seconds in 1020 1024 1028 2048; do
	for phase in 0 3 6; do
		idle $seconds $phase
	done
done

net_done
