#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# VLANs on one bridge, with the same addresses in both: kept apart by conntrack
# zones, each frame with its own tag and MACs. vlan_filtering off and on.
#
#  c1 eth0.100 192.0.2.31 ..:c1 --+                        +-- l1 eth0.100 192.0.2.80 ..:80
#                                 +-- west -- box -- east --+
#  c2 eth0.200 192.0.2.31 ..:c2 --+      br0.100, br0.200   +-- l2 eth0.200 192.0.2.80 ..:81

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools ctinfo

N=10
VIDS="100 200"

host() # NS VID NUMBER
{
	must topo_ip $1 <<-LINES
	addr flush dev eth0
	link add link eth0 name eth0.$2 type vlan id $2
	addr add 192.0.2.$3/24 dev eth0.$2
	addr add 2001:db8:1::$3/64 dev eth0.$2 nodad
	link set eth0.$2 up
	LINES
}

# Each VLAN is a conntrack zone.
zones()
{
	local family vid

	for family in iptables ip6tables; do
		must ns box $family-restore <<-RULES
		*raw
		$(for vid in $VIDS; do
			echo "-A PREROUTING -i br0.$vid -j CT --zone $vid"
			echo "-A OUTPUT -o br0.$vid -j CT --zone $vid"
		done)
		COMMIT
		RULES
	done
}

# The box's frames in VLAN VID carry these MACs, and there are enough of them.
tagged() # TITLE NAME SADDR DADDR VID SOURCE DEST MINIMUM
{
	local good all

	all="way == \"from\" && proto == \"tcp\" && saddr == \"$3\" && daddr == \"$4\" && vlan == \"$5\""
	good=$(wire_sum $2 "$all && src == \"$6\" && dst == \"$7\"")
	cmp_ok "$good" -ge $8 "$1: VLAN $5, $3 to $4, $6 to $7"
	is "$(wire_sum $2 "$all")" "$good" "$1: VLAN $5: and no other MACs" ||
		wire_show $2
}

requests() # TITLE
{
	wire_both
	ok "$1: VLAN 100" ns c1 load get -c 2 -n $N $L1
	ok "$1: VLAN 200, the same addresses" ns c2 load get -c 2 -n $N $L1
	proxy_quiet
	wire_stop
	is "$(wire_sum west 'way == "from" && proto == "tcp" && vlan != 100 && vlan != 200') $(wire_sum east 'way == "from" && proto == "tcp" && vlan != 100 && vlan != 200')" \
		"0 0" "$1: every frame has a tag"
}

kept() # TITLE
{
	requests "$1"
	tagged "$1" west $L1 $C1 100 $MAC_L1 $MAC_C1 $N
	tagged "$1" east $C1 $L1 100 $MAC_C1 $MAC_L1 $N
	tagged "$1" west $L1 $C1 200 $MAC_L2 $MAC_C2 $N
	tagged "$1" east $C1 $L1 200 $MAC_C2 $MAC_L2 $N
	wire_clean "$1" 'proto == "tcp"'
}

# The same port at the same time: nothing but the zone tells the flows apart.
at_once()
{
	ok "$1: a connection that stays" held_start one c1 -w 20 -b $C1 $L1
	ok "$1: and one like it in the other VLAN" held_start two c2 -w 20 -b $C1 $L1
	held_grows one
	ok "$1: no request of the one failed" held_stop one
	ok "$1: nor of the other" held_stop two
	proxy_quiet
}

must topo_up
host c1 100 31
host c2 200 31
host l1 100 80
host l2 200 80
must topo_ip box <<-LINES
	link add link br0 name br0.100 type vlan id 100
	link add link br0 name br0.200 type vlan id 200
	link set br0.100 up
	link set br0.200 up
	route del default dev br0
	route del ::/0 dev br0
	route add default dev br0.100
	route add default dev br0.200 metric 200
	route add ::/0 dev br0.100 metric 100
	route add ::/0 dev br0.200 metric 200
LINES
must servers_up
# One for each, as only the device tells them apart
must proxy_up tcp clientip br0.100 br0.200
zones

# --- control: the box as a host of VLAN 100 --------------------------------------

must topo_ip box <<-LINES
	addr add 192.0.2.5/24 dev br0.100
	addr add fe80::b0/64 dev br0.100 nodad
	addr add 2001:db8:1::5/64 dev br0.100 nodad
LINES
topo_box_rules
# ebtables does not look behind a tag.
must ns box nft -f - <<-RULES
	table bridge today {
		chain arriving {
			type filter hook prerouting priority dstnat; policy accept;
			meta l4proto tcp th dport 443 ether daddr set $MAC_BR meta pkttype set host
			meta l4proto tcp th sport 443 ether daddr set $MAC_BR meta pkttype set host
		}
	}
RULES
today() # TITLE
{
	wire_both
	ok "$1: VLAN 100" ns c1 load get -n $N $L1
	proxy_quiet
	wire_stop
	cmp_ok "$(wire_own 'proto == "tcp" && vlan == 100')" -ge $N \
		"$1: the box's own MAC is on the wire"
}
each_family today "no module"
must ns box nft delete table bridge today
must topo_ip box <<-LINES
	addr flush dev br0.100
	neigh flush dev br0.100
LINES

kept_up
each_family kept "no filtering"
at_once "no filtering"

must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
for vid in $VIDS; do
	for port in port0 port1; do
		must ns box bridge vlan add dev $port vid $vid
	done
	must ns box bridge vlan add dev br0 vid $vid self
done
each_family kept "filtering"
is "$(ns box conntrack -L -p tcp 2>/dev/null | grep -o 'zone=[0-9]*' | sort -u | xargs)" \
	"zone=100 zone=200" "the flows are in two zones"
is "$(ns box ctinfo dump | awk '$6 != "-" { print $9, $11, $12, $13 }' | sort -u)" \
	"100 br0.100 $MAC_C1 $MAC_L1
200 br0.200 $MAC_C2 $MAC_L2" "each record has its VLAN, device and MACs"

net_done
