# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A trunk of three VLANs, with a client in each. The router has one address in all of
# them, with another MAC in each.
#
#  c1 eth0.10 .31 ..:c1 --+                          +-- lan.10 ..:10 --+
#  c2 eth0.20 .32 ..:c2 --+-- west -- [ br0 ] -- east +-- lan.20 ..:20 --+ rt -- srv
#  c3 eth0.30 .33 ..:c3 --+                          +-- lan.30 ..:30 --+  .73

TOPO_NS="$TOPO_NS c3"
MAC_C3=02:00:00:00:00:c3

# VID, TPID, PCP that the client sets
VIDS="10 20 30"
declare -A TPID=([10]=8100 [20]=8100 [30]=88a8) PCP=([10]=3 [20]=0 [30]=5)
declare -A CLIENT=([10]=1 [20]=2 [30]=3)

proto_of() # VID
{
	[ ${TPID[$1]} = 8100 ] && echo 802.1Q || echo 802.1ad
}

client() # VID
{
	local n=${CLIENT[$1]} dev=eth0.$1

	must topo_ip c$n <<-LINES
	link set lo up
	addr flush dev eth0
	link set eth0 up
	link add link eth0 name $dev type vlan proto $(proto_of $1) id $1 egress-qos-map 0:${PCP[$1]}
	$(client_addresses c$n $dev)
	LINES
}

client_addresses() # NS DEVICE
{
	cat <<-LINES
	link set $2 up
	addr add 192.0.2.3${1#c}/24 dev $2
	addr add 2001:db8:1::3${1#c}/64 dev $2 nodad
	route replace default via 192.0.2.1 dev $2
	route replace default via 2001:db8:1::1 dev $2
	LINES
}

router() # VID
{
	local n=${CLIENT[$1]}

	must topo_ip rt <<-LINES
	link add link lan name lan.$1 address 02:00:00:00:00:$1 type vlan proto $(proto_of $1) id $1
	link set lan.$1 up
	addr add 192.0.2.1/32 dev lan.$1
	addr add 2001:db8:1::1/128 dev lan.$1 nodad
	route add 192.0.2.3$n/32 dev lan.$1
	route add 2001:db8:1::3$n/128 dev lan.$1
	LINES
}

trunk_up()
{
	local vid

	must topo_up
	must ip -batch - <<<"$(topo_link c3 eth0 $MAC_C3 west c3 02:00:00:00:01:c3)"
	must topo_ip west <<<"link set c3 master br0 up"
	topo_sysctl c3 net.ipv6.conf.all.disable_ipv6=0 net.ipv4.conf.all.rp_filter=0
	must topo_ip rt <<<"addr flush dev lan"
	for vid in $VIDS; do
		router $vid
		client $vid
	done
	must busywait 10 topo_forwards
}

# Runs COMMAND... in the client of each VLAN, all at once
at_once() # COMMAND...
{
	local vid pids=() rc=0

	for vid in $VIDS; do
		ns c${CLIENT[$vid]} "$@" >"$TMP/at-once-$vid" 2>&1 &
		pids+=($!)
	done
	for vid in "${pids[@]}"; do
		wait $vid || rc=1
	done
	[ $rc = 0 ] || diag "$(cat "$TMP"/at-once-*)"
	return $rc
}
