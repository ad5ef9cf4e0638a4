#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# UDP through a transparent proxy: routed and on-link servers, datagrams that
# need fragments, and a proxy that keeps the client's port.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73

# shellcheck disable=SC1091,SC2086,SC2119,SC2154 # sourced; one word each
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=20

traffic() # TITLE
{
	ok "$1: c1 asks $S1" ns c1 udp talk -n $N $S1
	ok "$1: c2 asks $S1" ns c2 udp talk -n $N $S1
	ok "$1: c1 asks $L1" ns c1 udp talk -n $N $L1
	ok "$1: c1 asks $S1 with 4000 bytes" ns c1 udp talk -n $N -s 4000 $S1
	wire_stop
}

kept() # TITLE
{
	# 4000 bytes are three frames
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((4 * N)) "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((4 * N)) "$1: c1 to $S1"
	wire_leg west $S1 $C2 $MAC_R $MAC_C2 $N "$1: $S1 to c2"
	wire_leg east $C2 $S1 $MAC_C2 $MAC_R $N "$1: c2 to $S1"
	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 $N "$1: $L1 to c1"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 $N "$1: c1 to $L1"
	cmp_ok "$(wire_sum east 'way == "from" && proto == "udp" && dport == "-"')" \
		-ge $((2 * N)) "$1: fragments without ports are among them"
	wire_clean "$1"
}

must topo_up
for name in srv l1; do
	must spawn_ready echo-$name ns $name udp echo
done
must spawn_ready proxy ns box udp proxy $PROXY_PORT
proxy=$spawned

# The fragments without a port would pass by the box, and the first one would
# wait in it. On a bridge they are put together before the mark is set.
topo_box_fragments()
{
	must ns box nft -f - <<-RULES
	table bridge fragments {
		chain in {
			type filter hook prerouting priority dstnat; policy accept;
			ip frag-off & 0x1fff != 0 meta mark set $LIFT_MARK
		}
	}
	RULES
}

topo_box_addressed
topo_box_rules
topo_box_broute_udp
wire_both
traffic "no module"
cmp_ok "$(wire_own 'proto == "udp"')" -ge $((8 * N)) \
	"no module: the box's own MAC is on the wire"
is "$(wire_sum west "way == \"from\" && proto == \"udp\" && src != \"$MAC_BR\"")" \
	0 "no module: on every frame to the clients"
topo_box_broute_off
topo_box_unaddressed

module_needed
topo_box_marks
topo_box_fragments
topo_box_rules -j MACKEEP
wire_both
traffic "ports differ"
kept "ports differ"

tap_kill $proxy
must spawn_ready proxy ns box udp proxy -p $PROXY_PORT
proxy=$spawned
ns box conntrack -F 2>/dev/null
wire_both
traffic "same port"
kept "same port"

tap_kill $proxy
topo_down
module_gone
done_testing
