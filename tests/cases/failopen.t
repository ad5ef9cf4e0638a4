#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A service, and its proxy that dies, hangs, comes back, or listens elsewhere:
# what is new then goes past the proxy, each connection as a whole, and nothing
# that works is broken. IPv4 and IPv6, TCP and UDP.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy, or udp
#
# Seen by others: nobody listens, and all traffic is lost, OISF/suricata pull request
# 2883; whoever listens cannot keep pace, OISF/suricata pull request 22; what must
# not pass the proxy does while it is down, openwrt/openwrt issue 23480.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
tools udp

must topo_up
must servers_up
must proxy_up
module_needed
topo_box_marks
topo_box_rules -j MACKEEP

# --- control: without a service the network dies with the proxy ---------------------------

proxied "no service" 5
proxy_down
nok "no service: without the proxy nothing works" ns c1 load get -t 2 $S1

# --- bad input --------------------------------------------------------------------------

add() # OPTION...
{
	ns box mackeep services add "$@" 2>&1
}

like "$(add --mark 0x4d4b -p tcp)" "proxy's port is not given" "no port"
like "$(add --mark 0x4d4b -p icmp --to 3129)" "bad|tcp|proto" "a protocol of no service"
like "$(add --mark 5 -p tcp --to 3129)" "not lifted.*mackeep_lift_mark" "a mark that is not lifted"
like "$(add --mark 0x4d4b -p tcp --to 0)" "0" "port 0"
is "$(add --mark 0x4d4b -p tcp --to $PROXY_PORT)" "" "a service is made"
like "$(add --mark 0x4d4b -p tcp --to 9)" "there is a service with this mark" "another of the same mark"
like "$(ns box mackeep services del --mark 0x4d4b -p udp 2>&1)" "no service" "one that is not there"
is "$(ns box mackeep services 2>/dev/null | grep -c .)" 1 "there is one"

# --- TCP ----------------------------------------------------------------------------------

spawn monitor ns box mackeep monitor --services
monitor=$spawned
must busywait 20 grep -q waiting "$TMP/monitor.err"

outage() # TITLE
{
	local t=$1

	ok "$t: the service is closed" busywait 10 service_is tcp ipv$family nolistener
	wire_both
	passes "$t" 10
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 10 "$t: as they came, to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 10 "$t: as they came, to the server"
	wire_clean "$t"
	must held_start past$family c1 -s 5000 -w 20 $S1
}

recovered() # TITLE
{
	local t=$1

	ok "$t: the service is open" busywait 10 service_is tcp ipv$family open
	proxied "$t" 10
	ok "$t: what began without it goes on" held_grows past$family
	ok "$t: and has failed nothing" held_stop past$family
}

each_family outage "killed before"
must proxy_up
each_family recovered "back"

# Killed among many that come: who was with it is lost, nobody else.
killed() # TITLE
{
	local t=$1 failed

	spawn many ns c1 load get -o -c 4 -n 2000 -s 100 -t 20 $S1
	many=$spawned
	must busywait 20 some_taken
	kill -9 $proxy_pid
	wait $proxy_pid 2>/dev/null
	wait $many
	failed=$(sed -n 's/^done .* failed \([0-9]*\) .*/\1/p' "$TMP/many.out")
	cmp_ok "${failed:-none}" -le 8 "$t: $failed of 2000 failed, those that it had"
	passes "$t" 10
	must proxy_up
	must busywait 10 service_is tcp ipv$family open
}

some_taken()
{
	[ "$(service tcp lifted)" -gt $((lifted + 200)) ]
}

for family in 4 6; do
	topo_family $family
	lifted=$(service tcp lifted)
	killed "killed, IPv$family"
done
topo_family 4

# Stopped: it accepts nothing, and who waits in its queue is not lost.
stopped() # TITLE
{
	local t=$1

	kill -STOP $proxy_pid
	spawn waits ns c1 load get -t 120 $S1
	waits=$spawned
	ok "$t: the service is closed as it accepts nothing" \
		busywait 20 service_is tcp ipv$family backlog
	ok "$t: new connections go past it" new 10
	kill -CONT $proxy_pid
	ok "$t: and who waited is served" wait $waits
	ok "$t: the service is open again" busywait 20 service_is tcp ipv$family open
	proxied "$t, and back" 5
}
each_family stopped "stopped"

# Maintenance: what is new goes past, what is there is finished.
bypassed() # TITLE
{
	local t=$1

	must held_start old c1 -s 5000 -w 20 $S1
	must ns box mackeep services set --mark 0x4d4b -p tcp --bypass on
	passes "$t" 10
	must held_start past$family c1 -s 5000 -w 20 $S1
	ok "$t: what the proxy had goes on" held_grows old
	must ns box mackeep services set --mark 0x4d4b -p tcp --bypass off
	proxied "$t, and off" 5
	ok "$t: what began without the proxy goes on" held_grows past$family
	ok "$t: and has failed nothing" held_stop past$family
	ok "$t: nor has what the proxy had" held_stop old
}
each_family bypassed "bypass"

# Not for those who must let nothing by
proxy_quiet
proxy_down
must ns box mackeep services set --mark 0x4d4b -p tcp --fail closed
wire_both
nok "fail closed: nothing is let by" ns c1 load get -t 2 $S1
wire_stop
is "$(wire_sum east 'way == "from" && dport == 443')" 0 "fail closed: no frame to the server"
must ns box mackeep services set --mark 0x4d4b -p tcp --fail open

# A listener that is nobody's: without IP_TRANSPARENT
spawn plain ns box socat TCP-LISTEN:$PROXY_PORT,fork,reuseaddr /dev/null
plain=$spawned
must busywait 20 eval '[ -n "$(ns box ss -tlnH "sport = :$PROXY_PORT")" ]'
passes "a listener that is not transparent" 5
tap_kill $plain

for word in nolistener backlog bypass open; do
	ok "monitor --services: $word" grep -q "^tcp to=$PROXY_PORT mark=0x4d4b ipv[46]=$word\$" "$TMP/monitor.out"
done

tap_kill $monitor

# --- UDP ----------------------------------------------------------------------------------

proxy_start()
{
	must spawn_ready proxy ns box udp proxy $PROXY_PORT
	proxies=("$spawned")
	must spawn_ready proxy6 ns box udp proxy -6 $PROXY_PORT
	proxies+=("$spawned")
}

talk() # [OPTION...]
{
	ns c1 udp talk -t 3 "$@" $S1
}

must spawn_ready echo ns srv udp echo
must spawn_ready echo6 ns srv udp echo -6
is "$(add --mark 0x4d4b -p udp --to $PROXY_PORT)" "" "UDP: a service is made"

udp_round()
{
	local t=$1 before

	ok "$t: without the proxy datagrams pass" talk -n 5
	spawn past ns c1 udp talk -b 6000 -n 40 -t 10 -w 1 $S1
	past=$spawned
	must busywait 20 grep -q waiting "$TMP/past.out"
	is "$(service udp ipv$family)" nolistener "$t: the service is closed"
	proxy_start
	ok "$t: the service is open" busywait 10 service_is udp ipv$family open
	before=$(service udp lifted)
	ok "$t: new flows" talk -n 5
	is $(($(service udp lifted) - before)) 5 "$t: go through the proxy"
	before=$(service udp midstream)
	ok "$t: a flow that began without it goes on" talk -b 6001 -n 1
	tap_kill ${proxies[0]}
	tap_kill ${proxies[1]}
	ok "$t: the proxy is gone once more: new flows" talk -n 5
	ok "$t: and those that it had" talk -b 6001 -n 5
	proxy_start
	must busywait 10 service_is udp ipv$family open
	ok "$t: which stay without it" talk -b 6001 -n 5
	cmp_ok $(($(service udp midstream) - before)) -ge 5 "$t: as the count says"
	tap_kill $past
	tap_kill ${proxies[0]}
	tap_kill ${proxies[1]}
}
each_family udp_round UDP

must ns box mackeep services del --mark 0x4d4b -p udp
must ns box mackeep services del --mark 0x4d4b -p tcp
is "$(ns box mackeep services 2>/dev/null)" "" "the services are gone"
topo_down
module_gone
done_testing
