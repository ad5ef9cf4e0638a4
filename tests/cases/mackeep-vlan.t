#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up --vlan for a trunk: a list of VLANs, ranges and untagged frames, or all
# of them; vlan_filtering off and on. What is not in the list passes by, and mackeep
# check says so. down leaves nothing.
#
#  c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1
#
#  untagged 192.0.2.31, .80; VLAN N: 10.0.N.31, .80, of c1 and l1
#
# Control: before "up" requests pass the bridge, and the proxy does not see them.
# It is about the tool: it runs on one kernel in turn.
#
# Seen by others: opnsense/docs issue 776, tagged frames do not pass a transparent
# bridge that has no VLAN devices.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
. "$(dirname "$0")/../lib/repair.sh" || exit 1
need bridge mackeep
tools frame
VIDS="10 21 40"

host() # NS NUMBER PEER-NS
{
	local vid

	for vid in $VIDS; do
		must topo_ip $1 <<-LINES
		link add link eth0 name eth0.$vid type vlan id $vid
		addr add 10.0.$vid.$2/24 dev eth0.$vid
		link set eth0.$vid up
		LINES
	done
}

counted_twin() # COUNT
{
	[ "$(mackeep_stat box twin)" = $1 ]
}

# How many of one request in each VLAN, and one without tag, went through the proxy:
# "10 21 40 untagged", those that did.
through() # TITLE
{
	local before vid got=""

	wire_both
	for vid in $VIDS; do
		before=$(box_opens Passive)
		ok "$1: a request in VLAN $vid" ns c1 load get -t 5 10.0.$vid.80
		[ "$(box_opens Passive)" = "$before" ] || got+="$vid "
	done
	before=$(box_opens Passive)
	ok "$1: a request without tag" ns c1 load get -t 5 $L1
	[ "$(box_opens Passive)" = "$before" ] || got+="untagged "
	proxy_quiet
	wire_stop
	wire_clean "$1"
	is "$(wire_sum east 'way == "from" && saddr ~ /^10[.]0/ && saddr != "10.0." vlan ".31"') $(wire_sum west 'way == "from" && saddr ~ /^10[.]0/ && saddr != "10.0." vlan ".80"')" \
		"0 0" "$1: each in its VLAN"
	proxied=${got% }
}

must topo_up
host c1 31
host l1 80
topo_box_unrouted
must servers_up
must proxy_up
module_needed
rm -rf /run/mackeep
through "no up"
is "$proxied" "" "no up: none goes through the proxy"

# --- what cannot be -------------------------------------------------------------------

refused() # MESSAGE OPTION...
{
	local message=$1 out

	shift
	out=$(up $UP "$@" 2>&1)
	is $? 2 "refused: $*"
	like "$out" "$message" "and it says why"
}
for bad in all,10 0-5 10-4095 20-10 ten untagged-10 ""; do
	refused "vlan" --vlan "$bad"
done
refused "leave --backend iptables out" --vlan all --backend iptables
refused "given twice" --vlan 10 --vlan 20-29

# --- a list -----------------------------------------------------------------------------

snapshot >"$TMP/bare"
ok "up --vlan 10,20-29" up $UP --vlan 10,20-29
through "a list"
is "$proxied" "10 21" "a list: those in it, and no others"
is "$(up $UP --vlan 10,20-29 --dry-run)" "" "a list: nothing is left to do"
found=$(ns box mackeep check 2>&1)
like "$found" "tagged: .*VLAN 40 .*--vlan 10,20-29,40" "check names the VLAN that passes by, and what takes it"
unlike "$found" "VLAN (10|21) " "and no other"
like "$(ns box mackeep list 2>/dev/null)" "dev=br0 vlan=21 tag=802.1Q via=" "list shows tags"

# One address in two VLANs, where nothing may go past the proxy
ok "up --fail closed" up $UP --vlan 10,20-29 --fail closed
ok "a client of VLAN 10" ns c1 load get -t 5 10.0.10.80
twin=$(ns c1 frame make syn $MAC_C1 $MAC_L1 10.0.10.31 10.0.10.80 5000 443)
wire_both
ns c1 frame send -i eth0 <<<"${twin:0:24}81000015${twin:24}"
ok "its twin in VLAN 21 is counted" busywait 10 counted_twin 1
wire_stop
is "$(wire_sum east 'vlan == "21" && saddr == "10.0.10.31"')" 0 "and dropped"
ok "the other is served" ns c1 load get -t 5 10.0.10.80
proxy_quiet

ok "up again, with untagged frames" up $UP --vlan 10,20-29,untagged
through "untagged"
is "$proxied" "10 21 untagged" "untagged: these as well"
ok "down" down
is_as bare "down: everything is as before"

# --- all, with filtering --------------------------------------------------------------------

must topo_ip box <<<"link set br0 type bridge vlan_filtering 1"
must bridge -n $TOPO-box -batch - <<-LINES
$(for port in port0 port1; do
	for vid in $VIDS; do
		echo "vlan add dev $port vid $vid"
	done
done)
vlan add dev br0 vid 10 self
LINES
snapshot >"$TMP/bare"
self=$(ns box bridge vlan show dev br0)
ok "up --vlan all" up $UP --vlan all
through "all, filtering"
is "$proxied" "10 21 40 untagged" "all: really all"
is "$(up $UP --vlan all --dry-run)" "" "all: nothing is left to do"
unlike "$(ns box mackeep check 2>&1 | grep -vE "^(listener|twin):")" "^[a-z0-9_-]*: " "all: check finds nothing else"

ok "a connection that goes on" held_start one c1 -w 20 -t 60 10.0.21.80
wire_both
ok "reload" ns box mackeep reload --force
ok "reload: it still does" held_grows one
wire_stop
ok "reload: nothing failed" held_stop one
wire_clean "reload"
is "$(wire_sum east 'way == "from" && saddr == "10.0.21.31" && vlan != "21"')" 0 "reload: in its VLAN"
proxy_quiet

# A VLAN that comes later
in_vlan() # VID
{
	ns box bridge vlan show dev br0 | has -w $1
}

stay_start
must bridge -n $TOPO-box -batch - <<-LINES
	vlan add dev port0 vid 50
	vlan add dev port1 vid 50
LINES
ok "ports in a new VLAN: the bridge is put into it as well" busywait 60 in_vlan 50
kill $stay_pid
ok "it ends" wait $stay_pid
VIDS=50
host c1 31
host l1 80
through "a new VLAN"
is "$proxied" "50 untagged" "and it is lifted"
ok "down" down
is_as bare "down: everything is as before"
is "$(ns box bridge vlan show dev br0)" "$self" "and the bridge in the VLANs that it was in"

net_done
