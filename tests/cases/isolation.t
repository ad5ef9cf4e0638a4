#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What keeps stations of a bridge apart keeps them apart with a proxy as well:
# isolated and locked ports, states of ports, VLANs. A frame that the bridge
# would drop is not lifted, and what the proxy sends in a station's name gets no
# further than the station's own frames.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+        isolated, locked, listening    +-- rt ..:f1 -- srv .73
#
# The field: Vincent Bernat, "Proper isolation of a Linux bridge"; openwrt
# #15728 "Client Isolation not working with WDS"; systemd's "Locked=" for ports
# of bridges, made for 802.1X.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools udp

link() # PORT OPTION VALUE...
{
	must ns box bridge link set dev "$@"
}

# All stations known to each other and to the bridge
acquaint()
{
	for family in 4 6; do
		topo_family $family
		must topo_ip c1 <<-LINES
		neigh replace $GW lladdr $MAC_R dev eth0 nud permanent
		neigh replace $L1 lladdr $MAC_L1 dev eth0 nud permanent
		LINES
		must topo_ip rt <<<"neigh replace $C1 lladdr $MAC_C1 dev lan nud permanent"
		must topo_ip l1 <<<"neigh replace $C1 lladdr $MAC_C1 dev eth0 nud permanent"
	done
	topo_family 4
	must ns c1 load get $S1 80
	must ns c1 load get $L1 80
}

# Packets of the tests' ports that came up to the box's IP
ups()
{
	ns box nft list table inet up | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'
}

# Nothing of PORT gets from one side to the other
apart() # TITLE PORT
{
	local title=$1 before opened

	before=$(ups)
	opened=$(box_opens Passive)
	wire_both
	for family in 4 6; do
		topo_family $family
		nok "$title, IPv$family: no answer by TCP" ns c1 load get -t 1 $S1 $2
		nok "$title, IPv$family: nor by UDP" ns c1 udp talk -t 1 $S1 $2
	done
	topo_family 4
	wire_stop
	cmp_ok "$(wire_sum west "way == \"to\" && dport == $2")" -ge 4 "$title: frames came"
	is "$(wire_sum east "way == \"from\" && dport == $2") $(wire_sum west "way == \"from\" && sport == $2")" \
		"0 0" "$title: none left, to the one side or the other"
	is "$(($(box_opens Passive) - opened))" 0 "$title: the proxy took no connection"
	is "$(($(ups) - before))" 0 "$title: nothing came up to the box"
}

together() # TITLE PORT
{
	for family in 4 6; do
		topo_family $family
		ok "$1, IPv$family: TCP" ns c1 load get -t 10 -o -n 3 $S1 $2
		ok "$1, IPv$family: UDP" ns c1 udp talk -t 3 -n 3 $S1 $2
	done
	topo_family 4
}

# PORT as it is at first under STP, for half a minute; the other forwards.
stp_listening() # PORT
{
	must topo_ip box <<-LINES
	link set br0 type bridge stp_state 0
	link set br0 type bridge stp_state 1 forward_delay 3000
	link set $1 down
	link set $1 up
	LINES
	state() { ns box bridge link show dev $1 | has "state listening"; }
	must busywait 10 state $1
}

# A port goes on to wait when STP is off, unless it comes up anew.
stp_off()
{
	must topo_ip box <<-LINES
	link set br0 type bridge stp_state 0 forward_delay 1500
	link set port0 down
	link set port1 down
	link set port0 up
	link set port1 up
	LINES
	forwards() { [ "$(ns box bridge link show | grep -c "port[01]@.*state forwarding")" -eq 2 ]; }
	must busywait 10 forwards
}

# Each in turn, and undone
walls() # TITLE PORT
{
	link port0 isolated on
	together "$1: one port isolated" $2
	link port1 isolated on
	apart "$1: both ports isolated" $2
	link port0 isolated off
	link port1 isolated off

	link port0 locked on
	must ns box bridge fdb del $MAC_C1 dev port0 master
	apart "$1: locked port" $2
	must ns box bridge fdb add $MAC_C1 dev port0 master static
	together "$1: locked port, station known" $2
	must ns box bridge fdb del $MAC_C1 dev port0 master
	link port0 locked off

	must ns box bridge fdb replace $MAC_R dev port1 master static
	stp_listening port1
	apart "$1: the router's port is listening" $2
	stp_listening port0
	apart "$1: the client's port is listening" $2
	stp_off
	ns box bridge fdb del $MAC_R dev port1 master 2>/dev/null # or gone with the port

	together "$1: no STP" $2
	must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
	must ns box bridge vlan del dev port1 vid 1
	must ns box bridge vlan add dev port1 vid 2 pvid untagged
	apart "$1: ports of two VLANs" $2
	must ns box bridge vlan del dev port1 vid 2
	must ns box bridge vlan add dev port1 vid 1 pvid untagged
	must topo_ip box <<<"link set br0 type bridge vlan_filtering 0"
	together "$1: nothing of it" $2
}

# 802.1ad on a bridge for 802.1Q: not its tag, so untagged to it, tag and all
stag() # TITLE
{
	must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
	wire_both -p
	for family in 4 6; do
		local at=192.0.2.180

		topo_family $family
		[ $family = 4 ] || at=2001:db8:3::80
		ok "$1, IPv$family: TCP" ns c1 load get -t 10 -o -n 3 $at 443
		ok "$1, IPv$family: UDP" ns c1 udp talk -t 2 -n 3 $at 443
	done
	topo_family 4
	wire_stop
	# A client's own port is below 47000.
	is "$(wire_sum east 'way == "from" && vlan == 100 && dport == 443 && sport < 47000')" \
		"$(wire_sum west 'way == "to" && vlan == 100 && dport == 443')" \
		"$1: each goes on as it came"
	cmp_ok "$(wire_sum west 'way == "to" && vlan == 100 && dport == 443')" -ge 12 \
		"$1: there were some"
	must topo_ip box <<<"link set br0 type bridge vlan_filtering 0"
}

cut=()
must topo_up
services_up
echo_up l1
must topo_ip c1 <<-LINES
	link add link eth0 name s100 type vlan proto 802.1ad id 100
	addr add 192.0.2.131/25 dev s100
	addr add 2001:db8:3::31/64 dev s100 nodad
	link set s100 up
LINES
must topo_ip l1 <<-LINES
	link add link eth0 name s100 type vlan proto 802.1ad id 100
	addr add 192.0.2.180/25 dev s100
	addr add 2001:db8:3::80/64 dev s100 nodad
	link set s100 up
LINES
must ns box nft -f - <<-RULES
	table inet up {
		chain arriving {
			type filter hook prerouting priority raw; policy accept;
			meta l4proto { tcp, udp } th dport { 80, 443 } counter
		}
	}
RULES
acquaint

# --- control: what the bridge itself drops ----------------------------------------------

walls "no module" 80
stag "no module, 802.1ad"

kept_up
acquaint
walls "module" 443
stag "module, 802.1ad"

# --- a proxied flow that is cut off ----------------------------------------------------------

# The proxy has bytes for the client and sends them again and again.
link port0 isolated on
for family in 4 6; do
	topo_family $family
	spawn cut$family ns c1 load get -t 60 -s 300000000 $S1
	cut[family]=$spawned
done
topo_family 4
growing() { [ "$(ns c1 awk '$1 == "eth0:" { print $2 }' /proc/net/dev)" -ge 2000000 ]; }
ok "cut off: transfers run" busywait 30 growing
link port1 isolated on
wire_both
before=$(mackeep_stat box isolated)
counted() { [ "$(mackeep_stat box isolated)" -gt "$before" ]; }
ok "cut off: what the proxy goes on to send is counted" busywait 20 counted
wire_stop
is "$(wire_sum east "way == \"from\" && src == \"$MAC_C1\"") $(wire_sum west "way == \"from\" && src == \"$MAC_R\"")" \
	"0 0" "cut off: none of it leaves in the name of an isolated station"
link port1 isolated off
link port0 isolated off

# What is cut off would hold the namespaces.
tcp_close box $proxy_pid
tap_kill "${cut[4]}"
tap_kill "${cut[6]}"
tcp_close c1
tcp_close srv
must busywait 30 tcp_idle box
net_done
