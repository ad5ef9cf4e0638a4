#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep bypass: maintenance of a proxy. What is new goes past it, what it has is
# counted and finished, and UDP flows outlive a proxy that is stopped meanwhile.
# Under load it is in live.t.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#     ..:c1                    HAProxy, or udp                    ..:80
#
# Control: without bypass, a new connection goes through the proxy.
#
# Seen by others: one idle connection holds up a drain to its end, PostHog/duckgres
# issue 782; flows of UDP go on to a proxy that is not to have them any more,
# cilium/cilium issue 17459.
#
# Its time is long: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep
tools udp

UP="--bridge br0 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT --settle 0"

up() # [OPTION...]
{
	ns box mackeep up $UP "$@"
}

bypass() # [on|off|status] [OPTION...]
{
	ns box mackeep bypass br0 "$@"
}

left() # tcp|udp
{
	bypass | sed -n "/^$1 /s/.* left=//p"
}

left_is() # tcp|udp COUNT
{
	[ "$(left $1)" = "$2" ]
}

state() # tcp|udp
{
	bypass | sed -n "/^$1 /s/.* ipv4=\([^ ]*\) .*/\1/p"
}

must topo_up
topo_box_unrouted
web_up l1
echo_up l1
must proxy_up
udp_proxy_up
module_needed

# --- bad input ---------------------------------------------------------------------------

refused() # STATUS REGEX ARGUMENT...
{
	local status=$1 regex=$2 said

	shift 2
	said=$(ns box mackeep bypass "$@" 2>&1)
	like "$? $said" "^$status mackeep: bypass: .*$regex" "refused: bypass $*"
}

refused 1 "bridge br0: it is not up, .*; set it up: mackeep up br0" br0 on
refused 1 "bridge br0: it is not up, .*; set it up" br0 status
refused 2 "which bridge"
ok "up" up
refused 2 "\"*maybe\"*: it is on, off or status" br0 maybe
refused 2 "--drain: it is for on" br0 --drain 5
refused 2 "--drain \"soon\": it is not a number" br0 on --drain soon
refused 2 "too many" br0 on off
is "$(state tcp) $(state udp)" "open open" "and nothing is changed"

answered() # COUNT
{
	grep -q "^done [$1-9] failed 0" "$TMP/idle.out" && left_is tcp $1
}

# --- what is left --------------------------------------------------------------------------

sessions()
{
	must held_start held c1 -c 3 -s 1000 -w 20 $L1
	ok "$1: three connections are left" busywait 10 left_is tcp 3
	must held_stop held
	ok "$1: none, when they are closed" busywait 10 left_is tcp 0
	cmp_ok "$(ns box conntrack -L -f ipv$family 2>/dev/null | grep -c "dport=443.*mackeep")" -ge 6 \
		"$1: though conntrack has them for minutes"
	# What is closed but not acknowledged is not done.
	spawn idle ns c1 load get -l -c 3 -w 600000 $L1
	idle=$spawned
	must busywait 20 answered 3
	must ns c1 nft -f - <<-RULES
		table inet deaf {
			chain coming {
				type filter hook input priority 0; policy accept;
				tcp sport 443 drop
			}
		}
	RULES
	kill -9 $proxy_pid
	wait $proxy_pid 2>/dev/null
	is "$(left tcp)" 3 "$1: the proxy has died, but they have not heard of it"
	must ns c1 nft delete table inet deaf
	ok "$1: then none is left" busywait 30 left_is tcp 0
	tap_kill $idle
	must proxy_up
}
each_family sessions "TCP"

udp_sessions()
{
	must ns c1 udp talk -n 2 $L1
	is "$(left udp)" $((family == 4 ? 1 : 2)) "$1: one more session"
}
each_family udp_sessions "UDP"

# --- bypass ---------------------------------------------------------------------------------

opens=$(box_opens Passive)
must ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 1)) "control: a connection goes through the proxy"

must held_start held c1 -s 1000 -w 20 $L1
must ns c1 udp talk -b 6001 -n 2 $L1
ok "on" bypass on
is "$(state tcp) $(state udp)" "bypass bypass" "on: status says so"
opens=$(box_opens Passive)
ok "on: a new connection" ns c1 load get $L1
is "$(box_opens Passive)" $opens "on: goes past the proxy"
ok "on: what was there goes on" held_grows held
ok "on again" bypass on
ok "up" up
is "$(state tcp) $(state udp)" "bypass bypass" "up leaves bypass as it is"

said=$(bypass on --drain 2 2>&1)
like "$? $said" "^1 .*: ([0-9]+) proxied .* 2 s more.*: \1 proxied .* 1 s more.*: \1 proxied connections are left\.$" \
	"on --drain: says each second what is left, and fails"
is "$(state tcp)" bypass "on --drain: the bypass stays"

spawn drain ns box mackeep bypass br0 on --drain 300
drain=$spawned
must busywait 20 grep -q waiting "$TMP/drain.err"
ok "on --drain: the proxy's connection ends well" held_stop held
udp_proxy_down
ok "on --drain: when the last one is gone, so is it" wait $drain
unlike "$(cat "$TMP/drain.err")" " left; waiting [0-9][0-9]? s" "on --drain: long before its time"
like "$(tail -n 1 "$TMP/drain.err")" ": 0 proxied connections are left\.$" "on --drain: with none left"

# The proxy is stopped: its UDP flows have to live as well.
ok "stopped: a UDP flow that it had goes on" ns c1 udp talk -b 6001 -n 3 $L1
proxy_down
ok "stopped: a new connection" ns c1 load get $L1
must proxy_up
udp_proxy_up
ok "off" bypass off
is "$(state tcp) $(state udp)" "open open" "off: status says so"
opens=$(box_opens Passive)
ok "off: a new connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 1)) "off: goes through the proxy"

# --- down ------------------------------------------------------------------------------------

# Another bridge has the same proxy.
must topo_ip box <<-LINES
	link add br1 type bridge
	link add port8 type dummy
	link set port8 master br1
	link set br1 up
LINES
ok "another bridge" ns box mackeep up --bridge br1 --tcp 80 --to $PROXY_PORT
must held_start held c1 -s 1000 -w 20 $L1
spawn down ns box mackeep down br0 --drain 300
down=$spawned
must busywait 20 grep -q waiting "$TMP/down.err"
is "$(state tcp)" bypass "down --drain: what is new goes past the proxy"
ok "down --drain: what is there ends well" held_stop held
ok "down --drain: then it goes down" wait $down
is "$(ns box mackeep services 2>/dev/null | sed 's/ ipv6.*//')" "tcp to=$PROXY_PORT mark=0x14d4b ipv4=open" \
	"down --drain: the other bridge's service is as it was"
refused 1 "bridge br0: it is not up" br0
ok "the other one goes" ns box mackeep down br1 --drain 5
must ip -n mk-box link del br1

ok "up" up
must held_start held c1 -s 1000 -w 20 $L1
said=$(ns box mackeep down br0 --drain 1 2>&1)
like "$? $said" "^0 .* 1 s more.*: 1 proxied connections are left\.$" \
	"down --drain: goes down all the same when the time is over"
is "$(ns box mackeep services 2>/dev/null)" "" "down --drain: all is down"
held_stop held
net_done
