#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check on what a bridge does with frames: learning, hairpin mode, isolated
# ports, filters in its FORWARD, a rule that sees too few ports, and VLANs that pass
# the proxy by. Each is provoked, and gone after the command that is printed. The
# test runs on one kernel in turn.
#
#  c1 192.0.2.31 --+                                      +-- l1 192.0.2.80
#     ..:c1        +-- west -- [ port0 br0 port1 ] -- east     ..:80
#  c2 ..:c2 -------+               ..:b0,b1,b2            +-- rt ..:f1 -- srv
#
# c1 and l1 are in VLAN 100 as well. Controls: what each does to the wire or to the
# connections; before it is provoked nothing is found. An admin's connection to the
# box goes on all the time.
#
# Seen by others: openwrt/openwrt pull request 4973, ports that learn nothing flood
# all; lxc/lxc issue 4071, hairpin mode on every port, "no downside";
# openwrt/openwrt pull request 20360, the uplink must not be isolated;
# opnsense/docs issue 776, tagged frames that pass a transparent bridge's filter by.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep ebtables bridge
tools udp

UP="--bridge br0 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT --settle 0"

# What it prints clears what it finds, and the admin's connection lives.
cleared() # TITLE ID...
{
	look
	finds "${@:2}"
	mend
	clean "$1"
	ok "$1: the admin's connection goes on" held_grows admin
}

asks() # TITLE
{
	ok "$1: TCP" ns c1 load get -t 5 $L1
	ok "$1: UDP" ns c1 udp talk -t 5 $L1
}

# Frames in a client's name that leave by the clients' own port
back()
{
	wire_start back west w0
	ns c1 udp talk -t 1 -n 5 $L1 >&2
	wire_stop back
	back=$(wire_sum back 'way == "from" && src ~ /:c[12]$/ && type ~ /^ip/')
}

must topo_up
admin_network rt
topo_box_unrouted
servers_up
echo_up l1
web_up l1 8001
web_up box 22
must proxy_up
udp_proxy_up
module_needed
must ns box mackeep up $UP
ok "an admin's connection" held_start admin rt $ADMIN 22
clean "up"
wire_both
each_family asks "up"

# --- hub, hairpin, isolated -----------------------------------------------------------

must ip -n mk-box link set br0 type bridge ageing_time 0
must ns box bridge link set dev port1 learning off
must ip -n mk-box link set br0 type bridge fdb_flush
each_family asks "hub"
unlike "$(ns box bridge fdb show br br0)" "$MAC_L1" "hub: the bridge does not know who is where"
look
is "$(grep -c ^hub: "$TMP/found")" 2 "hub: of the bridge, and of a port"
cleared "hub" hub
each_family asks "hub, mended"
like "$(ns box bridge fdb show br br0)" "$MAC_L1 dev port1" "hub, mended: the bridge learns again"

# What the bridge does not know is flooded.
must ns box bridge link set dev port0 hairpin on
must ns box bridge link set dev port1 learning off
must ip -n mk-box link set br0 type bridge fdb_flush
back "hairpin"
cmp_ok $back -gt 0 "hairpin: clients' frames leave by their own port"
look
finds hairpin
grep ^hairpin: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
back "hairpin, mended"
is $back 0 "hairpin, mended: none does"
cleared "hairpin" hub

must ns box bridge link set dev port0 isolated on
clean "one isolated port"
must ns box bridge link set dev port1 isolated on
nok "isolated: nothing crosses the bridge" ns c1 load get -t 1 $L1
cleared "isolated" isolated
each_family asks "isolated, mended"
like "$(ns box bridge -d link show dev port0)" "isolated on" "isolated: the other port stays so"
must ns box bridge link set dev port0 isolated off

# --- filters in the bridge's FORWARD -------------------------------------------------

must ns box nft -f - <<-RULES
	table bridge walls {
		chain passing {
			type filter hook forward priority 0; policy accept;
			ip daddr $L1 tcp dport { 22, 443 } drop
		}
	}
RULES
each_family asks "forward, nft: it does not see what is lifted"
look
finds forward
mend
clean "forward, nft"
nok "forward, nft, mended: it does" ns c1 load get -t 1 $L1
ok "forward, nft: the admin's connection goes on" held_grows admin
must ns box nft delete table bridge walls

for program in ebtables-nft ebtables-legacy; do
	ns box $program -A FORWARD -p IPv4 --logical-out br0 --ip-proto tcp --ip-dport 443 -j DROP 2>/dev/null || continue
	must ns box $program -A FORWARD -p IPv6 -o port1 --ip6-proto tcp --ip6-dport 443 -j DROP
	each_family asks "forward, $program: it does not see what is lifted"
	look
	is "$(grep -c "^forward: .* ebtables " "$TMP/found")" 1 "forward, $program: one that can be moved"
	mend
	clean "forward, $program"
	nok "forward, $program, mended: it does" ns c1 load get -t 1 $L1
	must ns box $program -F FORWARD
	must ns box $program -t nat -F PREROUTING
done
each_family asks "no filter"

# --- a rule that sees too little -----------------------------------------------------

proxy_quiet
wire_stop
wire_clean "until here"
must ns box mackeep down br0
topo_box_bare
topo_box_marks "tcp dport { 443, 8001 }"
must ns box iptables-restore <<-RULES
	*mangle
	-A PREROUTING -i br0 -p tcp --sport 443 -j MACKEEP
	-A PREROUTING -i br0 -p tcp -m multiport --dports 443,8443 -j MACKEEP
	-A PREROUTING -m socket --transparent -j MARK --set-mark 1
	-A PREROUTING -m mark --mark 1 -j ACCEPT
	-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
	-A PREROUTING -p tcp --dport 8001 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
	COMMIT
RULES
must ns box mackeep silence add -6 br0
must topo_ip box <<<"link set br0 type bridge group_fwd_mask 8"
ok "narrow: the port that the rule sees" ns c1 load get -t 5 $L1 443
must ns box conntrack -F 2>/dev/null
must ns box mackeep flush >&2
nok "narrow: the port that it does not see" ns c1 load get -t 1 $L1 8001
look
finds narrow
is "$(grep -c ^narrow: "$TMP/found")" 1 "narrow: of the one port"
grep ^narrow: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
ok "narrow, mended: that port" ns c1 load get -t 5 $L1 8001
look # packets of before
finds_not narrow
topo_box_rules_off
ns box nft delete table bridge mackeep

# --- VLANs that pass by -----------------------------------------------------------------

for host in "c1 31" "l1 80"; do
	must topo_ip ${host% *} <<-LINES
	link add link eth0 name eth0.100 type vlan id 100
	addr add 198.51.100.${host#* }/24 dev eth0.100
	link set eth0.100 up
	LINES
done
topo_box_unrouted
must ns box mackeep up $UP
ok "tagged: requests pass" ns c1 load get -t 5 198.51.100.80
before=$(box_opens Passive)
look
finds tagged
like "$(grep ^tagged: "$TMP/found")" "VLAN 100 .* --vlan 100\$" "tagged: it tells the VLAN"
mend
look
finds_not tagged
ok "tagged, mended: requests are answered" ns c1 load get -t 5 198.51.100.80
is $(($(box_opens Passive) - before)) 1 "tagged, mended: by the proxy"
must ns box mackeep down br0

# Rules by hand, whose mark a tagged frame gets as well
kept_up
ok "tagged, by hand: requests pass" ns c1 load get -t 5 198.51.100.80
cmp_ok "$(mackeep_stat box novlan)" -gt 0 "tagged, by hand: novlan counts them"
look
finds tagged
grep ^tagged: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
look
finds_not tagged
ok "tagged, by hand: more requests pass" ns c1 load get -t 5 198.51.100.80
look
like "$(grep ^tagged: "$TMP/found")" "VLAN 100 .* --vlan 100\$" "tagged, by hand: it tells the VLAN"

ok "no request of the admin failed" held_stop admin
for pid in "${web_pids[@]}"; do # the box's own holds its namespace
	tap_kill $pid
done
net_done
