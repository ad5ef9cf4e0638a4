#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two routers on one segment, and a proxy that goes elsewhere: its packets leave by the
# router that the client uses, each client's by its own; a client that takes the other
# one takes its packets along. Who has shown none, where there are two, gets nowhere. A
# router advertisement is evidence.
#
#  c1 192.0.2.31 --+                             +-- lan  ..:f1 192.0.2.1 --+
#                  +-- west -- [ br0 ] -- east --+                          +-- rt -- srv .73
#  c2 192.0.2.32 --+                             +-- lan2 ..:f2 192.0.2.2 --+
#
# Controls: --next-hop route; a MAC that is known for one server only is no router.
#
# Seen by others: GoSecure/pyrdp issue 204 (the bridge needs an address where the
# targets are); opnsense/core issue 7364 (what answers a client leaves by the default
# gateway and not by the router that the client came by).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/elsewhere.sh" || exit 1
tools frame udp

MAC_R2=02:00:00:00:00:f2

both() # TITLE COMMAND...
{
	local title=$1 pid

	shift
	ns c1 "$@" >/dev/null 2>&1 &
	pid=$!
	ok "$title: c2" ns c2 "$@"
	ok "$title: c1" wait $pid
}

by() # TITLE MAC-OF-C2'S-ROUTER
{
	wire_both
	both "$1: a request" load get $S2
	both "$1: one for another server" load get "$(far OTHER)"
	proxy_quiet
	wire_stop
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 6 "$1: c1's by its router"
	wire_leg east $C2 $S1 $MAC_C2 $2 6 "$1: c2's by its router"
	wire_clean "$1"
}

mute_more() # THAN
{
	[ "$(mackeep_stat box mute)" -gt $1 ]
}

# TITLE COMMAND...: something is sent, and does not leave for S1
nowhere()
{
	local title=$1 before

	shift
	before=$(mackeep_stat box mute)
	wire_both
	"$@" >/dev/null 2>&1
	ok "$title: there is no next hop" busywait 10 mute_more $before
	wire_stop
	is "$(wire_sum east "way == \"from\" && daddr == \"$S1\"")" 0 "$title: nothing leaves for the other server"
	wire_clean "$title"
}

# The clients' default is IPv4's and IPv6's router with this last number.
c2_uses() # LAST MAC
{
	must topo_ip c2 <<-LINES
	route replace default via 192.0.2.$1
	route replace default via 2001:db8:1::$1
	LINES
}

# --- router advertisements ----------------------------------------------------------------

must topo_up
must ip -batch - <<<"$(topo_link rt lan2 $MAC_R2 east r2 02:00:00:00:01:f2)"
must topo_ip east <<<"link set r2 master br0 up"
topo_sysctl rt net.ipv4.conf.all.arp_ignore=1
must topo_ip rt <<-LINES
	addr flush dev lan
	link set lan2 up
	addr add 192.0.2.1/32 dev lan
	addr add 2001:db8:1::1/128 dev lan nodad
	addr add 192.0.2.2/32 dev lan2
	addr add 2001:db8:1::2/128 dev lan2 nodad
	route add $C1/32 dev lan src 192.0.2.1
	route add $C2/32 dev lan2 src 192.0.2.2
	route add 2001:db8:1::31/128 dev lan src 2001:db8:1::1
	route add 2001:db8:1::32/128 dev lan2 src 2001:db8:1::2
LINES
# Nobody needs to ask for a MAC of these two, which would be evidence.
must topo_ip c1 <<-LINES
	neigh add 192.0.2.1 lladdr $MAC_R dev eth0 nud permanent
	neigh add 2001:db8:1::1 lladdr $MAC_R dev eth0 nud permanent
LINES
must topo_ip rt <<-LINES
	neigh add $C1 lladdr $MAC_C1 dev lan nud permanent
	neigh add 2001:db8:1::31 lladdr $MAC_C1 dev lan nud permanent
LINES
must busywait 10 topo_forwards
must servers_up
echo_up srv
module_needed
must elsewhere_up
topo_box_marks
topo_box_rules -j MACKEEP
topo_family 6
nowhere "no advertisement" ns c1 load get -t 2 $S2
tcp_close box $proxy_pid
must proxy_quiet
frame make router $MAC_R fe80::ff:fe00:f1 1800 | must ns rt frame send -i lan
wire_both
ok "advertised: a request is answered" ns c1 load get $S2
proxy_quiet
wire_stop
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 3 "advertised: by the router"
wire_clean "advertised"
# --- two routers ------------------------------------------------------------------------

topo_family 4
topo_box_rules_off
c2_uses 2
topo_box_rules -j MACKEEP --next-hop route
each_family nowhere "--next-hop route" ns c1 load get -t 2 $S2
tcp_close box $proxy_pid
must proxy_quiet
topo_box_rules_off
topo_box_rules -j MACKEEP
# What c1 sends to may be a router, or the server: it is not sent to the other's.
alone()
{
	ok "IPv$family: the router is known that c2 has asked for" ns c2 load get $S2
	proxy_quiet
	nowhere "IPv$family: one server of c1's is no evidence" ns c1 load get -t 2 $S2
	ns c1 load get -t 2 "$(far OTHER)" >/dev/null 2>&1
	tcp_close box $proxy_pid
	must proxy_quiet
}
each_family alone
each_family by "two routers" $MAC_R2
each_family nowhere "a client that has shown none" eval 'ns box udp send ${C1%31}99 $S1'

must topo_ip rt <<-LINES
	route replace $C2/32 dev lan src 192.0.2.1
	route replace 2001:db8:1::32/128 dev lan src 2001:db8:1::1
LINES
c2_uses 1
each_family by "c2 has taken the other one" $MAC_R

net_done
