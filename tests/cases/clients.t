#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 300,000 clients have a flow each through the box, and what it sends in their names
# is kept, all of it: the pair cache has room for them by itself, as conntrack has.
#
#  tap: 300,000 addresses, ..:c1 --- [ tap br0 port1 ] --- east --- rt ..:f1
#                                       nft counts on e0
#
# The addresses are of 10.0.0.0/8, as no range for documentation has as many.
#
# Control: without the module what is sent has the box's own MAC; with room for 65,536
# pairs, as was the default, not all can be sent.
#
# Seen by others: tables that are smaller than what they serve. projectcalico/felix
# issue 616, Linuxfabrik/firewallfabrik issue 164, NixOS/nixpkgs issue 12987.
#
# It runs on one kernel in turn.

TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools pump

CLIENTS=300000
FLOWS="-A -f $CLIENTS 10.0.0.1 $S1 4001 443"

# Frames that come by e0, by their MACs: kept, of the box, all
count_start()
{
	must ns east nft -f - <<-RULES
	table netdev count {
		chain in {
			type filter hook ingress device e0 priority 0
			ether type != ip return
			meta l4proto != udp return
			udp dport != 443 return
			ether saddr $MAC_C1 ether daddr $MAC_R counter comment "kept"
			ether saddr { $MAC_BR, $MAC_PORT1 } counter comment "own"
			counter comment "all"
		}
	}
	RULES
}

counted() # kept|own|all
{
	ns east nft list table netdev count |
		sed -n 's/.*counter packets \([0-9]*\).*comment "'"$1"'"/\1/p'
}

# What the box sends to the server in all these names, and how much of it was kept
sent() # CLIENTS
{
	count_start
	must ns box pump udp -n 1 -b $(($1 / 2)) ${FLOWS/-f $CLIENTS/-f $1} >/dev/null
	busywait 60 eval '[ "$(counted all)" = '$1' ]'
	kept=$(counted kept) own=$(counted own)
	must ns east nft delete table netdev count
}

must topo_up
must modprobe nf_conntrack
most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
defer sysctl -qw net.netfilter.nf_conntrack_max=$most
must topo_ip box <<-LINES
	tuntap add dev tap0 mode tap
	link set tap0 master br0 up
LINES

# --- control ---------------------------------------------------------------------------

today_up
must ip -n mk-box neigh replace 192.0.2.1 lladdr $MAC_R dev br0 nud permanent
sent 1000
is "$kept $own" "0 1000" "no module: all has the box's own MAC"
today_down

# --- as many as there are -----------------------------------------------------------------

kept_up
limit=/proc/sys/net/netfilter/mackeep_pair_max
room() { ns box cat $limit; }
must sysctl -qw net.netfilter.nf_conntrack_max=800000
is "$(room)" 800000 "there is room for as many pairs as conntrack has entries"
ok "a limit is set" ns box sh -c "echo 65536 >$limit"
is "$(room)" 65536 "it counts"
nok "1 is none" ns box sh -c "echo 1 >$limit"
ok "0 is" ns box sh -c "echo 0 >$limit"
is "$(room)" 800000 "as before"
ok "to write what is there changes nothing" ns box sh -c "echo 800000 >$limit"
must sysctl -qw net.netfilter.nf_conntrack_max=100000000
cmp_ok "$(room)" -lt 10000000 "memory is the other limit"
must sysctl -qw net.netfilter.nf_conntrack_max=700000
is "$(room)" 700000 "it goes on to follow"

ok "a frame of each client is lifted" \
	ns box pump tap -n 1 -b $((CLIENTS / 2)) ${FLOWS/ 10./ tap0 $MAC_C1 $MAC_R 10.}
is "$(mackeep_stat box lifted)" $CLIENTS "all of them"
is "$(mackeep_stat box pairs)" $((2 * CLIENTS)) "each has two pairs"
is "$(mackeep_stat box pair_full) $(mackeep_stat box pair_evicted)" "0 0" "there was room"
note "$((CLIENTS * 2)) pairs: $(awk '$1 == "mackeep_pair" { printf "%.1f bytes each", $15 * $6 * 4096 / $3 }' /proc/slabinfo)"
sent $CLIENTS
is "$kept $own" "$CLIENTS 0" "what is sent in their names is kept"
is "$(mackeep_stat box pair)" $CLIENTS "each by its pair"
unlike "$(ns box mackeep check --json 2>&1)" '"pairs"' "mackeep check has nothing to say of it"

# --- and with less room ---------------------------------------------------------------------

must ns box sh -c "echo 65536 >$limit"
must ns box mackeep flush >/dev/null
must ns box conntrack -F 2>/dev/null
must ns box pump tap -n 1 -b $((CLIENTS / 2)) ${FLOWS/ 10./ tap0 $MAC_C1 $MAC_R 10.} >/dev/null
must ns box conntrack -F 2>/dev/null
nok "65536: not all can be sent" ns box pump udp -n 1 -b $((CLIENTS / 2)) $FLOWS
like "$(ns box mackeep check 2>&1)" "pairs: the pair cache is full, 65536 of 65536" \
	"and mackeep check says why"
net_done
