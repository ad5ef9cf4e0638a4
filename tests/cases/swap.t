#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep reload swaps the kernel module under traffic: what the proxy has lives
# on with the same MACs, what begins meanwhile is served, and nothing on either
# wire has a MAC of the box.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy and udp; the module goes and comes
#
# Control: the same by hand breaks what the proxy has.
#
# Seen by others: an upgrade leaves the old module loaded, ntop/PF_RING issue 170;
# who connects while a proxy is loaded again is lost without rules that hold SYNs
# back, openshift/openshift-docs pull request 1987.
#
# Its time is long: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/swap.sh" || exit 1

swap_box

# --- control: by hand -------------------------------------------------------------------

must held_start hand c1 -c 2 -w 20 -t 3 $S1
must ns box mackeep down br0
must busywait 10 rmmod $MODULE
must modprobe $MODULE
must ns box mackeep up $UP
ok "by hand: what comes then works" held_grows hand
nok "by hand: what the proxy had is broken" held_stop hand
proxy_quiet

# --- up ---------------------------------------------------------------------

like "$(reload 2>&1)" "nothing to do" "the same module stays"
nothing_left "the same module"

spawn monitor ns box mackeep monitor --services
monitor=$spawned
must busywait 20 grep -q waiting "$TMP/monitor.err"
each_family flows_start
swapped "up" 6000 --force

# Who follows services goes on to. The reload told of a bypass as well.
bypasses()
{
	grep -c "^tcp to=$PROXY_PORT mark=0x4d4b ipv4=bypass\$" "$TMP/monitor.out"
}

told_more() # COUNT
{
	[ "$(bypasses)" -gt $1 ]
}

before=$(bypasses)
must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass on
ok "up: a monitor of services tells on" busywait 10 told_more $before
must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass off

# The installed one has another version.
ko=$(modinfo -n $MODULE)
must cp "$ko" "$TMP/ko"
must sed -i 's/\(srcversion=\)../\1ZZ/' "$ko"
defer cp "$TMP/ko" "$ko"
swapped "another version" 6001
like "$(cat /sys/module/$MODULE/srcversion)" "^ZZ" "another version: it is the new one"
like "$(reload 2>&1)" "nothing to do" "and now it is the same"
both_open()
{
	[ "$(ns box mackeep services 2>/dev/null | grep -c 'ipv4=open ipv6=open')" -eq 2 ]
}

ok "the services are open" busywait 30 both_open
ok "new connections are proxied" proxied 5
all_end "up"
tap_kill $monitor

# --- rules of iptables, no service -----------------------------------------------------------

must ns box mackeep down br0
topo_box_bare
topo_box_marks
for family in iptables-legacy ip6tables-nft; do
	must ns box $family-restore <<-RULES
		*mangle
		:DIVERT -
		-A DIVERT -j MARK --set-mark 1
		-A DIVERT -j ACCEPT
		-A PREROUTING -j MACKEEP
		-A PREROUTING -m socket --transparent -j DIVERT
		-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		-A PREROUTING -p udp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		COMMIT
	RULES
done
each_family flows_start
swapped "iptables" 6002 --force
all_end "iptables"
ok "iptables: new connections are proxied" proxied 5

ns box iptables-legacy -t mangle -F
ns box ip6tables-nft -t mangle -F
net_done
