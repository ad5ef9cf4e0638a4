#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Without iptables: nftables marks, redirects and gives flows the helper, and
# the sysctl mackeep_hooks brings the rest.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1                        box ..:b0,b1,b2               ..:f1  203.0.113.73
#
# Control: the same rules without the sysctl. Nothing is lifted then, and the
# proxy sees no connection.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

opens()
{
	box_opens Passive
}

must topo_up
must servers_up
echo_up srv
must proxy_up
udp_proxy_up
module_needed

must ns box nft -f - < <(topo_nft_rules)

# --- control ------------------------------------------------------------------

is "$(ns box cat /proc/sys/net/netfilter/mackeep_hooks)" 0 "the hooks are off at first"
before=$(opens)
ok "off: a request passes the bridge" ns c1 load get $S1
is "$(opens)" "$before" "off: and the proxy does not see it"
nok "neither yes nor no is refused" \
	ns box sh -c "echo 2 >/proc/sys/net/netfilter/mackeep_hooks"

# --- on -----------------------------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_hooks=1
must ns box sysctl -qw net.netfilter.mackeep_hooks=1
kept() # TITLE
{
	wire_both
	ok "$1: requests are answered" ns c1 load get -c 4 -n 20 $S1
	ok "$1: datagrams are answered" ns c1 udp talk -n 5 $S1
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 29 "$1: to the client from the router's MAC"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 29 "$1: to the router from the client's MAC"
	wire_clean "$1"
}
each_family kept "on"
is "$(($(opens) - before))" 8 "every connection went through the proxy"
is "$(mackeep_stat box saved)" 10 "saved: once for each flow of the client"
is "$(mackeep_stat box pair)" 10 "adopted: as many by pair"
like "$(ns box conntrack -L 2>/dev/null)" "helper=mackeep" "conntrack shows them"
is "$(ns box iptables-save -t mangle 2>/dev/null | grep -c MACKEEP)" 0 \
	"and there is no rule of iptables"

# --- loaded again and again, under flows that live on and new ones ----------------

topo_nft_rules >"$TMP/ruleset"
opened=$(opens)
wire_both
for family in 4 6; do
	topo_family $family
	must held_start old$family c1 -c 2 -w 20 $S1
	must held_start new$family c2 -o -w 20 $S1
done
topo_family 4
ok "100 reloads" ns box bash -c 'for ((i = 0; i < 100; i++)); do nft -f $1 || exit; done' sh "$TMP/ruleset"
for name in old4 old6 new4 new6; do
	ok "reloads: $name goes on" held_grows $name
	ok "reloads: no request of $name failed" held_stop $name
done
proxy_quiet
wire_stop
for family in 4 6; do
	topo_family $family
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 50 "reloads, IPv$family: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 50 "reloads, IPv$family: to the server"
	wire_leg west $S1 $C2 $MAC_R $MAC_C2 50 "reloads, IPv$family: to the one with new connections"
	wire_leg east $C2 $S1 $MAC_C2 $MAC_R 50 "reloads, IPv$family: from that to the server"
done
topo_family 4
cmp_ok $(($(opens) - opened)) -ge $((4 + $(held_count new4 "done") + $(held_count new6 "done"))) \
	"reloads: every connection went through the proxy"

# --- off again, with flows alive ------------------------------------------------

must ns box sysctl -qw net.netfilter.mackeep_hooks=0
is "$(mackeep_stat box pairs)" 0 "off: the pair cache is empty"
before=$(opens)
ok "off again: a request passes the bridge" ns c1 load get $S1
is "$(opens)" "$before" "off again: and the proxy does not see it"

# The sysctl holds no reference: the module goes, and takes the hooks along.
must ns box sysctl -qw net.netfilter.mackeep_hooks=1
ok "on once more" ns c1 load get $S1
proxy_down
must ns box nft delete table ip mackeep
must ns box nft delete table ip6 mackeep
module_gone
records_gone "module gone"
topo_down
done_testing
