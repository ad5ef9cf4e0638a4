#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Unusual ways of frames to a bridge: a bridge in promiscuous mode, a port that is
# mirrored, a port that tc connects to the device, two bridges joined in one
# namespace, and metadata of XDP in front of each frame.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+   tc: port0 <=> p0 in br0             +-- rt ..:f1 -- srv .73
#                 two: port0 br0 j0 = j1 br1 port1
#
# The field: hellt/netdevops.me #6, a wire made of tc mirred; cilium #1155, XDP
# hands metadata on to the stack.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need tc bridge
tools udp xdpmeta

N=10

# Datagrams of IPv4 that came to the box's sockets
udp_in()
{
	ns box awk '/^Udp:/ && !col { for (i = 2; i <= NF; i++) if ($i == "InDatagrams") col = i; next }
		/^Udp:/ { print $col }' /proc/net/snmp
}

asks() # TITLE PORT
{
	ok "$1: TCP" ns c1 load get -t 10 -c 2 -n $N -s 30000 $S1 $2
	ok "$1: on the own subnet" ns c2 load get -t 10 -o -n 3 $L1 $2
	ok "$1: UDP" ns c1 udp talk -t 3 -n $N $S1 $2
}

traffic() # TITLE PORT
{
	wire_both
	each_family asks "$1" $2
	proxy_quiet
	wire_stop
}

kept() # TITLE
{
	local in

	in=$(udp_in)
	traffic "$1" 443
	is "$(($(udp_in) - in))" $((2 * N)) "$1: each datagram comes up once"
	each_family legs "$1"
	wire_clean "$1" 'proto == "tcp" || proto == "udp"'
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((2 * N)) "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((2 * N)) "$1: c1 to $S1"
	wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 3 "$1: $L1 to c2"
	wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 3 "$1: c2 to $L1"
}

bridged() # TITLE
{
	traffic "$1" 80
	# Once each, on the other side of the box
	for proto in tcp udp; do
		is "$(wire_sum east "way == \"from\" && proto == \"$proto\" && dport == 80")" \
			"$(wire_sum west "way == \"to\" && proto == \"$proto\" && dport == 80")" \
			"$1: $proto goes on as often as it came"
	done
}

promisc() # on|off
{
	must topo_ip box <<<"link set br0 promisc $1"
}

# tc makes a wire from port0 to p0, which is a port of the bridge in its place.
tc_on()
{
	must topo_ip box <<-LINES
	link set port0 nomaster
	link add p0 address 02:00:00:00:00:b3 type veth peer name p0x
	link set p0 master br0 up
	link set p0x up
	link set port0 promisc on
	LINES
	must ns box tc -batch - <<-LINES
	qdisc add dev port0 clsact
	qdisc add dev p0 clsact
	filter add dev port0 ingress matchall action mirred ingress redirect dev p0
	filter add dev p0 egress matchall action mirred egress redirect dev port0
	LINES
}

tc_off()
{
	must ns box tc qdisc del dev port0 clsact
	must topo_ip box <<-LINES
	link del p0
	link set port0 promisc off
	link set port0 master br0
	LINES
}

# tc copies all that comes in to a device of its own, as for a monitor.
mirror_on()
{
	must topo_ip box <<-LINES
	link add mon type veth peer name monx
	link set mon up
	link set monx up
	LINES
	for port in port0 port1; do
		must ns box tc -batch - <<-LINES
		qdisc add dev $port clsact
		filter add dev $port ingress matchall action mirred egress mirror dev mon
		LINES
	done
}

mirror_off()
{
	for port in port0 port1; do
		must ns box tc qdisc del dev $port clsact
	done
	must topo_ip box <<<"link del mon"
}

two_on()
{
	must topo_ip box <<-LINES
	link add br1 address 02:00:00:00:00:ba type bridge stp_state 0 mcast_snooping 0
	link add j0 address 02:00:00:00:00:bb type veth peer name j1 address 02:00:00:00:00:bc
	link set j0 master br0 up
	link set j1 master br1 up
	link set port1 nomaster
	link set port1 master br1
	link set br1 up
	LINES
}

two_off()
{
	must topo_ip box <<-LINES
	link set port1 nomaster
	link del j0
	link del br1
	link set port1 master br0
	LINES
}

xdp_on()
{
	xdp=()
	for port in port0 port1; do
		must spawn_ready xdp-$port ns box xdpmeta $port
		xdp+=("$spawned")
	done
}

xdp_off()
{
	tap_kill "${xdp[0]}"
	tap_kill "${xdp[1]}"
}

each_way() # COMMAND TITLE
{
	promisc on
	$1 "$2, IFF_PROMISC"
	promisc off
	mirror_on
	wire_start mon box monx
	$1 "$2, a mirror"
	[ $1 = bridged ] ||
		is "$(wire_sum mon "way == \"from\" && dst == \"$MAC_BR\"") $(wire_sum mon "way == \"from\" && dst == \"$MAC_R\" && proto == \"udp\" && dport == 443")" \
			"0 $(wire_sum west "way == \"to\" && dst == \"$MAC_R\" && proto == \"udp\" && dport == 443")" \
			"$2, a mirror: it shows the frames as they came"
	mirror_off
	tc_on
	$1 "$2, a wire of tc"
	tc_off
	two_on
	$1 "$2, two bridges"
	two_off
	xdp_on
	$1 "$2, XDP metadata"
	xdp_off
}

must topo_up
services_up

# --- control: each is a way for frames that are not proxied --------------------------------

each_way bridged "no module"

module_needed
# Only where frames come from outside: between two bridges they are the proxy's.
topo_box_marks "iifname { port0, port1, p0 } meta l4proto { tcp, udp } th dport 443"
topo_box_rules -j MACKEEP
each_way kept "module"

net_done
