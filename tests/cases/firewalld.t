#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# firewalld, with its defaults, drops what is lifted: mackeep check finds it, what it
# prints lets exactly that pass until firewalld reloads, and "mackeep up --firewall"
# puts it back. It runs on one kernel in turn.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#     ..:c1                     box ..:b0  mgmt0                  ..:80
#                                            |
#  c2 ---------------------- the admin, 198.51.100.1:22
#
# Controls: as in check-firewall.t.
#
# Seen by others: firewalld/firewalld issue 1203, IPv6_rpfilter drops packets with a
# mark for policy routing; issue 1437, a rule in firewalld's table is gone when it
# reloads; issue 863, so are tables of others.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/firewall.sh" || exit 1
need mackeep firewalld firewall-cmd dbus-daemon
tools udp

running()
{
	firewall-cmd --state 2>/dev/null | has running
}

firewall_up
mkdir -p /run/dbus
must dbus-daemon --system --nopidfile --fork --print-pid >"$TMP/dbus"
defer kill "$(cat "$TMP/dbus")"
spawn firewalld ns box firewalld --nofork --nopid
firewalld=$spawned
must busywait 300 running

# --- check ------------------------------------------------------------------------------

walled "firewalld" 4 6
ok "firewalld reloads" firewall-cmd --complete-reload
look
like "$(grep ^input-drop: "$TMP/found")" "firewalld forgets such a rule" \
	"firewalld: loaded again it drops again"

# --- up --------------------------------------------------------------------------------

like "$(ns box mackeep up $UP 2>&1)" "drops what is lifted off br0 .*; \"firewall\" lets it pass, or: nft insert rule inet firewalld" \
	"up says it"
each_family no_answer "up without --firewall"
must ns box nft list table inet firewalld >"$TMP/before"
ok "up --firewall" ns box mackeep up $UP --firewall
works "up --firewall"
shut "up --firewall"
clean "up --firewall"
ok "up --firewall: again, it changes nothing" ns box mackeep up $UP --firewall
is "$(ns box nft list table inet firewalld | grep -c 'comment "mackeep br0"')" 2 \
	"up --firewall: a rule for each chain that drops"
ok "firewalld reloads" firewall-cmd --complete-reload
ok "up --firewall: again, after firewalld has reloaded" ns box mackeep up $UP --firewall
works "up --firewall, again"
must ns box mackeep down br0
must ns box nft list table inet firewalld >"$TMP/after"
ok "down takes them away, and nothing else" diff "$TMP/before" "$TMP/after"
tap_kill $firewalld

firewall_done
net_done
