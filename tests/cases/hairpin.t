#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two clients behind one port in hairpin mode, as at an access point or in a
# private VLAN: all that one sends to the other goes by the bridge and back by
# the port it came in by. The proxy's frames do so as well.
#
#  c1 ..:c1 --+ isolated
#             +-- west (learns nothing) -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+ isolated                         hairpin
#
# The field: openwrt/luci #7567, wireless ports are in hairpin mode unless
# clients are isolated; netflector #173, a hairpin port echoes what is sent.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools udp

N=10

hairpin() # on|off
{
	must ns box bridge link set dev port0 hairpin $1
}

asks() # TITLE PORT
{
	for family in 4 6; do
		topo_family $family
		ok "$1, IPv$family: TCP" ns c1 load get -t 5 -c 5 -n $N $C2 $2
		ok "$1, IPv$family: a connection a request" ns c1 load get -t 5 -o -c 3 -n 3 $C2 $2
		ok "$1, IPv$family: UDP" ns c1 udp talk -t 1 -n 5 $C2 $2
	done
	topo_family 4
}

refused() # TITLE PORT
{
	for family in 4 6; do
		topo_family $family
		nok "$1, IPv$family: no answer by TCP" ns c1 load get -t 1 $C2 $2
		nok "$1, IPv$family: nor by UDP" ns c1 udp talk -t 1 $C2 $2
	done
	topo_family 4
}

udp_proxy=()
must topo_up
# West knows nobody, so that all goes to the box, and nothing from one to the other.
for port in c1 c2; do
	must ns west bridge link set dev $port isolated on learning off
done
must ns west bridge link set dev w0 learning off
must topo_ip west <<<"link set br0 type bridge fdb_flush"
for port in 443 80; do
	for any in 0.0.0.0 ::; do
		must spawn_ready http-$port-$any ns c2 load serve -b $any $port
	done
	for v6 in "" -6; do
		must spawn_ready echo-$port$v6 ns c2 udp echo $v6 $port
	done
done
must proxy_up
for v6 in "" -6; do
	must spawn_ready proxy$v6 ns box udp proxy $v6 $PROXY_PORT
	udp_proxy+=("$spawned")
done

# Who is who is known, so that a hairpin that is off stops no more than it has to.
for family in 4 6; do
	topo_family $family
	must topo_ip c1 <<<"neigh replace $C2 lladdr $MAC_C2 dev eth0 nud permanent"
	must topo_ip c2 <<<"neigh replace $C1 lladdr $MAC_C1 dev eth0 nud permanent"
done
topo_family 4

# --- control: the bridge alone ---------------------------------------------------------

hairpin off
refused "no module, no hairpin" 80
hairpin on
asks "no module" 80

module_needed
topo_box_marks
topo_box_rules -j MACKEEP
before=$(mackeep_stat box ownport)
wire_start west west w0 -p
asks "hairpin" 443
proxy_quiet
wire_stop
is "$(mackeep_stat box ownport)" "$before" "hairpin: nothing is kept from its port"
for family in 4 6; do
	topo_family $family
	wire_leg west $C2 $C1 $MAC_C2 $MAC_C1 $N "hairpin, IPv$family: c2 to c1"
	wire_leg west $C1 $C2 $MAC_C1 $MAC_C2 $N "hairpin, IPv$family: c1 to c2"
done
topo_family 4
# A client's own port is below 47000.
is "$(wire_sum west 'way == "from" && dport == 443 && sport < 47000')" 0 \
	"hairpin: no frame went by the proxy"
ok "hairpin: other flows as ever" ns c1 load get -n 3 $C2 80

# With the hairpin off the bridge would not send them back, nor does the box.
hairpin off
wire_start west west w0
refused "hairpin off again" 443
wire_stop
is "$(wire_sum west "way == \"from\" && src ~ /:c[12]\$/")" 0 \
	"hairpin off again: nothing leaves by a station's own port"

tap_kill "${udp_proxy[0]}"
tap_kill "${udp_proxy[1]}"
proxy_down
topo_down
module_gone
done_testing
