#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Other set-ups of the bridge: ebtables takes the frames and overwrites their
# h_dest, br_netfilter is loaded, a port is a bond, the bridge is in a VRF.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

N=10

requests() # TITLE
{
	wire_both
	ok "$1: requests of c1" ns c1 load get -c 2 -n $N $S1
	ok "$1: a connection a request" ns c1 load get -o -n 3 $S1
	ok "$1: requests of c2 on its own subnet" ns c2 load get -n $N $L1
	proxy_quiet
	wire_stop
}

kept() # TITLE
{
	requests "$1"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $N "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $N "$1: c1 to $S1"
	wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 $N "$1: $L1 to c2"
	wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 $N "$1: c2 to $L1"
	wire_clean "$1" 'proto == "tcp"'
}

today() # TITLE
{
	requests "$1"
	cmp_ok "$(wire_own 'proto == "tcp"')" -ge $N "$1: the box's own MAC is on the wire"
}

must topo_up
must servers_up
must proxy_up

# --- ebtables, as Squid's wiki has it: h_dest becomes the box's own ----------------

today_up
each_family today "no module, redirect"
module_needed
topo_box_rules -j MACKEEP
each_family kept "redirect"
today_down

# --- br_netfilter -------------------------------------------------------------------

topo_box_marks
topo_box_rules -j MACKEEP
must modprobe br_netfilter
topo_sysctl box net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
# They count each frame; one that passes the rules twice is counted twice.
must ns box iptables -t mangle -I PREROUTING -d $S2 -p tcp
must ns box iptables -t mangle -I PREROUTING -s $S2 -p tcp
ns box conntrack -F 2>/dev/null
each_family kept "br_netfilter"
wire_both
ok "br_netfilter: one more connection" ns c1 load get -n 5 $S2
proxy_quiet
wire_stop
is "$(ns box iptables -t mangle -nvxL PREROUTING | awk 'NR > 2 && NR < 5 { print $1 }' | xargs)" \
	"$(wire_sum east "way == \"to\" && saddr == \"$S2\"") $(wire_sum west "way == \"to\" && daddr == \"$S2\"")" \
	"br_netfilter: each frame passed the rules once"
topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0

# --- a bond below the bridge -----------------------------------------------------------

must modprobe bonding max_bonds=0
must topo_ip box <<-LINES
	link set port0 nomaster
	link set port0 down
	link add bond0 type bond mode active-backup
	link set port0 master bond0
	link set bond0 master br0
	link set bond0 up
LINES
each_family kept "bond"

# --- the bridge in a VRF ---------------------------------------------------------------

proxy_down
must topo_ip box <<-LINES
	link add vrf0 type vrf table 10
	link set vrf0 up
	link set br0 master vrf0
	route add default dev br0 table 10
	route add ::/0 dev br0 table 10
	rule add pref 100 fwmark 1 lookup 100
LINES
must ip -6 -n mk-box rule add pref 100 fwmark 1 lookup 100
# In a VRF packets pass the rules twice: as from br0, then as from vrf0, where
# the proxy listens.
for family in iptables ip6tables; do
	ns box $family-save -t mangle >"$TMP/rules"
	must ns box $family-restore < <(sed '/TPROXY/s/PREROUTING/& -i vrf0/' "$TMP/rules")
done
must proxy_up tcp clientip vrf0
each_family kept "VRF"

net_done
