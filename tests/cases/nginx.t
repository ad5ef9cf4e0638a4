#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# nginx as the proxy, TCP and UDP: "proxy_bind $remote_addr transparent".
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73
#
# nginx cannot make its listening sockets transparent: it inherits them. It answers
# UDP from the address that the client asked, but from the port that it listens on,
# so it has to listen on the server's port.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need nginx
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
	skip_all "nginx has no stream module"
tools udp inherit

N=20

nginx_up()
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
		proxy_timeout 20s;
		server {
			listen $PROXY_PORT;
			listen 443 udp;
			proxy_pass \$server_addr:443;
		}
		server {
			listen [::]:$PROXY_PORT;
			listen [::]:443 udp;
			proxy_pass [\$server_addr]:443;
		}
	}
	CONF
	must spawn nginx ns box inherit tcp:$PROXY_PORT udp:443 tcp6:$PROXY_PORT udp6:443 -- \
		nginx -c "$TMP/nginx.conf"
	nginx_pid=$spawned
	# It inherits the sockets: what comes before it is ready waits in them.
	busywait 20 listening box $PROXY_PORT && return
	diag "$(cat "$TMP/nginx.err")"
	return 1
}

traffic() # TITLE
{
	local passive active

	passive=$(box_opens Passive)
	active=$(box_opens Active)
	ok "$1: TCP, $N requests of c1 to $S1" ns c1 load get -c 4 -n $N $S1
	ok "$1: TCP, c2 to $L1" ns c2 load get -n $N $L1
	ok "$1: UDP, c1 to $S1" ns c1 udp talk -n $N $S1
	ok "$1: UDP, c2 to $L1" ns c2 udp talk -n $N $L1
	ok "$1: the proxy comes to rest" proxy_quiet
	is "$(($(box_opens Passive) - passive)) $(($(box_opens Active) - active))" \
		"5 5" "$1: every connection went through the proxy"
	wire_stop
	is "$(wire_sum east "way == \"from\" && proto == \"udp\" && saddr == \"$C1\"") $(wire_sum west "way == \"from\" && proto == \"udp\" && saddr == \"$S1\"")" \
		"$N $N" "$1: the datagrams were one out for one in"
}

must topo_up
must servers_up
echo_up srv
echo_up l1
must nginx_up

rules()
{
	topo_box_rules "$@"
	for tables in iptables ip6tables; do
		must ns box $tables -t mangle -R PREROUTING $(($# > 0 ? 4 : 3)) -p udp \
			--dport 443 -j TPROXY --on-port 443 --tproxy-mark 1
	done
}

# --- control --------------------------------------------------------------------

topo_box_addressed
rules
topo_box_broute
topo_box_redirect udp
today() # TITLE
{
	wire_both
	traffic "$1"
	wire_leg west $S1 $C1 $MAC_BR $MAC_C1 $N "$1: $S1 to c1 from the box's MAC"
	wire_leg east $C1 $S1 $MAC_BR $MAC_R $N "$1: c1 to $S1 from the box's MAC"
}
each_family today "no module"
today_down

module_needed
topo_box_marks
rules -j MACKEEP
ns box conntrack -F 2>/dev/null
kept() # TITLE
{
	wire_both
	traffic "$1"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((2 * N)) "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((2 * N)) "$1: c1 to $S1"
	wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 $((2 * N)) "$1: $L1 to c2"
	wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 $((2 * N)) "$1: c2 to $L1"
	like "$(wire_flags west $S1 $C1) $(wire_flags east $C1 $S1)" \
		"^F.*S.*\ F.*S" "$1: from the first SYN to the FIN, on both sides"
	wire_clean "$1" 'type ~ /ip/'
}
each_family kept "kept"

tap_kill $nginx_pid
net_done
