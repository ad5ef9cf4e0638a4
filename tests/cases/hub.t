#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A bridge that learns nothing, as a hub or on some of its ports, floods what the
# box sends. No frame in a station's name leaves by the port where the station's
# own frames come in: a switch there would learn that it has moved.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+      ageing_time 0, learning off      +-- rt ..:f1 -- srv .73
#
# The field: mirage-tcpip #113, every host hears all once ageing is 0; xmodulo,
# "How to disable MAC learning in a Linux bridge", tells people to do that.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools udp

N=10

hub() # AGEING LEARNING0 LEARNING1
{
	local name

	must topo_ip box <<<"link set br0 type bridge ageing_time $1"
	must ns box bridge link set dev port0 learning $2
	must ns box bridge link set dev port1 learning $3
	# What the bridges have learned until now is flushed.
	for name in west box east; do
		must topo_ip $name <<<"link set br0 type bridge fdb_flush"
	done
}

asks() # TITLE PORT
{
	ok "$1: c1 asks $S1" ns c1 load get -t 5 -c 5 -n $N -s 3000 $S1 $2
	ok "$1: c2 asks $L1, a connection a request" ns c2 load get -t 5 -o -c 5 -n 5 $L1 $2
	ok "$1: UDP" ns c1 udp talk -t 2 -n 5 $S1 $2
}

# Flows of both families at a time, all their frames captured
traffic() # TITLE PORT
{
	wire_both
	each_family asks "$1" $2
	proxy_quiet
	wire_stop
}

# Frames that left by the port which their source's own frames come in by
back()
{
	echo "$(wire_sum west 'way == "from" && src ~ /:c[12]$/ && type ~ /^ip/')" \
		"$(wire_sum east 'way == "from" && src ~ /:(f1|80)$/ && type ~ /^ip/')"
}

kept() # TITLE
{
	traffic "$1" 443
	is "$(back)" "0 0" "$1: nothing in a station's name leaves by its own port"
	each_family legs "$1"
	wire_clean "$1"
}

legs() # TITLE
{
	# The copy of a flooded frame goes by the other port as well.
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $((2 * N)) "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $((2 * N)) "$1: c1 to $S1"
	wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 5 "$1: $L1 to c2"
	wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 5 "$1: c2 to $L1"
}

must topo_up
services_up

# --- control: the bridge never sends a frame back where it came from --------------------

hub 0 on on
traffic "no module, hub" 80
is "$(back)" "0 0" "no module, hub: nothing goes back where it came from"
cmp_ok "$(wire_sum west 'way == "from" && src ~ /:f1$/')" -ge $N \
	"no module, hub: there were frames"

kept_up

before=$(mackeep_stat box ownport)
hub 0 on on
kept "ageing_time 0"
cmp_ok "$(($(mackeep_stat box ownport) - before))" -ge $N "ageing_time 0: and is counted"
hub 30000 off on
kept "learning off at the clients' port"
hub 30000 on off
kept "learning off at the router's port"
before=$(mackeep_stat box ownport)
hub 30000 off off
kept "learning off at both"
cmp_ok "$(($(mackeep_stat box ownport) - before))" -ge $N "learning off at both: and is counted"

# An FDB that is flushed while flows run does not know the stations either.
hub 30000 on on
wire_both
for family in 4 6; do
	topo_family $family
	ok "flushed again and again, IPv$family: a flow" held_start flow$family c1 -w 5 -t 10 $S1
done
topo_family 4
for _ in {1..100}; do
	must topo_ip box <<<"link set br0 type bridge fdb_flush"
	pause 0.02
done
for family in 4 6; do
	ok "flushed again and again, IPv$family: it goes on" held_grows flow$family
	ok "flushed again and again, IPv$family: no request failed" held_stop flow$family
done
proxy_quiet
wire_stop
is "$(back)" "0 0" "flushed again and again: nothing leaves by a station's own port"

net_done
