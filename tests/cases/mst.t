#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A port that one spanning tree blocks and another does not (MST): in the VLANs of
# the one nothing is lifted that the bridge would drop, and nothing that the proxy
# sends leaves by the port; those of the other are proxied. Changes count at once.
#
#  c1 eth0.100 192.0.2.31 ..:c1    --+                        +-- l1 eth0.100 192.0.2.80 ..:80
#                                    +-- west -- box -- east --+
#  c1 eth0.200 198.51.100.31 ..:c1 --+      port0   port1     +-- l1 eth0.200 198.51.100.80 ..:80
#
#  VLAN 100 is in tree 1, VLAN 200 in tree 2.
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools mst

N=5
declare -A CLIENT=([100]=192.0.2.31 [200]=198.51.100.31)
declare -A SERVER=([100]=192.0.2.80 [200]=198.51.100.80)

# Who is where is known for good: no ARP gets through a port that is blocked.
host() # NS OWN OTHER OTHER-MAC
{
	local -n own=$2 other=$3
	local vid

	must topo_ip $1 <<<"addr flush dev eth0"
	for vid in 100 200; do
		must topo_ip $1 <<-LINES
		link add link eth0 name eth0.$vid type vlan id $vid
		addr add ${own[$vid]}/24 dev eth0.$vid
		link set eth0.$vid up
		neigh replace ${other[$vid]} lladdr $4 dev eth0.$vid nud permanent
		LINES
	done
}

state() # PORT STATE [TREE]
{
	must ns box mst state $1 ${3-1} $2
}

# Of a VLAN's connections
to_server() { echo "dst == \"$MAC_L1\" && vlan == $1 && proto == \"tcp\""; }
to_client() { echo "dst == \"$MAC_C1\" && vlan == $1 && proto == \"tcp\""; }

kept() # TITLE VID
{
	local opened title="$1, VLAN $2"

	opened=$(box_opens Passive)
	wire_both
	ok "$title: requests" ns c1 load get -o -n $N -t 10 ${SERVER[$2]}
	proxy_quiet
	wire_stop
	is "$(wire_sum east "way == \"from\" && src == \"$MAC_C1\" && $(to_server $2)")" \
		"$(wire_sum east "way == \"from\" && proto == \"tcp\"")" "$title: the client's MAC, to the server"
	is "$(wire_sum west "way == \"from\" && src == \"$MAC_L1\" && $(to_client $2)")" \
		"$(wire_sum west "way == \"from\" && proto == \"tcp\"")" "$title: the server's, to the client"
	is $(($(box_opens Passive) - opened)) $proxied "$title: the proxy took $proxied connections"
}

# Nothing of VLAN 100 gets through.
apart() # TITLE
{
	local opened title="$1, VLAN 100"

	opened=$(box_opens Passive)
	wire_both
	nok "$title: no answer" ns c1 load get -t 1 ${SERVER[100]}
	wire_stop
	cmp_ok "$(wire_sum west "way == \"to\" && $(to_server 100)")" -ge 1 "$title: frames came"
	is "$(wire_sum east 'way == "from" && vlan == 100') $(wire_sum west 'way == "from" && vlan == 100')" \
		"0 0" "$title: none left, to either side"
	is $(($(box_opens Passive) - opened)) 0 "$title: the proxy took no connection"
}

walls() # TITLE
{
	local wall

	kept "$1, all forward" 200
	for wall in "port0 blocking" "port1 disabled" "port1 learning" "port1 blocking"; do
		kept "$1, before $wall" 100
		state $wall
		apart "$1, $wall"
		[[ $wall != *blocking ]] || kept "$1, $wall" 200
		state ${wall% *} forwarding
	done

	# No port to flood to
	state port1 blocking
	must ns box bridge fdb del $MAC_L1 dev port1 vlan 100 master
	apart "$1, a server that nobody knows"
	state port1 forwarding

	# A tree that VLANs are moved to begins with all ports disabled.
	kept "$1, the old tree" 100
	must ns box mst vlan br0 100 3
	state port0 forwarding 3
	apart "$1, a new tree"
	state port1 forwarding 3
	kept "$1, a new tree, forwards" 100
	must ns box mst vlan br0 100 1
	state port0 forwarding
	state port1 forwarding

	# The common tree has no VLAN here.
	must ns box bridge link set dev port1 state learning
	kept "$1, the common tree does not forward" 100
	kept "$1, the common tree does not forward" 200
	must ns box bridge link set dev port1 state forwarding
}

# Bytes that the proxy cannot send to ADDR, for good
stuck() # ADDR
{
	local before

	before=$(unsent $1)
	pause 0.3
	[ "${before:-0}" -gt 0 ] && [ "$(unsent $1)" = "$before" ]
}

unsent()
{
	ns box ss -Htn state established dst $1 | awk '{ n += $2 } END { print n }'
}

# PID does not read any more. What was left of a transfer may have had room in its
# buffers; then it reads on for a moment.
halted() # PID ADDR
{
	kill -STOP $1
	busywait 3 stuck $2 && return
	kill -CONT $1
	return 1
}

# The proxy has bytes for the station at PORT when that is blocked, and goes on
# trying.
cut() # TITLE PID PORT ADDR COUNTER
{
	local title="cut off, $1" port=$3 to=$4 counter=$5 mac=${MAC[$3]} before
	tries() { [ "$(mackeep_stat box $counter)" -gt $before ]; }

	defer eval "kill -CONT $2 2>/dev/null" # or it would not end, either
	ok "$title: it does not read" busywait 60 halted $2 $to
	state $port blocking
	wire_both
	before=$(mackeep_stat box $counter)
	ok "$title: the proxy sends" busywait 20 tries
	must ns box bridge fdb del $mac dev $port vlan 100 master
	before=$(mackeep_stat box $counter)
	ok "$title: and when nobody knows where it is" busywait 20 tries
	wire_stop
	is "$(wire_sum west "way == \"from\" && dst == \"$mac\"") $(wire_sum east "way == \"from\" && dst == \"$mac\"")" \
		"0 0" "$title: nothing of that leaves, by either port"
	state $port forwarding
}

must topo_up
if ! grep -q ' br_mst_enabled' /proc/kallsyms; then
	pass "before Linux 5.18 there is no MST"
	topo_down
	done_testing
fi
host c1 CLIENT SERVER $MAC_L1
host l1 SERVER CLIENT $MAC_C1
# Who does not read has no room for an answer.
for name in c1 l1; do
	topo_sysctl $name net.ipv4.tcp_rmem="4096 65536 65536"
done
must spawn_ready server ns l1 load serve
server_pid=$spawned
must proxy_up
must topo_ip box <<-LINES
	route del default dev br0
	link add link br0 name br0.100 type vlan id 100
	link add link br0 name br0.200 type vlan id 200
	link set br0.100 up
	link set br0.200 up
	route add default dev br0.100
	route add 198.51.100.0/24 dev br0.200
	link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0
LINES
must ns box mst on br0
for vid in 100 200; do
	must ns box bridge vlan add dev br0 vid $vid self
	for port in port0 port1; do
		must ns box bridge vlan add dev $port vid $vid
	done
	must ns box mst vlan br0 $vid $((vid / 100))
	state port0 forwarding $((vid / 100))
	state port1 forwarding $((vid / 100))
done

# --- control: what the bridge itself drops ----------------------------------------------

proxied=0
walls "no module"

kept_up
proxied=$N
walls "module"

# --- proxied flows that are cut off ---------------------------------------------------

declare -A MAC=([port0]=$MAC_C1 [port1]=$MAC_L1)
ok "downloads" held_start down c1 -t 60 -s 1000000 ${SERVER[100]}
cut "a client" ${held_pid[down]} port0 ${CLIENT[100]} reply
kill -CONT ${held_pid[down]}
ok "downloads go on" held_grows down
ok "none of them failed" held_stop down
proxy_quiet

ok "uploads" held_start up c1 -t 60 -u 1000000 ${SERVER[100]}
cut "a server" $server_pid port1 ${SERVER[100]} orig
kill -CONT $server_pid
ok "uploads go on" held_grows up
ok "none of them failed, either" held_stop up
proxy_quiet

net_done
