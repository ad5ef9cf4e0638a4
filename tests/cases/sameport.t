#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A proxy that keeps the client's port as well: both legs of a session are one
# conntrack entry, which follows the sequence numbers of one leg at a time. Segments
# of the other leg are INVALID if their numbers happen to be higher, so it takes some
# sessions to see it. With the README's recipe none are.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- rt --- srv
#     ..:c1                        ..:b0,b1,b2                 ..:f1
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1

BULK=50000000
SESSIONS=8
RECIPE=$(grep -o 'net\.netfilter\.nf_conntrack_tcp_[a-z_]*=1' "$(dirname "$0")/../../README.md")

# What people have in their rule sets, on both of the proxy's paths
drop_invalid()
{
	must ns box iptables -t mangle -I PREROUTING -m conntrack --ctstate INVALID -j DROP
	must ns box iptables -t mangle -I OUTPUT -m conntrack --ctstate INVALID -j DROP
}

dropped()
{
	ns box iptables-save -c -t mangle |
		awk '/INVALID -j DROP/ { split(substr($1, 2), n, ":"); sum += n[1] }
			END { print sum + 0 }'
}

entries()
{
	ns box conntrack -L -p tcp --dport 443 2>/dev/null | grep -c src=$C1
}

must topo_up
must servers_up
must proxy_up tcp client

# --- control: no module, no recipe -----------------------------------------------

today_up
drop_invalid
wire_both
ns c1 load get -i -o -n $SESSIONS -t 2 $S1 >"$TMP/control" 2>&1
wire_stop
cmp_ok "$(dropped)" -gt 0 "no recipe: packets of sessions are dropped as INVALID"
note "$(cat "$TMP/control")"
cmp_ok "$(wire_own 'proto == "tcp"')" -gt 0 "no module: the box's own MAC is on the wire"
topo_box_broute_off
topo_box_rules_off
# Connections that are stuck would keep retrying.
for name in box c1 srv; do
	must ns $name sysctl -qw net.ipv4.tcp_orphan_retries=1
done
tcp_close box $proxy_pid
tcp_close c1
tcp_close srv
topo_box_unaddressed

kept_up
drop_invalid
isnt "$RECIPE" "" "README gives a recipe"
topo_sysctl box $RECIPE
proxy_down
must proxy_up tcp client
ns box conntrack -F 2>/dev/null
wire_both
ok "recipe: $BULK bytes each way on one connection, intact" \
	ns c1 load get -i -u $BULK -s $BULK -t 60 $S1
ok "recipe: $SESSIONS connections of one request" ns c1 load get -i -o -n $SESSIONS $S1
is "$(entries)" $((SESSIONS + 1)) "recipe: an entry for each session, not for each leg"
proxy_quiet
wire_stop
is "$(dropped)" 0 "recipe: nothing was INVALID, from the first SYN to the last FIN"
for leg in "west $S1 $C1 $MAC_R $MAC_C1" "east $C1 $S1 $MAC_C1 $MAC_R"; do
	wire_leg $leg 100 "recipe: MACs kept, $leg"
done
wire_clean "recipe"

net_done
