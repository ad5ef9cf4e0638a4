#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up, bypass, down --drain and up again, on a bridge with more than 500
# connections to the ports that are proxied: downloads, idle ones, half-open ones,
# UDP flows, and others that come and go all the time. None breaks, those that are
# there go on without the proxy, and new ones go through it.
#
#  c1, c2 --- west --- [ port0 br0 port1 ] --- east --- l1, rt --- srv
#                          ^ HAProxy, udp
#
# Control: without its services, up breaks what is there.
#
# Its time is long: it runs on one kernel in turn.
#
# Seen by others: connections that are there when a proxy comes hang for minutes,
# cilium/cilium issue 2568; a client's port that is used again is taken for the
# connection from before the proxy, cilium/cilium pull request 32614.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
need mackeep socat ss
tools udp frame

UP="--bridge br0 --tcp 443,8443 --udp 443 --to $PROXY_PORT"

up() # [OPTION...]
{
	ns box mackeep up $UP "$@"
}

# What the service TCP or UDP says of itself
service() # tcp|udp WORD
{
	ns box mackeep services 2>/dev/null | sed -n "/^$1 /s/.* $2=\([^ ]*\).*/\1/p"
}

service_is() # tcp|udp WORD VALUE
{
	[ "$(service $1 $2)" = "$3" ]
}

held_failed() # NAME
{
	[ "$(held_count "$1" failed)" -gt 0 ]
}

must topo_up
topo_box_unrouted
must servers_up
must web_up srv 8443
echo_up srv
must proxy_up
udp_proxy_up
module_needed

# --- control ----------------------------------------------------------------------------

must held_start control c1 -s 5000 -w 20 $S1
ok "control: up" up --settle 0
must held_grows control
must ns box mackeep services del --mark $LIFT_MARK -p tcp
ok "control: without the service, what was there breaks" busywait 60 held_failed control
held_stop control
must ns box mackeep down br0

# --- what is there before up ------------------------------------------------------------

literal() # ADDRESS
{
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

# A client's connections that are there: its address and port, and the server's
opened_by() # NAMESPACE SERVER
{
	ns $1 ss -tnH state established "dst $(literal $2) and dport = 443" |
		awk '{ print $3, $4 }'
}

established() # NAMESPACE SERVER COUNT
{
	[ "$(opened_by $1 $2 | wc -l)" -ge $3 ]
}

# Those of $TMP/there that the box has a socket for, and no handshake alone
taken()
{
	ns box ss -tanH exclude syn-recv exclude listening | awk '{ print $5, $4 }' |
		sort | comm -12 - "$TMP/there"
}

half_open()
{
	[ "$(ns c2 ss -tnH state syn-sent dport = 8443 | wc -l)" -ge 20 ]
}

# The next part of the idle connections, and of the downloads
idle_part()
{
	kill -USR1 $l1_web
}

get_part()
{
	kill -USR1 $srv_web
}

web_of() # NAMESPACE
{
	ns $1 ss -tlnpH sport = 443 | grep -o 'pid=[0-9]*' | cut -d = -f 2 | xargs
}

idle_past() # COUNT
{
	[ "$(cat "$TMP"/idle[46].out | grep -cx part)" -ge $1 ]
}

must ns srv nft -f - <<-RULES
	table inet hold {
		chain coming {
			type filter hook input priority 0; policy accept;
			tcp dport 8443 drop
		}
	}
RULES
l1_web=$(web_of l1)
srv_web=$(web_of srv)
before()
{
	spawn idle$family ns c2 load get -c 210 -n 210 -p 6 -s 6000 -t 900 $L1
	idle_pid+=("$spawned")
	spawn get$family ns c1 load get -c 10 -n 10 -p 20 -s 4000000 -t 900 $S1
	part_pid[get$family]=$spawned
	must held_start slow$family c1 -c 20 -s 10000 -w 500 $S2
	must held_start storm$family c2 -o -w 50 $S1
	must busywait 60 established c2 $L1 210
	must busywait 60 established c1 $S1 10
}
idle_pid=() half_pid=()
each_family before
must busywait 120 idle_past 420
must busywait 120 parts_there 10
for family in 4 6; do
	topo_family $family
	opened_by c2 $L1
	opened_by c1 $S1
	opened_by c1 $S2
	ns c1 udp talk -b 6001 -n 3 $S1 >&2
done | sort >"$TMP/there"
topo_family 4
cmp_ok "$(wc -l <"$TMP/there")" -ge 480 "connections are there, besides 20 half-open ones"

# All goes on, and nothing of it by the proxy.
goes_on() # TITLE
{
	local t=$1

	is "$(taken)" "" "$t: what was there stays without the proxy"
	for family in 4 6; do
		ok "$t: IPv$family, downloads go on" held_grows slow$family 40
		ok "$t: IPv$family, connections come and go" held_grows storm$family 20
	done
	parts=$((parts + 10))
	get_part
	ok "$t: long downloads go on" busywait 120 parts_there $parts
	idle=$((idle + 420))
	idle_part
	ok "$t: and idle ones" busywait 120 idle_past $idle
}
parts=10 idle=420

# New connections of the two families
opened()
{
	box_opens Passive
}

grows() # COUNT
{
	[ "$(opened)" -ge $((opens + $1)) ]
}

comes() # TITLE
{
	opens=$(opened)
	ok "$1: new connections go through the proxy" busywait 60 grows 20
}

passes() # TITLE
{
	opens=$(opened)
	for family in 4 6; do
		ok "$1: IPv$family, connections come and go" held_grows storm$family 20
	done
	cmp_ok $(($(opened) - opens)) -le 2 "$1: past the proxy"
}

wire_both
half()
{
	spawn half$family ns c2 load get -c 10 -n 10 -t 200 $S1 8443
	half_pid+=("$spawned")
}
each_family half
must busywait 60 half_open

# --- up ------------------------------------------------------------------------------------

ok "up" up --settle 20
ns srv nft delete table inet hold
udp_settles()
{
	ok "$1: a flow that was there goes on" ns c1 udp talk -b 6001 -n 5 $S1
	is "$(service udp ipv$family)" settling "$1: while the service settles"
}
each_family udp_settles "up, UDP"
comes "up"
goes_on "up"
cmp_ok "$(service tcp midstream)" -gt 480 "up: as the count says"
for pid in "${half_pid[@]}"; do
	ok "up: half-open connections open" wait $pid
done

udp_settled()
{
	local lifted

	ok "$1: the service is settled" busywait 60 service_is udp ipv$family open
	lifted=$(service udp lifted)
	ok "$1: the flow that was there goes on" ns c1 udp talk -b 6001 -n 5 $S1
	is "$(service udp lifted)" $lifted "$1: without the proxy"
	ok "$1: a new flow" ns c1 udp talk -b 6002 -n 5 $S1
	is "$(service udp lifted)" $((lifted + 5)) "$1: goes through it"
}
each_family udp_settled "up, UDP"

# A SYN of a connection that is there comes once more, late. The proxy's answer has
# the client ask the server, and that is not for the proxy.
crossed()
{
	local port many

	port=$(opened_by c1 $S1 | sort | comm -12 - "$TMP/there" | sed -n '1s/.*:\([0-9]*\) .*/\1/p')
	many=$(opened_by c1 $S1 | wc -l)
	must ns c1 frame send -i eth0 < <(frame make syn $MAC_C1 $MAC_R $C1 $S1 $port 443)
	ok "$1: the proxy answers it" busywait 10 syn_received $port
	ok "$1: the connection goes on" held_grows slow$family
	is "$(opened_by c1 $S1 | wc -l)" $many "$1: with all others"
}

syn_received() # [PORT]
{
	[ -n "$(ns box ss -tnH state syn-recv ${1:+dport = $1})" ]
}
each_family crossed "late SYN"

# A client's port is used again, after a connection from before up.
again() # PORT
{
	printf 'GET /1000/1 HTTP/1.1\r\n\r\n' |
		ns c1 socat -t 10 - "TCP:$(literal $S1):443,sourceport=$1,reuseaddr" |
		wc -c
}

for name in c1 srv box; do
	topo_sysctl $name net.ipv4.tcp_max_tw_buckets=0
done
must ns box mackeep bypass br0 on
reused()
{
	is "$(again 7000)" 1041 "$1: without the proxy"
}
each_family reused "a client's port"
must ns box mackeep bypass br0 off
used_again()
{
	opens=$(opened)
	is "$(again 7000)" 1041 "$1: the next connection of the same port"
	ok "$1: goes through the proxy" grows 1
}
each_family used_again "a client's port"

# --- bypass ---------------------------------------------------------------------------------

for family in 4 6; do
	topo_family $family
	must held_start kept$family c1 -c 2 -s 5000 -w 20 $S1
done
topo_family 4
ok "bypass on" ns box mackeep bypass br0 on
passes "bypass"
left()
{
	ns box mackeep bypass br0 | has -x "tcp to=$PROXY_PORT mark=0x4d4b ipv4=bypass ipv6=bypass left=$1"
}
ok "bypass: status tells what the proxy still has" busywait 20 left 4
ok "bypass: which goes on" held_grows kept4
goes_on "bypass"
said=$(ns box mackeep bypass br0 on --drain 2 2>&1)
like "$? $said" "^1 .* [0-9]+ proxied connections are left; waiting 2 s more.* 1 s more" \
	"bypass --drain: says what is left, and fails"
ok "bypass off" ns box mackeep bypass br0 off
comes "bypass off"

# --- down, and up again -------------------------------------------------------------------------

# What the proxy has begun with that is there longer than its service.
topo_sysctl box net.ipv4.tcp_synack_retries=8
each_family crossed "late SYN before down"
spawn down ns box mackeep down br0 --drain 120
down=$spawned
must busywait 60 grep -q "are left; waiting" "$TMP/down.err"
ok "down --drain: what the proxy has goes on" held_grows kept4
for family in 4 6; do
	ok "down --drain: and ends well, IPv$family" held_stop kept$family
done
udp_proxy_down
ok "down --drain: then it ends" wait $down
like "$(tail -n 1 "$TMP/down.err")" " 0 proxied connections are left" "down --drain: with nothing left"
passes "down"
ok "down: the proxy's handshakes of late SYNs are still there" syn_received
goes_on "down"
udp_proxy_up
ok "up again" up
comes "up again"
goes_on "up again"

# --- the end ---------------------------------------------------------------------------------------

idle_done()
{
	idle_part
	! kill -0 "${idle_pid[@]}" 2>/dev/null
}

get_done()
{
	get_part
	! kill -0 ${part_pid[get4]} ${part_pid[get6]} 2>/dev/null
}

busywait 60 idle_done
busywait 120 get_done
for family in 4 6; do
	ok "IPv$family: no idle connection has failed" wait ${idle_pid[family == 6]} ||
		diag "$(cat "$TMP/idle$family.err")"
	ok "IPv$family: no long download" wait ${part_pid[get$family]} || diag "$(cat "$TMP/get$family.err")"
	ok "IPv$family: no other one" held_stop slow$family
	ok "IPv$family: none that came and went" held_stop storm$family
done
proxy_quiet
wire_stop
wire_clean "all the time"
ok "down" ns box mackeep down br0
net_done
