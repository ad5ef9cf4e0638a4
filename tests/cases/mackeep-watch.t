#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check --watch: tells of a finding when it comes and when it is gone, woken
# by what happens; rests when nothing does; and misses nothing when more happens than
# it can read.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#
# Control: before it is provoked nothing is told.
#
# Seen by others: events that do not fit into the socket, FRRouting/frr issue 22445,
# finit-project/finit issue 173; work without end because of one's own events,
# pitkley/dfw issue 135.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep python3
tools udp

must topo_up
must proxy_up
udp_proxy_up
kept_up
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
must ns box mackeep services add --mark $LIFT_MARK -p tcp --to $PROXY_PORT
clean "set up by hand"

watch_start() # [OPTION...]
{
	spawn watch ns box mackeep check --watch "$@"
	watch=$spawned
	must busywait 20 grep -q "waiting for changes" "$TMP/watch.err"
}

watch_ends() # SIGNAL STATUS TITLE
{
	kill "-$1" "$watch"
	wait "$watch"
	is $? "$2" "$3"
}

lines() # REGEX COUNT
{
	[ "$(grep -cE -- "$1" "$TMP/watch.out")" -ge "$2" ]
}

told() # REGEX TITLE [COUNT]
{
	ok "$2" busywait 30 lines "$1" "${3:-1}"
}

# When it looked last because it was time to, and not because something happened
polled()
{
	stat -c %y /run/mackeep/counters.seen
}

# BREAK leads to the finding ID, and MEND ends it; both are told.
comes_and_goes() # ID TITLE BREAK MEND
{
	local n before

	n=$(grep -c "^$1: gone: " "$TMP/watch.out")
	before=$(polled)
	must eval "$3"
	busywait 30 lines "^$1: .*; mend: " $((n + 1)) || return
	[ "$(polled)" = "$before" ]
	woken=$?
	before=$(polled)
	must eval "$4"
	busywait 30 lines "^$1: gone: " $((n + 1)) || return
	[ $woken = 0 ] && [ "$(polled)" = "$before" ]
	woken=$?
}

# And before it is time to look anyway; that may come in between.
wakes() # ID TITLE BREAK MEND
{
	local try

	for try in {1..5}; do
		woken=1
		comes_and_goes "$@" || break
		[ $woken != 0 ] || break
	done
	is $woken 0 "$2: it comes and goes"
}

# Ticks that looks have taken, each in a process of its own
looked()
{
	awk '{ print $16 + $17 }' "/proc/$watch/stat"
}

watch_start
is "$(cat "$TMP/watch.out")" "" "control: nothing is told"
one=$(looked)
cmp_ok "$one" -gt 0 "a look takes time"

# --- what tells -------------------------------------------------------------------------

wakes policy "a rule of routing" "ip -n mk-box rule del fwmark 1 lookup 100" \
	"ip -n mk-box rule add fwmark 1 lookup 100"
wakes mark "a rule of nft" "ns box nft delete table bridge mackeep" topo_box_marks
wakes rp_filter "a filter" "topo_sysctl box net.ipv4.conf.all.rp_filter=1" \
	"topo_sysctl box net.ipv4.conf.all.rp_filter=0"
wakes eapol "an option of the bridge" "ip -n mk-box link set br0 type bridge group_fwd_mask 0" \
	"ip -n mk-box link set br0 type bridge group_fwd_mask 8"
wakes listener "the proxy" proxy_down proxy_up

# --- what nobody tells --------------------------------------------------------------------

modprobe -q br_netfilter
topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
ok "a sysctl is found, a while later" comes_and_goes bridge-nf "" \
	"topo_sysctl box net.bridge.bridge-nf-call-iptables=1" \
	"topo_sysctl box net.bridge.bridge-nf-call-iptables=0"

# --- rest and haste ---------------------------------------------------------------------

before=$(looked)
sleep 6
cmp_ok $(($(looked) - before)) -lt $((one * 5 / 2)) "it rests: no look wakes the next one"

for i in {1..2000}; do
	echo "neigh replace 198.51.$((i / 200)).$((i % 200 + 1)) lladdr $MAC_R dev br0"
done >"$TMP/storm"
kill -STOP "$watch"
must ip -n mk-box -batch "$TMP/storm"
must ip -n mk-box rule del fwmark 1 lookup 100
kill -CONT "$watch"
n=$(grep -c "^policy: gone: " "$TMP/watch.out")
told "^policy: .*; mend: " "more events than there is room for: what changed is told" $((n + 1))
must ip -n mk-box rule add fwmark 1 lookup 100
told "^policy: gone: " "and that it is back" $((n + 1))
must ip -n mk-box neigh flush all nud permanent

# --- the end ------------------------------------------------------------------------------

is "$(cut -d : -f 1,2 "$TMP/watch.out" | grep -c ": gone")" "$(grep -c "; mend: " "$TMP/watch.out")" \
	"each that came is gone"
watch_ends TERM 0 "ended with nothing found: 0"
like "$(tail -n 1 "$TMP/watch.err")" " 0 findings\.$" "and that is counted"

must ip -n mk-box rule del fwmark 1 lookup 100
watch_start -o json
told '"id":"policy"' "what is there at the start is told"
must ip -n mk-box link set br0 type bridge group_fwd_mask 0
told '"id":"eapol"' "as JSON"
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
told '"event":"gone"' "and what is gone"
ok "an object on each line" python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert [(e["event"], e["id"]) for e in events] == [("found", "policy"), ("found", "eapol"), ("gone", "eapol")], events
assert all(e["text"] and e["remedy"] and e["rank"] for e in events)' "$TMP/watch.out"
watch_ends INT 1 "ended with something found: 1"

net_done
