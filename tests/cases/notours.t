#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A proxy's UDP sockets that are not connected: one is bound to a server's address
# and port, to answer as the server, one to a client's, to ask as the client. What
# other flows send to and from the same address and port is not for the proxy.
#
#  c1 ..:c1 proxied ----+                                  +-- l1 192.0.2.80: STUN, port 3478
#                       +- west - [ port0 br0 port1 ] - east
#  c2 ..:c2 not proxied-+    bound to S1:443 and C1:40000  +-- rt ..:f1 -- srv S1:443
#
# The field: SagerNet/sing-box #3646 and zfl9/ipt2socks #32 have such sockets, and
# got packets of other flows there.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=10
PORT=40000	# c1's, for all that it asks

asks() # TITLE
{
	ok "$1: c1 by the proxy" ns c1 udp talk -b $PORT -t 3 -n $N $S1
	ok "$1: c2 asks the same server itself" ns c2 udp talk -t 2 -n 3 $S1
	ok "$1: c1 asks a STUN server from the same port" \
		ns c1 udp talk -b $PORT -t 2 -n 3 $L1 3478
	ok "$1: c1 by the proxy again" ns c1 udp talk -b $PORT -t 3 -n $N $S1
}

# Proxied flows and others at the same time. The others ask three times: in those
# reports they lose every answer.
traffic() # TITLE
{
	wire_both -p
	each_family asks "$1"
	wire_stop
	is "$(cat "$TMP/proxy.out" "$TMP/proxy-6.out" | grep -c stray)" 0 \
		"$1: the proxy gets nothing that is not its own"
}

kept() # TITLE
{
	traffic "$1"
	each_family legs "$1"
	wire_clean "$1" 'proto == "udp"'
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((2 * N)) "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((2 * N)) "$1: c1 to $S1"
	is "$(wire_sum east "way == \"from\" && proto == \"udp\" && saddr == \"$C2\" && daddr == \"$S1\"")" 3 \
		"$1: c2's datagrams go on"
	is "$(wire_sum west "way == \"from\" && proto == \"udp\" && saddr == \"$L1\" && daddr == \"$C1\"")" 3 \
		"$1: the STUN server's answers go on"
}

must topo_up
echo_up srv
echo_up l1 3478

# --- control: what is not sent to the box by MAC, the box does not get ------------------

udp_proxy_up -u
topo_box_addressed
topo_box_rules
must ns box nft -f - <<-RULES
	table bridge redirected {
		chain arriving {
			type filter hook prerouting priority dstnat; policy accept;
			ether saddr $MAC_C1 udp dport 443 ether daddr set $MAC_BR meta pkttype set host
			ether daddr $MAC_C1 udp sport 443 ether daddr set $MAC_BR meta pkttype set host
		}
	}
RULES
traffic "no module"
today_down
udp_proxy_down

module_needed
# c1 is proxied, and nobody else.
topo_box_marks "ether saddr $MAC_C1 udp dport 443"
topo_box_rules -j MACKEEP
udp_proxy_up -u
kept "bound to the server's address"
udp_proxy_down
ns box conntrack -F 2>/dev/null
udp_proxy_up -u -p
kept "and to the client's"
net_done
