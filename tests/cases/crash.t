#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The proxy is killed, stopped and started again under load: new connections as
# fast as they go, and 50 downloads. Of what was opened after the event nothing
# fails that would not on a plain bridge, and what the dead proxy had is ended on
# both of its legs, by the right MACs.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy, or udp
#
# Control: without a service, what is opened after the event fails.
#
# Its time is long: it runs on one kernel in turn.
#
# Seen by others: a queue of handshakes that takes only who is known already,
# seed-labs/seed-labs issue 62; a crash, and what it had goes on without it,
# wiresock/proxifyre issue 98; nobody listens, OISF/suricata pull request 2883.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
tools udp frame

MANY=25 # downloads of each family

kill_proxy() # SIGNAL; the moment when it was gone is in $gone
{
	kill -$1 $proxy_pid
	wait $proxy_pid 2>/dev/null
	gone=$EPOCHREALTIME
	proxy_pid=
}

downloads_start()
{
	spawn many$family ns c1 load get -c $MANY -n $MANY -p 3 -s 30000 -t 120 $S1
	many_pid[$family]=$spawned
	must busywait 60 downloads_there 1
}

downloads_there() # PARTS
{
	[ "$(grep -cx part "$TMP/many$family.out")" -ge $(($1 * MANY)) ]
}

# Of TCP on a leg, captured with -p: connections that were opened meanwhile, how
# many of these were not ended, and how many older ones were
legs_ended() # NAME SADDR DADDR
{
	awk -v saddr="$2" -v daddr="$3" '
		$1 == "from" && $6 == saddr && $7 == daddr && $8 == "tcp" {
			if ($14 ~ /S/) began[$9 " " $10] = 1
			if ($14 ~ /[FR]/) ended[$9 " " $10] = 1
		}
		$1 == "to" && $6 == daddr && $7 == saddr && $14 ~ /R/ {
			ended[$10 " " $9] = 1
		}
		END {
			for (key in began)
				if (!(key in ended)) open++
			for (key in ended)
				if (!(key in began)) old++
			print length(began), open + 0, old + 0
		}' "$TMP/$1"
}

all_ended() # NAME SADDR DADDR TITLE
{
	local began open old

	read -r began open old < <(legs_ended $1 $2 $3)
	# The ports of some of these may have been used anew since.
	cmp_ok $old -ge $((MANY / 2)) "$4: what the dead proxy had is ended"
	is $open 0 "$4: and all of the $began opened after"
}

must topo_up
must servers_up
must proxy_up
module_needed
topo_box_marks
topo_box_rules -j MACKEEP
declare -A many_pid

# --- control ----------------------------------------------------------------------------

storm_start -t 1
kill_proxy KILL
ok "no service: what is opened after a crash fails" busywait 20 storm_fails $gone
storm_stop
rm "$TMP/storm4.out"

is "$(service_add -p tcp --to $PROXY_PORT)" "" "a service is made"

# --- killed -----------------------------------------------------------------------------

# And killed once more by SIGTERM, while downloads go past it.
crash() # TITLE
{
	local t=$1 back

	must proxy_up
	must busywait 10 service_is tcp ipv$family open
	downloads_start
	storm_start
	spawn full ns c1 load get -s 500000000 -t 60 $S1
	must busywait 20 eval '[ -n "$(ns box ss -tnH state established "sport = :443")" ]'
	wire_both -p

	kill_proxy KILL
	taken >/dev/null
	ok "$t: new connections are served" storm_grows 60
	is "$(taken)" 0 "$t: all of them go past the proxy"
	is "$(service tcp ipv$family)" nolistener "$t: the service is closed"
	nok "$t: the downloads that it had are lost" wait ${many_pid[$family]}
	ok "$t: the box is done with them" proxy_quiet
	downloads_start

	back=$EPOCHREALTIME
	is "$(storm_failed $gone $back)" 0 "$t: none failed that was opened after it was gone"
	must proxy_up
	ok "$t: the proxy is back" busywait 10 service_is tcp ipv$family open
	ok "$t: new connections are served again" storm_grows 50
	cmp_ok "$(taken)" -gt 20 "$t: by the proxy"

	kill_proxy TERM
	ok "$t, terminated: new connections are served" storm_grows 50
	back=$EPOCHREALTIME
	must proxy_up
	storm_grows 20
	storm_stop
	is "$(storm_failed $gone $back)" 0 "$t, terminated: none failed that was opened after"
	# Who comes while it dies may come twice: its sockets go one by one.
	cmp_ok "$(storm_failed 0 1e12 2>/dev/null)" -le 16 "$t: and of all only those that it had"
	next_part
	must busywait 60 downloads_there 2
	next_part
	ok "$t: downloads that began without the proxy end intact" wait ${many_pid[$family]}
	ok "$t: the box comes to rest" proxy_quiet
	wire_stop

	all_ended west $S1 $C1 "$t, to the client"
	all_ended east $C1 $S1 "$t, to the server"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 300 "$t: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 300 "$t: to the server"
	wire_clean "$t" 'type ~ /ip/'
	proxy_down
}
each_family crash "killed"

# Ports of connections that have ended just now, to the client and to the server,
# are used for new ones.
ended_on() # TITLE
{
	local t=$1 down up

	must proxy_up
	must busywait 10 service_is tcp ipv$family open
	must held_start old$family c1 -w 100 $S1
	down=$(ns box ss -tnH state established "sport = :443 and dst [$C1]" | awk '{ sub(/.*:/, "", $4); print $4 }')
	up=$(ns box ss -tnH state established "dport = :443 and src [$C1]" | awk '{ sub(/.*:/, "", $3); print $3 }')
	like "$down $up" "^[0-9]+ [0-9]+$" "$t: one connection on each side"
	kill_proxy KILL
	must busywait 20 ended_there $down $up
	kill ${held_pid[old$family]}
	ok "$t: the client's port is used anew" new 1 -P $down
	ok "$t: and the proxy's own" new 1 -P $up
	nok "$t: nothing of the old one is left" ended_there $down
}

ended_there() # PORT...
{
	local port

	for port; do
		ns box ss -tnH state time-wait "sport = :$port or dport = :$port" | has . || return
	done
}
each_family ended_on "ports used anew"

# --- stopped ----------------------------------------------------------------------------

# Its queue has room for five.
stopped() # TITLE
{
	local t=$1

	topo_sysctl box net.core.somaxconn=4
	must proxy_up
	must busywait 10 service_is tcp ipv$family open
	storm_start -t 120
	kill -STOP $proxy_pid
	spawn waits ns c1 load get -o -c 12 -n 24 -t 120 $S1
	waits=$spawned
	ok "$t: the service is closed" busywait 10 service_is tcp ipv$family backlog
	ok "$t: new connections are served" new 20
	kill -CONT $proxy_pid
	ok "$t: more than there was room for are as well" wait $waits
	ok "$t: the service is open again" busywait 20 service_is tcp ipv$family open
	ok "$t: and the storm goes on" storm_grows 20
	storm_stop
	is "$(storm_failed 0 1e12)" 0 "$t: none has failed"
	topo_sysctl box net.core.somaxconn=4096
	proxy_down
}
each_family stopped "stopped"

# Handshakes that nobody ends, without cookies
handshakes() # TITLE
{
	local t=$1

	topo_sysctl box net.ipv4.tcp_syncookies=0 net.ipv4.tcp_max_syn_backlog=64 \
		net.ipv4.tcp_synack_retries=3
	ns box ip tcp_metrics flush >/dev/null 2>&1
	must proxy_up
	must busywait 10 service_is tcp ipv$family open
	must ns west frame flood -i w0 -n 200 syn $MAC_C2 $MAC_R $S1 443 >/dev/null
	passes "$t" 20
	is "$(service tcp ipv$family)" backlog "$t: the service is closed"
	must service_del tcp
	nok "$t: without a service new ones fail" ns c1 load get -t 2 $S1
	is "$(service_add -p tcp --to $PROXY_PORT)" "" "$t: the service is back"
	proxy_down
	topo_sysctl box net.ipv4.tcp_syncookies=1 net.ipv4.tcp_max_syn_backlog=1024 \
		net.ipv4.tcp_synack_retries=5
}
each_family handshakes "handshakes"

# --- a listener elsewhere ---------------------------------------------------------------

elsewhere()
{
	sed "s/bind :$PROXY_PORT /bind 127.0.0.1:$PROXY_PORT /; s/bind :::$PROXY_PORT /bind ::1:$PROXY_PORT /" \
		"$TMP/haproxy.cfg" >"$TMP/elsewhere.cfg"
	spawn elsewhere ns box haproxy -db -f "$TMP/elsewhere.cfg"
	proxy_pid=$spawned
	busywait 20 eval '[ "$(ns box ss -tlnH "sport = :$PROXY_PORT" | wc -l)" = 2 ]'
}

must elsewhere
each_family passes "bound to the wrong address" 10
must service_del tcp
nok "bound to the wrong address: without a service nothing works" ns c1 load get -t 2 $S1
for tables in iptables ip6tables; do
	on=127.0.0.1
	[ $tables = iptables ] || on=::1
	must ns box $tables -t mangle -R PREROUTING 3 -p tcp --dport 443 \
		-j TPROXY --on-port $PROXY_PORT --on-ip $on --tproxy-mark 1
done
is "$(service_add -p tcp --to $PROXY_PORT --on-ip 127.0.0.1 --on-ip ::1)" "" "a service with addresses"
like "$(ns box mackeep services 2>/dev/null)" " on=127.0.0.1 on=::1 " "which are shown"
each_family proxied "bound to the rule's address" 10
proxy_down
must service_del tcp
is "$(service_add -p tcp --to $PROXY_PORT --on-ip 127.0.0.2 --on-ip ::2)" "" "a service with others"
must elsewhere
each_family passes "not bound to the rule's address" 10
must service_del tcp
proxy_down
topo_box_rules_off
topo_box_rules -j MACKEEP
is "$(service_add -p tcp --to $PROXY_PORT)" "" "a service without"

# --- conntrack has no room --------------------------------------------------------------

must proxy_up
most=$(sysctl -n net.netfilter.nf_conntrack_max)
defer sysctl -qw net.netfilter.nf_conntrack_max=$most
ns box conntrack -F 2>/dev/null
crowded() # TITLE
{
	local t=$1

	storm_start
	must sysctl -qw net.netfilter.nf_conntrack_max=$(($(ns box conntrack -C) + 60))
	ok "$t: new connections are served" storm_grows 100
	storm_stop
	is "$(storm_failed 0 1e12)" 0 "$t: and none has failed"
	cmp_ok "$(service tcp tablefull)" -gt 0 "$t: many of them past the proxy"
	is "$(service tcp ipv$family)" tablefull "$t: the service is closed"
	must service_del tcp
	must sysctl -qw net.netfilter.nf_conntrack_max=1
	nok "$t: without a service new ones fail" ns c1 load get -t 2 $S1
	must sysctl -qw net.netfilter.nf_conntrack_max=$most
	is "$(service_add -p tcp --to $PROXY_PORT)" "" "$t: the service is back"
}
each_family crowded "conntrack is full"
proxy_quiet
proxy_down
must service_del tcp

# --- UDP --------------------------------------------------------------------------------

echo_up srv
is "$(service_add -p udp --to $PROXY_PORT)" "" "UDP: a service is made"

# Flows that each ask again as soon as they are answered
flows_start() # COUNT
{
	local i

	flow_pids=()
	for ((i = 0; i < 8; i++)); do
		spawn flow$i ns c1 udp talk -n $1 -t 5 -b $((7000 + i)) $S1
		flow_pids+=("$spawned")
	done
}

# Datagrams that went unanswered, the most of one flow
flows_failed()
{
	sed -n 's/^done .* failed \([0-9]*\).*/\1/p' "$TMP"/flow?.out | sort -n | tail -n 1
}

udp_crash() # TITLE
{
	local t=$1 before

	udp_proxy_up
	must busywait 10 service_is udp ipv$family open
	before=$(service udp lifted)
	flows_start 1000
	must busywait 20 eval '[ "$(service udp lifted)" -ge '$((before + 100))' ]'
	wire_both
	kill -KILL "${udp_proxies[@]}"
	wait "${udp_proxies[@]}" 2>/dev/null
	udp_proxies=()
	before=$(service udp lifted)
	ok "$t: new flows pass" ns c1 udp talk -n 20 -t 5 $S1
	wait "${flow_pids[@]}"
	cmp_ok "$(flows_failed)" -le 1 "$t: a flow loses no more than what the proxy had"
	is "$(service udp lifted)" $before "$t: nothing is lifted any more"
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 100 "$t: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 100 "$t: to the server"
	wire_clean "$t" 'type ~ /ip/'
}
each_family udp_crash "UDP, killed"

udp_stopped() # TITLE
{
	local t=$1

	udp_proxy_up
	must busywait 10 service_is udp ipv$family open
	kill -STOP "${udp_proxies[@]}"
	# Not from a port whose flow went past the proxy a moment ago.
	spawn waits ns c1 udp talk -n 1 -t 60 -b 7099 $S1
	ok "$t: the service is closed" busywait 20 service_is udp ipv$family backlog
	ok "$t: new flows pass" ns c1 udp talk -n 10 -t 5 -b 7100 $S1
	kill -CONT "${udp_proxies[@]}"
	ok "$t: who waited is served" wait $spawned
	ok "$t: the service is open again" busywait 20 service_is udp ipv$family open
	ok "$t: what began without the proxy goes on" ns c1 udp talk -n 5 -t 5 -b 7100 $S1
	udp_proxy_down
}
each_family udp_stopped "UDP, stopped"

# --- the end ------------------------------------------------------------------------------

# Namespaces go together with their services, which are asked ten times a second.
for ((i = 0; i < 20; i++)); do
	must ip netns add mk-gone$i
	must ip netns exec mk-gone$i mackeep services add --mark $LIFT_MARK -p tcp --to 9 2>/dev/null
done
for ((i = 0; i < 20; i++)); do
	echo "netns del mk-gone$i"
done | must ip -batch -
net_done
