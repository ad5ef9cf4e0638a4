#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Flows whose conntrack entry cannot have a record: alive before the module
# came, with a helper of their own, not tracked at all. The pair cache keeps
# them, packet by packet, and the counters say why.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=10

# The counters norecord, late, helper and untracked, as in "1 0 0 0": whether
# each went up since the last time
declare -A seen=([norecord]=0 [late]=0 [helper]=0 [untracked]=0)
counted()
{
	local name now line=

	for name in norecord late helper untracked; do
		now=$(mackeep_stat box $name)
		line+=" $((now > seen[$name]))"
		seen[$name]=$now
	done
	up=${line# }
}

# Both legs carry the MACs of client and server.
kept() # TITLE CLIENT MAC SERVER MAC MINIMUM
{
	wire_leg west $4 $2 $5 $3 $6 "$1: $4 to $2"
	wire_leg east $2 $4 $3 $5 $6 "$1: $2 to $4"
}

# Rules for conntrack, for the frames and for the proxy's own packets
raw() # RULE...
{
	must ns box iptables-restore <<-RULES
	*raw
	$(printf -- '-A PREROUTING %s\n' "$@")
	$(printf -- '-A OUTPUT %s\n' "$@")
	COMMIT
	RULES
}

requests() # TITLE SERVER
{
	wire_both
	ok "$1: TCP" ns c1 load get -o -n $N $2
	ok "$1: UDP" ns c2 udp talk -n $N $2
	proxy_quiet
	wire_stop
}

must topo_up
must servers_up
must proxy_up
echo_up srv
echo_up l1
udp_proxy_up

# --- control: a flow without the module -------------------------------------------

today_up
# A rule has to use conntrack, or the flow has no entry that could be late.
must ns box iptables -t mangle -I PREROUTING -m conntrack --ctstate INVALID
wire_both
must held_start old c1 -w 50 $S1
wire_stop
wire_leg west $S1 $C1 $MAC_BR $MAC_C1 5 "no module: the client sees the box's MAC"
wire_leg east $C1 $S1 $MAC_BR $MAC_R 5 "no module: the router sees the box's MAC"

module_needed

# --- alive before the module and the rule -----------------------------------------

# Marked first: no frame of the flow may be bridged past the proxy.
topo_box_marks
topo_box_rules -j MACKEEP
topo_box_broute_off
topo_box_unaddressed
must held_grows old
wire_both
ok "late: the flow goes on" held_grows old 6
wire_stop
kept "late" $C1 $MAC_C1 $S1 $MAC_R 5
wire_clean "late"
is "$(ns box conntrack -L -p tcp 2>/dev/null | grep -c helper=)" 0 \
	"late: it has no record"
ok "late: no request failed" held_stop old
proxy_quiet
counted
is "$up" "1 1 0 0" "late: counted in norecord and late"

# --- helpers of their own -----------------------------------------------------------

topo_box_remembers
raw "-p tcp --dport 443 -j CT --helper ftp" "-p udp --dport 443 -j CT --helper sip"
requests "helper" $S1
kept "helper, TCP" $C1 $MAC_C1 $S1 $MAC_R $((2 * N))
kept "helper, UDP" $C2 $MAC_C2 $S1 $MAC_R $N
wire_clean "helper"
listing=$(ns box conntrack -L 2>/dev/null)
is "$(grep -c helper=ftp <<<"$listing") $(grep -c helper=sip <<<"$listing")" \
	"$((2 * N)) 2" "helper: each flow has the one the rule gave it"
counted
is "$up" "1 0 1 0" "helper: counted in norecord and helper"

# --- not tracked ----------------------------------------------------------------------

raw "-p tcp -j CT --notrack" "-p udp -j CT --notrack"
ns box conntrack -F 2>/dev/null
# No tracked flow has had this server: these frames have to teach its MAC.
requests "untracked" $L1
kept "untracked, TCP" $C1 $MAC_C1 $L1 $MAC_L1 $((2 * N))
kept "untracked, UDP" $C2 $MAC_C2 $L1 $MAC_L1 $N
wire_clean "untracked"
is "$(ns box conntrack -L 2>/dev/null | grep -c dport=443)" 0 \
	"untracked: there is no entry"
counted
is "$up" "1 0 0 1" "untracked: counted in norecord and untracked"

net_done
