#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A trunk: three VLANs at once on one bridge that has no VLAN device. What the box
# sends carries the MACs of client and router, and the client's tag: VID, PCP and
# DEI, 802.1Q or 802.1ad. The router has one address in all VLANs, with another
# MAC in each. vlan_filtering off and on.
#
#  c1 eth0.10 .31 ..:c1 --+                          +-- lan.10 ..:10 --+
#  c2 eth0.20 .32 ..:c2 --+-- west -- [ br0 ] -- east +-- lan.20 ..:20 --+ rt -- srv
#  c3 eth0.30 .33 ..:c3 --+                          +-- lan.30 ..:30 --+  .73
#
# Control: the same without mackeep_lift_vlan; all VLANs pass the proxy by.
#
# Seen by others: opnsense/docs issue 776, tagged frames do not pass a transparent
# bridge that has no VLAN devices. LibreQoE/LibreQoS issue 1146, frames with a
# priority take another way than those without, and lose it. nxp-archive/openil
# issue 79, connections with a priority are lost with vlan_filtering.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/trunk.sh" || exit 1
need bridge ethtool
tools udp frame ctinfo

N=20
BULK=3000000
UPLOAD=60000

# The VID that c3's port has untagged
access=

traffic() # TITLE
{
	local passive active

	passive=$(box_opens Passive)
	active=$(box_opens Active)
	# Or the box still knows the path's MTU.
	must ns box ip route flush cache
	wire_both -t
	ok "$1: requests in all VLANs at once" at_once load get -c 4 -n $N $S1
	ok "$1: downloads" at_once load get -s $BULK -t 60 $S1
	ok "$1: datagrams, in fragments" at_once udp talk -n 3 -s 4000 $S1
	# Only that way: what the server sends is not longer then.
	must topo_ip rt <<<"link set wan mtu 1400"
	ok "$1: an upload over the path's MTU" ns c3 load get -u $UPLOAD -t 20 $S1
	must topo_ip rt <<<"link set wan mtu 1500"
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	opened="$(($(box_opens Passive) - passive)) $(($(box_opens Active) - active))"
}

# All of one leg's frames have this tag and these MACs.
leg() # TITLE NAME SADDR DADDR TAG SOURCE DEST
{
	local all good

	all="way == \"from\" && saddr == \"$3\" && daddr == \"$4\" && proto != \"icmp\""
	good=$(wire_sum $2 "$all && vlan == \"$5\" && src == \"$6\" && dst == \"$7\"")
	cmp_ok "$good" -ge $((4 * N)) "$1: $2, $5 from $6 to $7"
	is "$(wire_sum $2 "$all")" "$good" "$1: and nothing else" || wire_show $2
	like "$(wire_flags $2 $3 $4)" "^F.*S" "$1: from the first SYN to the FIN"
	cmp_ok "$(wire_sum $2 "$all && proto != \"tcp\"")" -ge 9 \
		"$1: and datagrams"
}

# Packets that were sent with kept MACs, and those of them on the slow path
sent()
{
	echo "$(($(mackeep_stat box orig) + $(mackeep_stat box reply))) $(mackeep_stat box slow)"
}

kept() # TITLE
{
	local vid n ip mac tag near all slow more later

	read -r all slow < <(sent)
	traffic "$1"
	read -r more later < <(sent)
	cmp_ok $((2 * (later - slow))) -le $((more - all)) \
		"$1: most of it takes the fast path"
	is "$opened" "16 16" "$1: every connection went through the proxy"
	for vid in $VIDS; do
		n=${CLIENT[$vid]} mac=MAC_C$n
		ip=${C1%1}$n
		tag=${TPID[$vid]}/$vid/${PCP[$vid]}/0
		near=$tag
		[ "$vid" != "$access" ] || near=-
		leg "$1" west $S1 $ip $near 02:00:00:00:00:$vid ${!mac}
		leg "$1" east $ip $S1 $tag ${!mac} 02:00:00:00:00:$vid
	done
	cmp_ok "$(wire_sum west 'way == "from"' bytes)" -gt $((3 * BULK)) \
		"$1: the capture has the downloads"
	cmp_ok "$(wire_sum east 'way == "to" && proto == "icmp" && type ~ /^ip/')" -ge 1 \
		"$1: the router said what was too big"
	is "$(wire_sum west 'way == "from" && proto == "icmp" && (type == "ip" || sport < 128)')" \
		0 "$1: to the proxy, and the clients were told nothing"
	wire_clean "$1"
	is "$(mackeep_stat box untagged)" 0 "$1: nothing was lost for its tag"
}

control() # TITLE
{
	traffic "$1"
	is "$opened" "0 0" "$1: no connection went through the proxy"
}

trunk_up
must servers_up
echo_up srv
must proxy_up
udp_proxy_up

# --- control --------------------------------------------------------------------

kept_up
# Before 5.19 conntrack keeps events for every flow, which keep it off the fast path.
topo_sysctl box net.netfilter.nf_conntrack_events=0
each_family control "control"
cmp_ok "$(mackeep_stat box novlan)" -ge $N "control: such frames are counted"
is "$(mackeep_stat box lifted)" 0 "control: and none of them is lifted"

# --- no filtering -----------------------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_lift_vlan=1
each_family kept "no filtering"
is "$(ns box ctinfo dump | awk '$6 != "-" { print $6, $9, $11, $12, $13 }' | sort -u)" \
	"2 20 br0 $MAC_C2 02:00:00:00:00:20
2 $((3 << 13 | 10)) br0 $MAC_C1 02:00:00:00:00:10
2 $((5 << 13 | 30)) br0 $MAC_C3 02:00:00:00:00:30" "each record has its tag and MACs"
like "$(ns box mackeep list -s $C1 2>/dev/null)" " dev=br0 vlan=10 tag=802.1Q pcp=3 via=" \
	"and mackeep list shows it"
like "$(ns box mackeep pairs 2>/dev/null)" "dmac=02:00:00:00:00:30 dev=br0 vlan=30 tag=802.1ad pcp=5 " \
	"mackeep pairs as well"

# DEI, which no VLAN device sets: a datagram whose header is made by hand
tagged=$(ns c1 frame make udp $MAC_C1 02:00:00:00:00:10 $C1 $S1 5000 443)
wire_both -t
ns c1 frame send -i eth0 <<<"${tagged:0:24}8100f00a${tagged:24}"
ok "DEI: the answer has the tag" busywait 10 \
	wire_has west 'way == "from" && proto == "udp" && vlan == "8100/10/7/1"'
wire_stop
is "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && proto == \"udp\" && vlan == \"8100/10/7/1\"")" \
	1 "DEI: and so has what the server gets"

# --- what the box says itself ----------------------------------------------------------

# A reset and an error, each in its client's VLAN, from the router's MAC. The kernel
# sends no error of IPv4 in the name of an address that is not its own.
refused()
{
	local vid n ip mac to error=0

	wire_both -t
	nok "rejected, IPv$family: a datagram is not answered" at_once udp talk -n 1 -t 1 $S1
	nok "rejected, IPv$family: nor is a SYN" at_once load get -t 1 $S1
	wire_stop
	[ $family = 4 ] || error=1
	for vid in $VIDS; do
		n=${CLIENT[$vid]} mac=MAC_C$n ip=${C1%1}${CLIENT[$vid]}
		to="way == \"from\" && daddr == \"$ip\""
		is "$(wire_sum west "$to && type == \"ip6\" && proto == \"icmp\" && sport == 1")" $error \
			"rejected, IPv$family: an error in VLAN $vid"
		like "$(wire_flags west $S1 $ip)" R "rejected, IPv$family: and a reset"
		is "$(wire_sum west "$to && !(vlan == \"${TPID[$vid]}/$vid/${PCP[$vid]}/0\" && src == \"02:00:00:00:00:$vid\" && dst == \"${!mac}\")")" \
			0 "rejected, IPv$family: with its MACs and tag" || wire_show west
	done
	is "$(wire_sum east 'way == "from" && type ~ /^ip/')" 0 "rejected, IPv$family: the server gets nothing"
	wire_clean "rejected, IPv$family"
}

must ns box nft -f - <<-RULES
	table inet wall {
		chain input {
			type filter hook input priority 0; policy accept;
			iifname br0 meta l4proto tcp ct state new reject with tcp reset
			iifname br0 meta l4proto udp reject
		}
	}
RULES
each_family refused
must ns box nft delete table inet wall

# --- two tags, PPPoE, MPLS: as they came ---------------------------------------------

beyond()
{
	local macs=${tagged:0:24} body=${tagged:28}

	echo "${macs}8100000a81000014$body"
	echo "${macs}88a8000a81000014$body"
	echo "${macs}8864110000010000$body"
	echo "${macs}8100000a8864110000010000$body"
	echo "${macs}884700010140$body"
}
wire_both -H
beyond | must ns c1 frame send -i eth0
wire_stop
is "$(awk '$1 == "from" { print $2, $3 }' "$TMP/east")" \
	"$(awk '$1 == "to" { print $2, $3 }' "$TMP/west")" "two tags, PPPoE, MPLS: not a bit changes"
for kind in qinq:2 pppoe:2 mpls:1; do
	is "$(mackeep_stat box ${kind%:*})" ${kind#*:} "and ${kind%:*} counts them"
done
like "$(ns box mackeep check 2>&1)" "beyond: .* 2 with two tags, 2 of PPPoE, 1 with MPLS" \
	"mackeep check says so"

# --- filtering, with a client at an access port; tags in the frame ------------------

# c3 has no tag on its side of the box, and one of 802.1Q on the other.
must topo_ip c3 <<-LINES
	link del eth0.30
	$(client_addresses c3 eth0)
LINES
must topo_ip rt <<<"link del lan.30"
TPID[30]=8100 PCP[30]=0 access=30
router 30
# c3's address was in use in another VLAN just now.
must ns box mackeep flush
for at in box/port0 box/port1 west/w0 east/e0; do
	must ns ${at%/*} ethtool -K ${at#*/} txvlan off rxvlan off >/dev/null
done
must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
must bridge -n $TOPO-box -batch - <<-LINES
	vlan add dev port0 vid 10
	vlan add dev port0 vid 20
	vlan add dev port0 vid 30 pvid untagged
	vlan add dev port0 vid 40
	vlan add dev port1 vid 10
	vlan add dev port1 vid 20
	vlan add dev port1 vid 30
	vlan add dev br0 vid 10 self
	vlan add dev br0 vid 20 self
	vlan add dev br0 vid 30 self
	vlan add dev br0 vid 40 self
LINES
each_family kept "filtering"

# A VLAN that ends at this bridge. Linux 5.10 does not say in which a port is.
alone=$(ns c1 frame make udp $MAC_C1 02:00:00:00:00:10 192.0.2.99 $S1 5000 443)
before=$(mackeep_stat box lifted)
wire_both -t
ns c1 frame send -i eth0 <<<"${alone:0:24}81000028${alone:24}"
must busywait 10 wire_has west 'way == "to" && vlan == "8100/40/0/0"'
wire_stop
is "$(wire_sum east 'saddr == "192.0.2.99"')" 0 "a VLAN that one port has: nothing leaves"
[ "$(uname -r | cut -d . -f 1)" -lt 6 ] ||
	is "$(mackeep_stat box lifted)" "$before" "and nothing is lifted"

# A VLAN device comes first.
must topo_ip box <<-LINES
	link add link br0 name br0.20 type vlan id 20
	link set br0.20 up
LINES
must ns box sysctl -qw net.netfilter.mackeep_steer=1
before=$(box_opens Passive)
ok "a VLAN device: a request" ns c2 load get $S1
ok "and one in a VLAN without" ns c1 load get $S1
is "$(($(box_opens Passive) - before))" 2 "both go through the proxy"
like "$(ns box mackeep list -s $C2 2>/dev/null)" " dev=br0.20 vlan=20 via=learned" \
	"the one by its device"
must topo_ip box <<<"link del br0.20"

# --- one address in two VLANs ------------------------------------------------------------

twin()
{
	local before

	must topo_ip c2 <<-LINES
	addr add 192.0.2.31/24 dev eth0.20
	route add $S1/32 via 192.0.2.1 src 192.0.2.31
	LINES
	must topo_ip rt <<<"route add 198.51.100.31/32 dev lan.20"
	ok "twin: a connection of the first" held_start one c1 $S1
	before=$(box_opens Passive)
	wire_both -t
	# The router has one route to that address: the answers go to the first.
	nok "twin: the second has none" ns c2 load get -t 2 -b 192.0.2.31 $S1
	held_grows one
	wire_stop
	is "$(box_opens Passive)" "$before" "twin: the second goes past the proxy"
	cmp_ok "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && vlan == \"8100/20/0/0\" && src == \"$MAC_C2\" && dst == \"02:00:00:00:00:20\"")" \
		-ge 1 "twin: its frames are bridged as they came"
	is "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && proto == \"tcp\" && (vlan == \"8100/10/3/0\") != (src == \"$MAC_C1\")")" \
		0 "twin: and no frame is in the other's VLAN"
	ok "twin: the first is not disturbed" held_stop one
	cmp_ok "$(mackeep_stat box twin)" -ge 1 "twin: it is counted"
	like "$(ns box mackeep check 2>&1)" "twin: " "twin: mackeep check says so"
	must topo_ip c2 <<-LINES
	addr del 192.0.2.31/24 dev eth0.20
	LINES
	must topo_ip rt <<<"route del 198.51.100.31/32 dev lan.20"
}
twin

net_done
