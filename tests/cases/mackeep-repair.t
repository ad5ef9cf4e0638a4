#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep repair --stay: what other programs take away of a bridge that is up is put
# back at once, under traffic, with nft and with iptables-legacy: rules, routes,
# sysctls, the whole bridge. A port may get another name. What is taken away again and
# again is put back more slowly. It does not work against up, down and reload. It runs
# on one kernel in turn.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- l1 192.0.2.80
#     ..:c1                        box ..:b0,b1,b2               ..:80
#
# Control: with nobody there, what is gone stays away, and connections go past the
# proxy.
#
# Seen by others: docker/for-linux issue 1472 and chimera-linux/cports issue 2578
# (restarting nftables flushes the rules of all); systemd/systemd issue 19106 (networkd
# removes rules of routing with a fwmark when it restarts); kubernetes/kubernetes issue
# 129128 (rules are only missed when one certain table was flushed); moby/moby
# issue 39439 (Docker has FORWARD drop, and loads br_netfilter);
# harvester/harvester-installer pull request 884 (a sysctl is turned back).

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
. "$(dirname "$0")/../lib/repair.sh" || exit 1
need mackeep iptables-legacy ebtables-legacy

UP="-4 --bridge br0 --tcp 443 --to $PROXY_PORT"
repair()
{
	ns box mackeep repair br0
}

# Who did it while a look was under way is not known to that look: then once more.
told_who()
{
	said "put back what nft, process [0-9]+, took away: nft -f -: table bridge" && return
	if said "put back what somebody took away: nft -f -: table bridge" $flushed; then
		flushed=$((flushed + 1))
		box "nft flush ruleset"
	fi
	return 1
}

box_nft()
{
	ns box nft "$@"
}

new_one() # TITLE
{
	local before

	before=$(box_opens Passive)
	ok "$1: a new connection" ns c1 load get $L1
	is $(($(box_opens Passive) - before)) 1 "$1: goes through the proxy"
}

port_renamed() # FROM TO
{
	topo_ip box <<-LINES
	link set $1 down
	link set $1 name $2
	link set $2 up
	LINES
}

fight()
{
	while :; do
		box_nft delete table bridge mackeep_br0 2>/dev/null
		pause 0.1
	done
}

nok "br_netfilter is not loaded" test -e /sys/module/br_netfilter
must topo_up
topo_box_unrouted
web_up l1
must proxy_up
options=

# --- control ----------------------------------------------------------------------

module_needed
like "$(repair 2>&1)" "br0: it is not up" "not up: repair says so"
topo_sysctl box net.ipv6.conf.port0.disable_ipv6=0
ok "up" up $UP
new_one "up"
must box_nft flush ruleset
before=$(box_opens Passive)
ok "flushed: a new connection" ns c1 load get $L1
is $(($(box_opens Passive) - before)) 0 "flushed: goes past the proxy"
like "$(repair)" "^nft -f -: table ip mackeep_br0 "$'\n'"mackeep exempt load br0"$'\n'"nft -f -: table bridge mackeep_br0 $" \
	"repair puts back what is missing, and says what"
is "$(repair)" "" "repair again: nothing is missing"
new_one "repaired"
# --- under traffic ------------------------------------------------------------------

stay_start
must held_start live c1 -s 20000 -w 20 -t 60 $L1
wire_both
heals_rules
ok "flush ruleset: the connection goes on" held_grows live
flushed=1
ok "it is said who did it" busywait 120 told_who
heals_table
heals_routing
heals_device
ok "the connection goes on" held_grows live
ok "reload" ns box mackeep reload --force
ok "reload: the connection goes on" held_grows live
ok "nothing is missing" whole
ok "it was the same connection all the time" held_stop live ||
	diag "$(tail -n 3 "$TMP/held-live.out")"
heals_sysctl
must modprobe br_netfilter
ok "br_netfilter comes: bridged packets still pass no IP tables" busywait 120 box \
	"grep -q 0 /proc/sys/net/bridge/bridge-nf-call-iptables"
new_one "after all"
wire_stop
wire_clean "after all"

# --- ports and bridge -------------------------------------------------------------------

must port_renamed port0 lan0
new_one "a port's new name"
is "$(ns box mackeep silence 2>/dev/null | sed 's/ dropped.*//')" "br0 ports=2" \
	"a port's new name: it is guarded"
ok "its sysctl is noted by that name" busywait 120 \
	grep -q conf/lan0/disable_ipv6=0 /run/mackeep/br0*.json
must port_renamed lan0 port0
ok "and by the old one again" busywait 120 \
	grep -q conf/port0/disable_ipv6=0 /run/mackeep/br0*.json

must ns box ip link del br0
ok "the bridge goes" busywait 120 said "br0: there is no such device any more"
wire_both
must topo_ip box <<-LINES
	link add br0 address $MAC_BR type bridge
	link set port0 master br0
	link set port1 master br0
	link set br0 up
LINES
ok "the bridge comes back" busywait 120 said "br0: it is watched" 2
ok "and all that went with it" busywait 30 whole
proxy_quiet
new_one "a new bridge"
wire_stop
wire_clean "a new bridge"

# --- down, up -----------------------------------------------------------------------------

ok "down" down
ok "that is seen" busywait 120 said "br0: it is not up"
is "$(find /run/mackeep -name '*.json' | wc -l) $(box_nft list tables | grep -c mackeep)" "0 0" \
	"and nothing is put back"
ok "up with other options" up $UP --backend iptables
ok "that is seen" busywait 120 said "br0: it is watched" 3
ok "down" down
kill $stay_pid
ok "it ends" wait $stay_pid

# --- a quarrel ----------------------------------------------------------------------------

ok "up" up $UP
stay_start
spawn fight fight
ok "what is taken away again and again" busywait 200 said "takes away what is put back, again and again, such as: nft -f -: table bridge"
tap_kill $spawned
ok "is put back all the same" busywait 30 whole
cmp_ok "$(said_count "put back what .*table bridge")" -le 5 "and told a few times only"
kill $stay_pid
ok "it ends" wait $stay_pid
ok "and leaves all as it is" whole
ok "down" down

# --- iptables-legacy ------------------------------------------------------------------------

iptables_is_legacy
options="--backend iptables"
ok "up --backend iptables" up $UP $options
stay_start
heals_iptables
new_one "iptables"
ok "down" down
is "$(ns box iptables -t mangle -S | grep -c mackeep)" 0 "no rule is left"
kill $stay_pid
ok "it ends" wait $stay_pid

net_done
