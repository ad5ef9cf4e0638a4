#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Without iptables: the default policy gives the flows of nft each option that a
# rule has, also when it changes under live flows.
#
#  c1 ..:c1 --+                                             +-- l1 ..:80
#             +-- west -- w0 [ port0 br0 port1 ] e0 -- east --+
#  c2 ..:c2 --+                  box                        +-- rt ..:f1
#                                vpn0 198.51.100.1 -------------- .2 l2, for --last-hop
#
# Control: the same without the policy, before each option.
#
# Seen by others: the same mark and mask mean something else with nft than with
# iptables, firewalld/firewalld issue 1564; a mark of 0 was taken for no mark at all,
# cilium/pwru pull request 705; a setting of one namespace was that of all,
# aabc/ipt-netflow issue 75.
#
# It runs on one kernel in turn.

V6=1
TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep
tools udp

NEW=02:00:00:00:00:ce
NONE="keep=both refresh=last next-hop=learned last-hop=no strict=no orig-mark=any reply-mark=any"

policy() # OPTION...
{
	must ns box mackeep policy set "$@"
}

none()
{
	must ns box mackeep policy reset
}

# Datagrams of c1 or another to l1, and the MACs that they leave the box with
talk() # TITLE SOURCE-TO-CLIENT SOURCE-TO-SERVER [CLIENT MAC-OF-CLIENT]
{
	local client=${4:-c1} mac=${5:-$MAC_C1} addr=$C1

	[ "$client" = c1 ] || addr=$C2
	wire_both
	ok "$1: datagrams are answered" ns $client udp talk -n 5 $L1
	wire_stop
	wire_leg west $L1 $addr $2 $mac 5 "$1: to the client"
	wire_leg east $addr $L1 $3 $MAC_L1 5 "$1: to the server"
}

# Marks for what the proxy sends
marks() # ORIGINAL REPLY
{
	must ns box nft -f - <<-RULES
	table inet marks
	delete table inet marks
	table inet marks {
		chain marked {
			type filter hook output priority mangle; policy accept;
			ct direction original meta mark set $1
			ct direction reply meta mark set $2
		}
	}
	RULES
}

# Nobody has to ask for l1.
known() # CLIENT
{
	must topo_ip $1 <<-LINES
	neigh replace 192.0.2.80 lladdr $MAC_L1 dev eth0 nud permanent
	neigh replace 2001:db8:1::80 lladdr $MAC_L1 dev eth0 nud permanent
	LINES
}

# What the stack of the box sends itself
neighbours() # MAC-OF-L1
{
	must topo_ip box <<-LINES
	neigh replace 192.0.2.80 lladdr $1 dev br0 nud permanent
	neigh replace 2001:db8:1::80 lladdr $1 dev br0 nud permanent
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev br0 nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev br0 nud permanent
	neigh replace 192.0.2.32 lladdr $MAC_C2 dev br0 nud permanent
	neigh replace 2001:db8:1::32 lladdr $MAC_C2 dev br0 nud permanent
	LINES
}

# From an address that no frame came from. The sender is told when it is dropped.
ghost()
{
	GHOST=192.0.2.99
	[ $family = 4 ] || GHOST=2001:db8:1::99
	ns box udp send $GHOST $L1 9 2>/dev/null
}

must topo_up
echo_up l1
module_needed
must ns box nft -f - < <(topo_nft_rules)
udp_proxy_up
must ns box sysctl -qw net.netfilter.mackeep_neigh=0
neighbours $MAC_L1
known c1
known c2
must topo_ip l1 <<-LINES
	neigh replace 192.0.2.31 lladdr $MAC_C1 dev eth0 nud permanent
	neigh replace 2001:db8:1::31 lladdr $MAC_C1 dev eth0 nud permanent
	neigh replace 192.0.2.32 lladdr $MAC_C2 dev eth0 nud permanent
	neigh replace 2001:db8:1::32 lladdr $MAC_C2 dev eth0 nud permanent
LINES

# --- one namespace ------------------------------------------------------------------

policy --strict
like "$(ns box mackeep policy 2>&1)" "strict=yes.*mackeep_hooks is 0: no flow is under this policy" \
	"mackeep_hooks is 0: the policy says that it has no effect"
is "$(ns l1 mackeep policy 2>&1)" "$NONE" "another namespace has its own"
none
must ns box sysctl -qw net.netfilter.mackeep_hooks=1
is "$(ns box mackeep policy 2>&1)" "$NONE" "at first it has no options"

# --- strict -------------------------------------------------------------------------

free() # TITLE
{
	wire_start east east e0
	ghost
	ok "$1: from an address that nobody has, it leaves" \
		busywait 10 wire_has east "saddr == \"$GHOST\""
	wire_stop
	wire_leg east $GHOST $L1 $MAC_BR $MAC_L1 1 "$1: as the stack sends it"
}

strict_past()
{
	[ "$(mackeep_stat box strict)" -gt $1 ]
}

strict() # TITLE
{
	local before

	before=$(mackeep_stat box strict)
	wire_both
	ghost
	ok "$1: it is dropped" busywait 10 strict_past $before
	ok "$1: what is known is sent" ns c1 udp talk -n 5 $L1
	wire_stop
	is "$(wire_sum east "saddr == \"$GHOST\"")" 0 "$1: and seen by nobody"
	wire_clean "$1" 'proto == "udp"'
}

each_family free "not strict"
must ns box sysctl -qw net.netfilter.mackeep_neigh=1
is "$(ns box mackeep check 2>/dev/null | sed -n 's/^own-mac: .*; mend: //p')" "mackeep policy set --strict" \
	"check says how nothing of it would leave"
must ns box sysctl -qw net.netfilter.mackeep_neigh=0
policy --strict
each_family strict "strict"
none
each_family free "not strict any more"

# --- keep ---------------------------------------------------------------------------

each_family talk "keep both" $MAC_L1 $MAC_C1
policy --keep dst
each_family talk "keep dst" $MAC_BR $MAC_BR
policy --keep src
each_family talk "keep src" $MAC_L1 $MAC_C1

# The next hop gets another MAC than the client used: the wire shows which is taken.
routed() # TITLE
{
	wire_start east east e0
	ns c1 udp talk -n 1 -t 1 $L1 >"$TMP/talk"
	wire_stop
	is "$(cat "$TMP/talk")" "done 0 failed 1" "$1: nobody is there"
	wire_leg east $C1 $L1 $MAC_C1 $NEW 1 "$1: to the server as the route has it"
}

neighbours $NEW
each_family routed "keep src"
neighbours $MAC_L1

# --- refresh ------------------------------------------------------------------------

client_is() # MAC
{
	must topo_ip c1 <<<"link set eth0 address $1"
	known c1
}

# A flow that waits, until its server speaks
waits() # TITLE
{
	spawn live$family ns c1 udp talk -n 2 -w 1 -t 60 $L1
	live[family]=$spawned
	must busywait 20 grep -q waiting "$TMP/live$family.out"
}

goes_on() # TITLE
{
	ok "$1: a flow that waited goes on" wait ${live[family]}
}

# The flows' server speaks, the clients ask once more.
live() # TITLE SOURCE-TO-CLIENT SOURCE-TO-SERVER
{
	wire_both
	kill -USR1 "${echo_pids[@]}"
	each_family goes_on "$1"
	wire_stop
	for family in 4 6; do
		topo_family $family
		wire_leg west $L1 $C1 $2 $MAC_C1 2 "$1, IPv$family: to the client"
		wire_leg east $C1 $L1 $3 $MAC_L1 1 "$1, IPv$family: to the server"
	done
	topo_family 4
}

# One flow, with the client's port
flow() # TITLE MAC-OF-CLIENT
{
	wire_both
	ns c1 udp talk -b 5000 -n 2 -t 1 $L1 >/dev/null 2>&1
	wire_stop
	wire_leg west $L1 $C1 $MAC_L1 $2 1 "$1: to the client"
	wire_leg east $C1 $L1 $2 $MAC_L1 1 "$1: to the server"
}

none
each_family flow "refresh last" $MAC_C1
policy --refresh first
client_is $NEW
each_family flow "refresh first: the client's first MAC stays" $MAC_C1
none
each_family flow "refresh last: the client's new MAC" $NEW
client_is $MAC_C1
each_family flow "refresh last: the old one again" $MAC_C1

# --- marks --------------------------------------------------------------------------

marks 0x110 0x20
policy --orig-mark 0x10/0xf0 --reply-mark 0x20/0xf0
each_family talk "both marks match" $MAC_L1 $MAC_C1
marks 0x30 0x20
each_family talk "only the reply's matches" $MAC_L1 $MAC_BR
marks 0x10 0
each_family talk "only the original's matches" $MAC_BR $MAC_C1
policy --orig-mark 0
each_family talk "mark 0 is one: others do not match" $MAC_L1 $MAC_BR
marks 0 0
each_family talk "mark 0 matches" $MAC_L1 $MAC_C1
must ns box nft delete table inet marks
none

# --- under live flows ---------------------------------------------------------------

live=()
each_family waits
policy --keep dst
live "live, keep dst" $MAC_BR $MAC_BR
each_family waits
none
live "live, keep both" $MAC_L1 $MAC_C1
each_family waits
must ns box sysctl -qw net.netfilter.mackeep_hooks=0
policy --keep dst
must ns box sysctl -qw net.netfilter.mackeep_hooks=1
live "mackeep_hooks off and on" $MAC_BR $MAC_BR

is "$(ns box sh -c 'for f in ip ip6; do for b in legacy nft; do ${f}tables-$b-save; done; done' 2>/dev/null |
	grep -c '^-A')" 0 "all of that without a rule of iptables"

# --- beside rules of iptables -------------------------------------------------------

# c1's flows have a rule, which has no options; c2's have none.
rule() # -A|-D
{
	must ns box iptables -t mangle $1 PREROUTING -s 192.0.2.31 -j MACKEEP
	must ns box ip6tables -t mangle $1 PREROUTING -s 2001:db8:1::31 -j MACKEEP
}

rule -A
before=$(mackeep_stat box refreshed)
each_family talk "a rule" $MAC_L1 $MAC_C1
is "$(mackeep_stat box refreshed)" "$before" "rule and default do not take turns in a record"
each_family talk "no rule" $MAC_BR $MAC_BR c2 $MAC_C2
rule -D
each_family talk "the rule is gone" $MAC_BR $MAC_BR
none

# --- last hop -----------------------------------------------------------------------

udp_proxy_down
must ns box nft -f - < <(topo_nft_rules)
for table in ip ip6; do
	must ns box nft flush chain $table mackeep proxy
done
must ip link add vpn0 netns mk-box type veth peer name vpn0 netns mk-l2
must topo_ip l2 <<-LINES
	link set eth0 down
	addr add 198.51.100.2/24 dev vpn0
	addr add 2001:db8:3::2/64 dev vpn0 nodad
	addr add 203.0.113.74/32 dev lo
	addr add 2001:db8:2::74/128 dev lo nodad
	link set vpn0 up
	route replace default via 198.51.100.1 dev vpn0 src 203.0.113.74
	route replace ::/0 via 2001:db8:3::1 dev vpn0 src 2001:db8:2::74
LINES
must topo_ip box <<-LINES
	addr add 198.51.100.1/24 dev vpn0
	addr add 2001:db8:3::1/64 dev vpn0 nodad
	link set vpn0 up
	route del default dev br0
	route del ::/0 dev br0
	route add 203.0.113.74/32 via 198.51.100.2
	route add 2001:db8:2::74/128 via 2001:db8:3::2
	neigh flush dev br0 nud permanent
LINES
topo_sysctl box net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
echo_up l2
web_up l2

lost() # TITLE
{
	is "$(ns c1 udp talk -n 1 -t 1 $S2)" "done 0 failed 1" "$1: no route back, no answer"
}

back() # TITLE
{
	wire_start west west w0
	ok "$1: datagrams are answered" ns c1 udp talk -n 5 $S2
	ok "$1: and requests" ns c1 load get $S2
	wire_stop
	wire_leg west $S2 $C1 $MAC_R $MAC_C1 8 "$1: from the router to the client"
}

each_family lost "not asked for"
policy --last-hop
each_family back "last hop"

# --- the module is swapped ----------------------------------------------------------

ok "reload" ns box mackeep reload --force
is "$(ns box mackeep policy 2>&1)" "${NONE/last-hop=no/last-hop=yes}" "reload: the policy is back"
each_family back "reload"
none
each_family lost "no policy any more"

# The namespace goes with its policy, and so does the module.
policy --last-hop --strict --orig-mark 1
must ns box nft flush ruleset
net_done
