#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# UDP through a transparent proxy, IPv4 and IPv6: routed and on-link servers,
# flows of one packet, a stream of QUIC's size, datagrams that are fragments on
# the wire, up to the largest, and a proxy that keeps the client's port.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

V6=1
N=10
MAX=65507

traffic() # TITLE
{
	wire_both
	ok "$1: c1 asks $S1" ns c1 udp talk -n $N $S1
	ok "$1: c2 asks $S1" ns c2 udp talk -n $N $S1
	ok "$1: c1 asks $L1" ns c1 udp talk -n $N $L1
	ok "$1: c1 asks $S1 once" ns c1 udp talk $S1
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
	# wire(1) does not look behind the fragment header of IPv6.
	cmp_ok "$(wire_sum east 'way == "from" && (proto == "44" || proto == "udp" && dport == "-")')" \
		-ge $((2 * N)) "$1: fragments without ports are among them"
	wire_clean "$1"
}

today() # TITLE
{
	traffic "$1"
	cmp_ok "$(wire_own 'proto == "udp" || proto == "44"')" -ge $((8 * N)) \
		"$1: the box's own MAC is on the wire"
	is "$(wire_sum west "way == \"from\" && proto == \"udp\" && src != \"$MAC_BR\"")" \
		0 "$1: on every frame to the clients"
}

module() # TITLE
{
	traffic "$1"
	kept "$1"
}

# What QUIC sends, and the largest that UDP can
sizes() # TITLE
{
	local most=$MAX

	[ $family = 4 ] || most=$((MAX + 20))
	wire_both
	ok "$1: a stream of 1200 bytes" ns c1 udp talk -n 100 -s 1200 $S1
	ok "$1: $most bytes, both ways" ns c1 udp talk -n 3 -s $most $S1
	wire_stop
	# 45 fragments each
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((100 + 130)) "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((100 + 130)) "$1: to the server"
	wire_clean "$1"
}

must topo_up
echo_up srv
echo_up l1
udp_proxy_up

# Today's way sends UDP to the box by MAC as well.
today_up udp
each_family today "no module"
today_down

kept_up
each_family module "ports differ"
each_family sizes "sizes"
cmp_ok "$(mackeep_stat box lifted_frag)" -ge $((2 * 2 * N)) \
	"fragments without a port followed the first one off the bridge"

udp_proxy_down
udp_proxy_up -p
ns box conntrack -F 2>/dev/null
each_family module "same port"

net_done
