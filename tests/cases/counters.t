#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The counters in /proc/net/stat/mackeep agree with the frames on the wire.
#
#  c1 ..:c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv .73
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1

FLOWS=12

must topo_up
must servers_up
must proxy_up

nok "no module: no counters" test -e /proc/net/stat/mackeep
module_needed
ok "counters are there" test -e /proc/net/stat/mackeep

# The format: a line of names, a line per CPU with as many numbers
ok "a line of names and a line of numbers per CPU" ns box awk '
	NR == 1 { cols = NF; for (i = 1; i <= NF; i++) if ($i !~ /^[a-z_]+$/ || seen[$i]++) bad = 1 }
	NR > 1 { if (NF != cols) bad = 1; for (i = 1; i <= NF; i++) if ($i !~ /^[0-9]+$/) bad = 1 }
	END { exit bad || NR < 2 }' /proc/net/stat/mackeep

topo_box_marks
topo_box_rules -j MACKEEP
names=$(ns box head -n 1 /proc/net/stat/mackeep)
# What the box would say by itself is kept in from the start.
for name in $names; do
	[ $name = guarded ] || is "$(mackeep_stat box $name)" 0 "$name begins at 0"
done

wire_both
ok "$FLOWS connections" ns c1 load get -o -n $FLOWS -s 20000 $S1
proxy_quiet
wire_stop

declare -A stat
for name in $names; do
	stat[$name]=$(mackeep_stat box $name)
done

frames() # SIDE CONDITION
{
	wire_sum $1 "proto == \"tcp\" && $2"
}

is ${stat[saved]} $FLOWS "saved: a flow for each connection of the client"
is ${stat[pair]} $FLOWS "pair: each upstream connection has its MACs from there"
is ${stat[pairs]} 2 "pairs: one for client and server, one for the client"
is ${stat[lifted]} "$(frames west 'way == "to" && dport == 443')" \
	"lifted: the client's frames"
is ${stat[lifted_sock]} "$(frames east 'way == "to" && sport == 443')" \
	"lifted_sock: the server's frames"
is ${stat[reply]} "$(frames west 'way == "from"')" \
	"reply: the frames to the client"
is ${stat[orig]} "$(frames east 'way == "from"')" \
	"orig: the frames to the server"
cmp_ok ${stat[orig]} -ge $((4 * FLOWS)) "and there were some"
cmp_ok ${stat[slow]} -ge $((2 * FLOWS)) "slow: each flow's first packet"
cmp_ok ${stat[slow]} -lt $((stat[orig] + stat[reply])) "slow: and not all"
cmp_ok ${stat[straight]} -le $((stat[lifted] + stat[lifted_sock])) "straight: of those that are lifted"
# None while somebody holds RTNL, which is needed to ask for the ports' STP states.
cmp_ok ${stat[direct]} -le $((stat[orig] + stat[reply] - stat[slow])) "direct: of the others"
for name in $names; do
	case $name in
	saved | pair | pairs | lifted | lifted_sock | reply | orig | slow | direct | straight | guarded) ;;
	*) is ${stat[$name]} 0 "$name: none" ;;
	esac
done

# Each of the other counters in turn
topo_box_addressed

# A client that moves to another MAC
held_start flow c1 -w 50 $S1
must ip -n mk-c1 link set eth0 address 02:00:00:00:00:ce
ok "refreshed: the flow goes on from another MAC" held_grows flow
is "$(mackeep_stat box refreshed)" 1 "refreshed: counted once"
ok "refreshed: and did not break" held_stop flow
must ip -n mk-c1 link set eth0 address $MAC_C1
proxy_quiet

# A flow that was there before the rule
topo_box_rules_off
topo_box_broute
topo_box_rules
must ns box iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID
held_start flow c1 -w 50 $S1
topo_box_rules -j MACKEEP
topo_box_broute_off
ok "late: a flow from before the rule goes on" held_grows flow
cmp_ok "$(mackeep_stat box late)" -ge 1 "late: counted"
ok "late: and did not break" held_stop flow
proxy_quiet

# Not tracked
must ns box iptables -t raw -A PREROUTING -s $C2 -j NOTRACK
before=$(mackeep_stat box untracked)
ns c2 load get -t 2 $S1 >"$TMP/out" 2>&1
cmp_ok "$(mackeep_stat box untracked)" -gt "$before" "untracked: counted"
must ns box iptables -t raw -F
ns box ss -K -t >/dev/null
proxy_quiet

# A flow with another conntrack helper: ftp, by its name
must ns box iptables -t raw -A PREROUTING -s $C2 -p tcp --dport 443 -j CT --helper ftp
wire_both
ok "helper: a flow that conntrack's ftp helper has" ns c2 load get $S1
proxy_quiet
wire_stop
cmp_ok "$(mackeep_stat box helper)" -ge 1 "helper: counted"
wire_leg west $S1 $C2 $MAC_R $MAC_C2 4 "helper: kept from the pair cache"
must ns box iptables -t raw -F

net_done
