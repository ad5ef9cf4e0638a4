#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bridge goes on learning where stations are from the frames that are taken
# off it: entries of 10 s live through a minute of proxied traffic alone, and no
# answer is flooded. A frame to a station that the bridge does not know is flooded
# all the same, but not by the port of the station whose source MAC it carries. The
# test waits most of the time.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+                port2 |              +-- rt ..:f1 -- srv .73
#                               third port
#
# Control: broute takes the frames before the bridge sees them. It forgets the
# stations, and each answer leaves by the third port too.
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge

AGEING=$((10 * ${MACKEEP_PATIENCE:-1})) # less than the minute
MINUTE=60

stations() # of the box's bridge, as MAC PORT
{
	ns box bridge fdb show br br0 | awk '
		!/permanent/ { for (i = 2; i < NF; i++) if ($i == "dev") print $1, $(i + 1) }' |
		sort
}

forgotten()
{
	[ -z "$(stations)" ]
}

# Frames that left by the third port
flooded()
{
	ns west awk '$1 == "dead:" { print $3 }' /proc/net/dev
}

more_flooded() # THAN
{
	[ "$(flooded)" -gt "$1" ]
}

start()
{
	wire_both
	wire_start dead west dead
	must held_start c1 c1 -w 100 $S1
	must held_start c2 c2 -w 100 $L1
}

finish() # TITLE
{
	ok "$1: no request of c1 failed" held_stop c1
	ok "$1: no request of c2 failed" held_stop c2
	proxy_quiet
	wire_stop
	is "$(wire_sum west 'type == "arp"') $(wire_sum east 'type == "arp"')" "0 0" \
		"$1: nothing but the proxied flows was on the wires"
}

# Frames with a known station's MAC, unicast, out of the third port
third()
{
	wire_sum dead 'way == "from" && dst ~ /^02:/'
}

must topo_up
must ip -batch - <<<"$(topo_link box port2 02:00:00:00:00:b3 west dead 02:00:00:00:01:b3)"
must topo_ip west <<<"link set dead up"
must topo_ip box <<-LINES
	link set port2 master br0 up
	link set br0 type bridge ageing_time $((AGEING * 100))
LINES
# An ARP frame would teach the bridge as well.
known="nud permanent"
must topo_ip c1 <<<"neigh replace 192.0.2.1 lladdr $MAC_R dev eth0 $known"
must topo_ip c2 <<<"neigh replace $L1 lladdr $MAC_L1 dev eth0 $known"
must topo_ip l1 <<<"neigh replace $C2 lladdr $MAC_C2 dev eth0 $known"
must topo_ip rt <<<"neigh replace $C1 lladdr $MAC_C1 dev lan $known"
must servers_up
must proxy_up

# --- control: taken before the bridge has seen them ----------------------------------

today_up
must topo_ip box <<-LINES
	neigh replace 192.0.2.1 lladdr $MAC_R dev br0 $known
	neigh replace $C1 lladdr $MAC_C1 dev br0 $known
	neigh replace $C2 lladdr $MAC_C2 dev br0 $known
	neigh replace $L1 lladdr $MAC_L1 dev br0 $known
LINES
start
ok "no module: the bridge forgets all stations" busywait 20 forgotten
ok "no module: and floods what follows" busywait 20 more_flooded $(($(flooded) + 20))
finish "no module"
cmp_ok "$(third)" -ge 20 "no module: the third port sees answers"
today_down

# --- lifted after it has --------------------------------------------------------------

kept_up
# One request each: the bridge learns the stations.
ok "requests that make the stations known" ns c1 load get $S1
ok "of the other two as well" ns c2 load get $L1
proxy_quiet
is "$(stations)" "$MAC_L1 port1
$MAC_C1 port0
$MAC_C2 port0
$MAC_R port1" "the bridge knows all stations"
start
pause $MINUTE
is "$(stations)" "$MAC_L1 port1
$MAC_C1 port0
$MAC_C2 port0
$MAC_R port1" "after a minute it still knows them"
finish "lifted"
is "$(third)" 0 "lifted: the third port saw none of it"
wire_leg west $S1 $C1 $MAC_R $MAC_C1 100 "lifted: $S1 to c1"
wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 100 "lifted: $L1 to c2"
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 100 "lifted: c1 to $S1"
wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 100 "lifted: c2 to $L1"
is "$(wire_sum west "way == \"from\" && src ~ /:c[12]$/")" 0 \
	"lifted: no client's MAC leaves by the clients' port"
is "$(wire_sum east "way == \"from\" && (src == \"$MAC_R\" || src == \"$MAC_L1\")")" 0 \
	"lifted: no router's or server's MAC leaves by theirs"
cmp_ok "$(wire_sum east "way == \"from\" && src ~ /:c[12]$/")" -ge 200 \
	"lifted: they leave by the other one"

# --- to a station that the bridge does not know ------------------------------------------

before=$(mackeep_stat box ownport)
wire_both
wire_start dead west dead
must held_start c1 c1 -w 20 $S1
must ns box bridge link set dev port1 learning off
for mac in $MAC_R $MAC_L1; do
	# It may have gone already.
	ns box bridge fdb del $mac dev port1 master 2>/dev/null
done
is "$(stations | grep -c port1)" 0 "unknown: the bridge knows no station at port1"
ok "unknown: a flow that was there goes on" held_grows c1 20
ok "unknown: and none of its requests failed" held_stop c1
ok "unknown: requests of c1" ns c1 load get -o -n 5 $S1
ok "unknown: requests of c2" ns c2 load get -o -n 5 $L1
proxy_quiet
wire_stop
cmp_ok "$(third)" -ge 50 "unknown: frames are flooded"
is "$(wire_sum dead "way == \"from\" && src ~ /:c[12]$/")" "$(third)" \
	"unknown: those to the router and the server"
is "$(wire_sum west "way == \"from\" && src ~ /:c[12]$/")" 0 \
	"unknown: none leaves by the clients' own port"
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 15 "unknown: they get there, c1 to $S1"
wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 15 "unknown: they get there, c2 to $L1"
is "$(($(mackeep_stat box ownport) - before))" "$(third)" "unknown: and each is counted"

net_done
