#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep reload swaps the kernel module under traffic: what the proxy has lives
# on with the same MACs, what begins meanwhile passes it, and nothing on either
# wire has a MAC of the box.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy and udp; the module goes and comes
#
# Control: the same by hand breaks what the proxy has.
#
# Seen by others: an upgrade leaves the old module loaded, ntop/PF_RING issue 170;
# who connects while a proxy is loaded again is lost without rules that hold SYNs
# back, openshift/openshift-docs pull request 1987.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep
tools udp

UP="--bridge br0 -6 --tcp 443 --udp 443 --to $PROXY_PORT"
HELD="tcp4 idle4 past4 tcp6 idle6 past6"

# c1's, to a server: some that load, some that wait, some of no proxy
flows_start()
{
	must held_start tcp$family c1 -c 4 -s 200000 -t 120 $S1
	must held_start idle$family c1 -c 4 -w 700 -t 120 $S1
	must held_start past$family c1 -c 2 -s 100000 -t 120 $S1 80
}

# A flow of datagrams that waits between two of them
talk_start()
{
	spawn talk$family ns c1 udp talk -b 6000 -n 3 -w 1 -t 30 $S1
	talks+=("$spawned")
	must busywait 20 grep -q waiting "$TMP/talk$family.out"
}

talks_end() # TITLE
{
	local pid

	kill -USR1 "${echo_pids[@]}"
	for pid in "${talks[@]}"; do
		ok "$1: a flow of datagrams goes on" wait $pid
	done
	talks=()
}

all_grow() # TITLE
{
	local name

	for name in $HELD; do
		ok "$1: $name goes on" held_grows $name
	done
}

all_end() # TITLE
{
	local name

	for name in $HELD; do
		ok "$1: $name has failed nothing" held_stop $name
	done
	ok "$1: the proxy comes to rest" proxy_quiet
}

# MACs of flows by their ports: those that live through it all
records()
{
	ns box mackeep list 2>/dev/null |
		sed -n 's/^\([a-z]*\) .* src=\([^ ]*\) dst=\([^ ]*\) sport=\([0-9]*\) dport=\([0-9]*\) .* smac=/\1 \2 \4 \3 \5 smac=/p' |
		sort
}

pairs()
{
	ns box mackeep pairs 2>/dev/null | sed 's/ age=.*//' | sort
}

# Which of the lines were there before, of those that are there now
kept_of() # BEFORE NOW
{
	comm -12 "$1" "$2" | wc -l
}

srcversion()
{
	cat /sys/module/$MODULE/srcversion
}

reload() # [OPTION...]
{
	ns box mackeep reload --force "$@"
}

# While new ones come all the time
swapped() # TITLE
{
	local t=$1

	for family in 4 6; do
		topo_family $family
		spawn new$family ns c1 load get -o -c 2 -n 100000 -s 300 -t 30 $S1
		news+=("$spawned")
		talk_start
	done
	topo_family 4
	wire_both
	records >"$TMP/before"
	pairs >"$TMP/pairs"
	ok "$t: reload" reload
	note "$(grep -h 'the gap was' "$TMP/ok.out")"
	records >"$TMP/after"
	pairs >"$TMP/pairs-after"
	all_grow "$t"
	talks_end "$t"
	kill -TERM "${news[@]}"
	for family in 4 6; do
		wait ${news[family == 6]}
		is "$(sed -n 's/^done .* failed \([0-9]*\) .*/\1/p' "$TMP/new$family.out" | tail -n 1)" \
			0 "$t: no new connection of IPv$family failed"
	done
	news=()
	wire_stop
	wire_clean "$t"
	for family in 4 6; do
		topo_family $family
		wire_leg west $S1 $C1 $MAC_R $MAC_C1 50 "$t: IPv$family, to the client"
		wire_leg east $C1 $S1 $MAC_C1 $MAC_R 50 "$t: IPv$family, to the server"
	done
	topo_family 4
	cmp_ok "$(kept_of "$TMP/pairs" "$TMP/pairs-after")" -eq "$(grep -c . "$TMP/pairs")" \
		"$t: the pairs are back"
	# 4 that load and 4 that wait, each of two legs, by IPv4 and by IPv6
	cmp_ok "$(kept_of "$TMP/before" "$TMP/after")" -ge 32 "$t: so are the records"
	is "$(ns box nft list tables | grep -c mackeep_reload)" 0 "$t: the curtain is gone"
	nok "$t: and nothing is written down" grep . /run/mackeep/reload*
}

new_ones() # COUNT
{
	local before

	before=$(box_opens Passive)
	ns c1 load get -o -n $1 -t 10 $S1 || return
	[ $(($(box_opens Passive) - before)) -eq $1 ]
}

must topo_up
must ip -n mk-box -batch - <<-LINES
	rule del fwmark 1 lookup 100
	route flush table 100
	route del default dev br0
LINES
must ip -6 -n mk-box -batch - <<-LINES
	rule del fwmark 1 lookup 100
	route flush table 100
	route del default dev br0
LINES
services_up
module_needed
talks=()
news=()

must ns box mackeep up $UP
for proto in tcp udp; do
	must ns box mackeep services add --mark $LIFT_MARK -p $proto --to $PROXY_PORT
done

# --- control: by hand -------------------------------------------------------------------

must held_start hand c1 -c 2 -w 20 -t 3 $S1
must ns box mackeep down br0
must busywait 10 rmmod $MODULE
must modprobe $MODULE
must ns box mackeep up $UP
ok "by hand: what comes then works" held_grows hand
nok "by hand: what the proxy had is broken" held_stop hand
proxy_quiet
for proto in tcp udp; do
	must ns box mackeep services add --mark $LIFT_MARK -p $proto --to $PROXY_PORT
done

# --- nothing to do ------------------------------------------------------------------------

like "$(ns box mackeep reload 2>&1)" "nothing to do" "the same module stays"

# --- under load ---------------------------------------------------------------------------

each_family flows_start
swapped "nft"
swapped "nft again"
ok "new connections are proxied" new_ones 5
all_end "nft"

net_done
