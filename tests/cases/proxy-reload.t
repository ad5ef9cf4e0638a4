#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Proxies read their configuration anew under load: HAProxy -sf, with and without
# the old one's sockets, nginx by SIGHUP, and Squid -k reconfigure, which closes
# its port meanwhile. No connection is lost that the proxy itself does not lose,
# and downloads that are under way end intact.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy, nginx, Squid
#
# Control: the same on a box as it is run today.
#
# Its time is long: it runs on one kernel in turn.
#
# Seen by others: what waits in the old one's queue is lost, joewalnes/port-sharding
# pull request 3; SYNs are held back meanwhile, aws/opsworks-cookbooks pull request
# 40; an old process that stays, haproxy/haproxy issue 2302.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
. "$(dirname "$0")/../lib/parts.sh" || exit 1
need nginx
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
	skip_all "nginx has no stream module"
tools inherit

TIMES=3

# Something listens on the proxy's port, in both families or in one for both.
proxy_listens()
{
	ns box ss -tlnH "sport = :$PROXY_PORT" | has .
}

# --- the proxies: COMMAND_start, COMMAND_again, COMMAND_stop -----------------------------

haproxy_start()
{
	must proxy_up
}

haproxy_again() # [OPTION...]
{
	local old=$proxy_pid

	spawn haproxy ns box haproxy -db -f "$TMP/haproxy.cfg" -sf $old "$@"
	proxy_pid=$spawned
	old_ones+=("$old")
	must busywait 20 haproxy_took_over $old
}

# The old one listens no more.
haproxy_took_over() # PID
{
	! ns box ss -tlnpH "sport = :$PROXY_PORT" | has "pid=$1,"
}

haproxy_stop()
{
	ok "$t: the old ones end" busywait 30 old_ones_gone
	old_ones=()
	proxy_down
}

old_ones_gone()
{
	! kill -0 "${old_ones[@]}" 2>/dev/null
}

handover_start()
{
	must proxy_up
	tap_kill $proxy_pid
	sed -i "s|stats socket .*|stats socket $TMP/haproxy.sock level admin expose-fd listeners|" \
		"$TMP/haproxy.cfg"
	spawn haproxy ns box haproxy -db -f "$TMP/haproxy.cfg"
	proxy_pid=$spawned
	must busywait 20 listening box $PROXY_PORT
}

handover_again()
{
	haproxy_again -x "$TMP/haproxy.sock"
}

handover_stop()
{
	haproxy_stop
}

nginx_start()
{
	cat >"$TMP/nginx.conf" <<-CONF
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	daemon off;
	user root;
	error_log stderr error;
	pid $TMP/nginx.pid;
	events { worker_connections 512; }
	stream {
		proxy_bind \$remote_addr transparent;
		proxy_timeout 60s;
		server {
			listen $PROXY_PORT;
			proxy_pass \$server_addr:443;
		}
		server {
			listen [::]:$PROXY_PORT;
			proxy_pass [\$server_addr]:443;
		}
	}
	CONF
	spawn nginx ns box inherit tcp:$PROXY_PORT tcp6:$PROXY_PORT -- nginx -c "$TMP/nginx.conf"
	proxy_pid=$spawned
	must busywait 20 eval '[ -n "$(nginx_workers)" ]'
}

nginx_workers()
{
	ps -o pid= --ppid $proxy_pid
}

nginx_again()
{
	local before

	before=$(nginx_workers | sort | tail -n 1)
	kill -HUP $proxy_pid
	must busywait 20 eval '[ "$(nginx_workers | sort | tail -n 1)" != '"$before"' ]'
}

nginx_stop()
{
	tap_kill $proxy_pid
}

squid_start()
{
	mkdir -p "$TMP/squid"
	chmod 777 "$TMP" "$TMP/squid"
	printf '%s test\n' $S1 >"$TMP/squid/hosts"
	cat >"$TMP/squid/conf" <<-CONF
	http_port $PROXY_PORT tproxy
	http_port 127.0.0.1:3128
	http_access allow all
	cache deny all
	cache_mem 1 MB
	memory_cache_shared off
	hosts_file $TMP/squid/hosts
	dns_nameservers 127.0.0.1
	pid_filename $TMP/squid/pid
	cache_log $TMP/squid/log
	access_log none
	coredump_dir $TMP/squid
	netdb_filename none
	pinger_enable off
	server_persistent_connections off
	shutdown_lifetime 1 seconds
	max_filedescriptors 1024
	visible_hostname box
	CONF
	spawn squid ns box squid -N -f "$TMP/squid/conf"
	proxy_pid=$spawned
	must busywait 60 proxy_listens
}

squid_configured() # TIMES
{
	[ "$(grep -c "Accepting TPROXY" "$TMP/squid/log")" -ge $1 ]
}

squid_again()
{
	local before

	before=$(grep -c "Accepting TPROXY" "$TMP/squid/log")
	kill -HUP $proxy_pid
	must busywait 30 squid_configured $((before + 1))
}

squid_stop()
{
	tap_kill $proxy_pid
}

# --- the test ----------------------------------------------------------------------------

declare -A lost
old_ones=()

again() # TITLE PROXY
{
	local t=$1 proxy=$2 i

	${proxy}_start
	[ -z "${service-}" ] || must busywait 20 service_is tcp ipv$family open
	part_start 3
	must busywait 30 parts_there 1
	storm_start
	taken >/dev/null
	for ((i = 0; i < TIMES; i++)); do
		${proxy}_again
		must storm_grows 20
	done
	cmp_ok "$(taken)" -gt 30 "$t: new connections go through the proxy"
	storm_stop
	lost[$t]=$(storm_failed 0 1e12)
	next_part
	must busywait 30 parts_there 2
	next_part
	ok "$t: a download that is under way ends intact" wait ${part_pid[get$family]}
	unset "part_pid[get$family]"
	proxy_quiet
	${proxy}_stop
	note "$t: ${lost[$t]} of $(storm_done) connections were lost"
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 500 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 500 "$1: to the server"
}

each_proxy()
{
	each_family again "$1, HAProxy" haproxy
	each_family again "$1, HAProxy with its sockets" handover
	each_family again "$1, nginx" nginx
	! command -v squid >/dev/null || each_family again "$1, Squid" squid
}

must topo_up
must servers_up
today_up
each_proxy today
today_down

module_needed
topo_box_marks
topo_box_rules -j MACKEEP
service=1
is "$(service_add -p tcp --to $PROXY_PORT)" "" "a service is made"
wire_both
each_proxy kept
wire_stop
each_family legs "kept"
wire_clean kept 'type ~ /ip/'
for t in "${!lost[@]}"; do
	[[ $t == kept* ]] || continue
	# These two close a queue each time, and who waits in it is lost.
	slack=0
	[[ $t != *HAProxy,* && $t != *Squid* ]] || slack=$TIMES
	cmp_ok ${lost[$t]} -le $((${lost[today${t#kept}]} + slack)) "$t: no more are lost than today"
done

proxy_pid=
net_done
