#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check: packets that left with the box's own MAC, and rules of nft and
# ebtables that take away the mark by which frames are lifted.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                        box ..:b0,b1,b2
#
# Control: before it is provoked nothing is found.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep socat ebtables
tools udp

GHOST=192.0.2.99

ghost()
{
	ns box socat -u - "UDP4-SENDTO:$L1:9,bind=$GHOST,ip-transparent" <<<boo
}

must topo_up
must proxy_up
udp_proxy_up
kept_up
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
topo_sysctl box net.netfilter.mackeep_neigh=0
clean "set up by hand"

# --- the own MAC: it is not seen any more after the finding's command ---------------

# Else only ARP would leave.
must ip -n mk-box neigh replace $L1 lladdr $MAC_L1 dev br0
must ghost
look
finds own-mac
mend
is "$(ns box cat /proc/sys/net/netfilter/mackeep_neigh)" 1 "own-mac: the neighbour table is asked"
must ghost
look
finds own-mac
like "$(cat "$TMP/found")" "MACKEEP --strict" "own-mac: and for those whom it does not know"
mend
nok "own-mac: such packets are refused" ghost
clean "own-mac"

# --- marks ------------------------------------------------------------------------------

# A mark that is lost later, and the old way to lift
must ns box nft -f - <<-RULES
	table bridge other {
		chain later {
			type filter hook prerouting priority 100; policy accept;
			meta mark set 0x8
		}
		chain late {
			type filter hook prerouting priority -100; policy accept;
			meta mark set 0x7
		}
	}
RULES
legacy=redirect
ns box ebtables-legacy -t broute -A BROUTING -p IPv4 --ip-proto tcp --ip-dport 443 \
	-j redirect --redirect-target DROP 2>/dev/null || legacy=
look
finds shadowed $legacy
is "$(grep -c ^shadowed: "$TMP/found")" 2 "shadowed: by all that comes after the mark"
mend
clean "marks"

# The same with ebtables
must ns box nft delete table bridge mackeep
must ns box ebtables -t nat -A PREROUTING -p IPv4 --ip-proto tcp --ip-dport 443 \
	-j mark --mark-set $LIFT_MARK
clean "ebtables"
must ns box ebtables -t nat -I PREROUTING -p IPv4 --ip-proto udp -j ACCEPT
clean "ebtables, another rule"
must ns box ebtables -t nat -I PREROUTING -p IPv4 --ip-proto tcp -j ACCEPT
look
finds shadowed
mend
clean "ebtables"
must ns box ebtables -t nat -F
look
finds mark
is "$(grep -c "tcp dport { 443 } .* udp dport { 443 } " "$TMP/found")" 1 "mark: what TPROXY takes"

net_done
