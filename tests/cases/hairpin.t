#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two clients behind one port in hairpin mode, as at an access point or in a
# private VLAN: a frame from one to the other leaves the bridge by the port that it
# came in by. So do the proxy's frames.
#
#  c1 ..:c1 --+ isolated
#             +-- west (learns nothing) -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+ isolated                         hairpin
#
# The field: openwrt/luci #7567, wireless ports are in hairpin mode unless
# clients are isolated; netflector #173, a hairpin port echoes what is sent.
#
# It runs on one kernel in turn.

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
	ok "$1: TCP" ns c1 load get -t 5 -c 5 -n $N $C2 $2
	ok "$1: a connection a request" ns c1 load get -t 5 -o -c 3 -n 3 $C2 $2
	ok "$1: UDP" ns c1 udp talk -t 1 -n 5 $C2 $2
}

refused() # TITLE PORT
{
	nok "$1: no answer by TCP" ns c1 load get -t 1 $C2 $2
	nok "$1: nor by UDP" ns c1 udp talk -t 1 $C2 $2
}

must topo_up
# West learns nothing: all frames go to the box, and none directly to the other.
for port in c1 c2; do
	must ns west bridge link set dev $port isolated on learning off
done
must ns west bridge link set dev w0 learning off
must topo_ip west <<<"link set br0 type bridge fdb_flush"
for port in 443 80; do
	web_up c2 $port
	echo_up c2 $port
done
must proxy_up
udp_proxy_up

# The clients know their MACs: without the hairpin not even ARP and NDP would pass.
acquaint()
{
	must topo_ip c1 <<<"neigh replace $C2 lladdr $MAC_C2 dev eth0 nud permanent"
	must topo_ip c2 <<<"neigh replace $C1 lladdr $MAC_C1 dev eth0 nud permanent"
}
each_family acquaint

# --- control: the bridge alone ---------------------------------------------------------

hairpin off
each_family refused "no module, no hairpin" 80
hairpin on
each_family asks "no module" 80

kept_up
before=$(mackeep_stat box ownport)
wire_start west west w0 -p
each_family asks "hairpin" 443
proxy_quiet
wire_stop
is "$(mackeep_stat box ownport)" "$before" "hairpin: nothing is kept from its port"
kept() # TITLE
{
	wire_leg west $C2 $C1 $MAC_C2 $MAC_C1 $N "$1: c2 to c1"
	wire_leg west $C1 $C2 $MAC_C1 $MAC_C2 $N "$1: c1 to c2"
}
each_family kept "hairpin"
# A client's own port is below 47000.
is "$(wire_sum west 'way == "from" && dport == 443 && sport < 47000')" 0 \
	"hairpin: no frame went by the proxy"
ok "hairpin: other flows as ever" ns c1 load get -n 3 $C2 80

# With the hairpin off the bridge would not send them back, nor does the box.
hairpin off
wire_start west west w0
each_family refused "hairpin off again" 443
wire_stop
is "$(wire_sum west "way == \"from\" && src ~ /:c[12]\$/")" 0 \
	"hairpin off again: nothing leaves by a station's own port"

net_done
