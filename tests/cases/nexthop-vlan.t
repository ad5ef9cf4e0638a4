#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A trunk without VLAN devices, and a proxy that goes to another server than its clients
# did: what it sends leaves by the router of the client's VLAN, with the client's tag.
#
#  (see lib/trunk.sh)
#
# Control: with --next-hop route nothing leaves.
#
# Seen by others: opnsense/docs issue 776 (tagged frames do not pass a transparent bridge
# that has no VLAN devices); GoSecure/pyrdp issue 204 (the bridge needs an address where
# the targets are).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/elsewhere.sh" || exit 1
. "$(dirname "$0")/../lib/trunk.sh" || exit 1
tools frame udp

nothing()
{
	wire_both -t
	nok "--next-hop route, IPv$family: no request is answered" at_once load get -t 2 $S2
	wire_stop
	is "$(wire_sum east "way == \"from\" && daddr == \"$S1\"")" 0 "--next-hop route, IPv$family: nothing leaves"
	wire_clean "--next-hop route, IPv$family"
	tcp_close box $proxy_pid
	must proxy_quiet
}

goes() # TITLE
{
	local vid ip mac all

	# One server is no evidence.
	at_once udp talk -t 1 "$(far OTHER)" >/dev/null 2>&1
	wire_both -t
	ok "$1: requests in all VLANs at once" at_once load get -n 5 $S2
	ok "$1: and for another server" at_once load get "$(far OTHER)"
	ok "$1: datagrams, in fragments" at_once udp talk -n 3 -s 4000 $S2
	proxy_quiet
	wire_stop
	for vid in $VIDS; do
		ip=${C1%1}${CLIENT[$vid]} mac=MAC_C${CLIENT[$vid]}
		all="way == \"from\" && saddr == \"$ip\" && daddr == \"$S1\""
		cmp_ok "$(wire_sum east "$all && proto == \"tcp\"")" -ge 8 "$1: VLAN $vid, TCP"
		cmp_ok "$(wire_sum east "$all && proto != \"tcp\"")" -ge 9 "$1: VLAN $vid, fragments"
		is "$(wire_sum east "$all && !(vlan == \"${TPID[$vid]}/$vid/${PCP[$vid]}/0\" && src == \"${!mac}\" && dst == \"02:00:00:00:00:$vid\")")" \
			0 "$1: VLAN $vid, all by its router" || wire_show east
	done
	wire_clean "$1"
}

trunk_up
must servers_up
echo_up srv
module_needed
must elsewhere_up
must ns box sysctl -qw net.netfilter.mackeep_lift_vlan=1
topo_box_marks
topo_box_rules -j MACKEEP --next-hop route
each_family nothing
topo_box_rules_off
topo_box_rules -j MACKEEP
datagrams_up S1
each_family goes "learned"
udp_proxy_down

net_done
