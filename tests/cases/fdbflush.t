#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A bridge that has lost the entry of its own address, by "bridge fdb flush" or
# by "bridge fdb del", passes nothing up any more. Proxied transfers go on all
# the same, and no frame leaves by a port with a MAC of the box.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+           ..:b1 ..:b0 ..:b2           +-- rt ..:f1 -- srv .73
#
# The field: DPDK grout #723 "install the bridge SVI MAC as a local FDB entry"
# (once gone, traffic to it is unknown unicast: flooded, or dropped); sonic-swss
# #2374, where a flush took static entries.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need bridge
tools udp

# Entries for the box's own MACs
own_entries()
{
	ns box bridge fdb show br br0 | grep -c "^02:00:00:00:00:b[012] .*permanent"
}

# For a bridge(8) that cannot, delete
flush()
{
	if ns box bridge fdb help 2>&1 | has flush; then
		ns box bridge fdb flush dev br0
	else
		delete
	fi
}

# Each by itself; those of ports as well, whose MACs are the bridge's, too
delete()
{
	local mac dev vid

	while read -r mac dev vid; do
		ns box bridge fdb del $mac dev $dev ${vid:+vlan $vid} \
			"$([ $dev = br0 ] && echo self || echo master)" || return
	done < <(ns box bridge fdb show br br0 | awk '
		/^02:00:00:00:00:b[012] .*permanent/ {
			dev = vid = ""
			for (i = 2; i < NF; i++) {
				if ($i == "dev") dev = $(i + 1)
				if ($i == "vlan") vid = $(i + 1)
			}
			print $1, dev, vid
		}')
}

# The bridge makes its entries when it gets an address that it did not have.
remember()
{
	must topo_ip box <<-LINES
	link set br0 address 02:00:00:00:00:b9
	link set br0 address $MAC_BR
	LINES
}

# Frames with a MAC of the box in either place
touched()
{
	local own='way == "from" && (src ~ /:b[012]$/ || dst ~ /:b[012]$/)'

	# The bridge had addresses: MLD says when it sees fit that it left groups.
	own+=' && dst != "33:33:00:00:00:16"'
	echo "$(wire_sum west "$own") $(wire_sum east "$own")"
}

# Flows that run meanwhile, and others that come after COMMAND
survives() # TITLE COMMAND
{
	local title=$1 family

	wire_both
	for family in 4 6; do
		topo_family $family
		must held_start down$family c1 -t 10 -w 20 -s 20000 $S1
		must held_start local$family c2 -t 10 -w 20 $L1
	done
	topo_family 4
	ok "$title" $2
	is "$(own_entries)" 0 "$title: the bridge does not know its own address"
	for family in 4 6; do
		topo_family $family
		ok "$title, IPv$family: transfers go on" held_grows down$family 10
		ok "$title, IPv$family: on the own subnet as well" held_grows local$family 10
		ok "$title, IPv$family: none of their requests failed" held_stop down$family
		ok "$title, IPv$family: on the own subnet neither" held_stop local$family
		ok "$title, IPv$family: new connections" ns c1 load get -o -c 5 -n 5 -t 10 $S1
		ok "$title, IPv$family: of the other client" ns c2 load get -o -c 5 -n 5 -t 10 $L1
		ok "$title, IPv$family: UDP" ns c1 udp talk -n 5 -t 3 $S1
	done
	topo_family 4
	proxy_quiet
	wire_stop
	is "$(touched)" "0 0" "$title: no frame has a MAC of the box, from or to" ||
		diag "$(grep -h '^from.*:b[012] ' "$TMP/west" "$TMP/east" | head -n 20)"
	for family in 4 6; do
		topo_family $family
		wire_leg west $S1 $C1 $MAC_R $MAC_C1 20 "$title, IPv$family: $S1 to c1"
		wire_leg east $C1 $S1 $MAC_C1 $MAC_R 20 "$title, IPv$family: c1 to $S1"
		wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 20 "$title, IPv$family: c2 to $L1"
	done
	topo_family 4
	remember
}

# Connections that come after COMMAND pass by the proxy, until the bridge knows its
# address again.
passes() # TITLE COMMAND COUNTER
{
	local title=$1 counter=$3 family before opened
	counted() { ns c1 udp talk -t 1 $S1 && [ "$(mackeep_stat box $counter)" -gt $before ]; }

	before=$(mackeep_stat box $counter)
	ok "$title" $2
	is "$(own_entries)" 0 "$title: the bridge does not know its own address"
	ok "$title: that is noticed" busywait 10 counted
	before=$(mackeep_stat box $counter)
	opened=$(box_opens Passive)
	wire_both
	for family in 4 6; do
		topo_family $family
		ok "$title, IPv$family: TCP" ns c1 load get -o -c 5 -n 5 -t 10 $S1
		ok "$title, IPv$family: UDP" ns c1 udp talk -n 5 -t 3 $S1
	done
	topo_family 4
	wire_stop
	is "$(touched)" "0 0" "$title: no frame has a MAC of the box, from or to"
	is "$(wire_sum east "way == \"from\" && src == \"$MAC_C1\" && dst == \"$MAC_R\" && dport == 443")" \
		"$(wire_sum west 'way == "to" && dport == 443')" "$title: each goes on as it came"
	is $(($(mackeep_stat box $counter) - before)) "$(wire_sum west 'way == "to" && dport == 443')" \
		"$title: and is counted as $counter"
	is "$(box_opens Passive)" "$opened" "$title: the proxy took no connection"
	remember
	ok "$title: it knows it again" ns c1 load get -o -c 5 -n 5 -t 10 $S1
	is $(($(box_opens Passive) - opened)) 5 "$title: the proxy takes connections"
	proxy_quiet
}

lost() # TITLE COMMAND COUNTER
{
	if printf '%s\n' 5.15 "$(uname -r)" | sort -CV; then
		survives "$1" $2
	else
		passes "$1" $2 $3
	fi
}

must topo_up
must servers_up
must proxy_up
echo_up srv
udp_proxy_up

# --- control: the box as a host; flushed, it hears nothing that is for it ------------

today_up tcp
ok "no module: requests" ns c1 load get -n 3 $S1
cmp_ok "$(own_entries)" -ge 1 "no module: the bridge knows its own address"
ok "no module: bridge fdb flush" flush
is "$(own_entries)" 0 "no module: and then it does not"
nok "no module: no request gets through" ns c1 load get -t 2 $S1
today_down
remember
cmp_ok "$(own_entries)" -ge 1 "no module: it has it back"

kept_up
lost "bridge fdb flush" flush nolift
lost "bridge fdb del" delete nolift

# --- with VLANs: an entry in each -----------------------------------------------------

must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
for vid in 100 200; do
	must ns box bridge vlan add dev br0 vid $vid self
done
cmp_ok "$(own_entries)" -ge 3 "VLANs: there are entries in each"
# Before Linux 5.15 an entry also tells that the bridge is in a VLAN.
lost "bridge fdb del in every VLAN" delete novlan
lost "bridge fdb flush in every VLAN" flush novlan

net_done
