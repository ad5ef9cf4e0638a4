#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What other programs take away is put back within 2 s by mackeep repair --stay, with nft
# and with iptables-legacy, also where much happens at once. It runs under a fast clock,
# which counts an instruction as a ns: that is a slow machine with one processor, and
# what else this one does is not counted. As it would jump where the guest waits for a
# file, something always runs, for which the others do not wait. It runs on one kernel in
# turn.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#
# Control: with nobody there, what is gone is still gone after 2 s.
#
# Seen by others: see mackeep-repair.t; kubernetes/kubernetes issue 129128 (rules that
# were flushed came back after a full sync only, up to an hour later).
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
. "$(dirname "$0")/../lib/repair.sh" || exit 1
[ "${MACKEEP_CLOCK-}" = fast ] || skip_all "by another clock it depends on what else runs"
need mackeep iptables-legacy ebtables-legacy

UP="--bridge br0 --tcp 443 --udp 443 --to $PROXY_PORT"
LIMIT=2000

soon() # FUNCTION
{
	$1
	cmp_ok $healed -le $LIMIT "that was soon enough"
}

must topo_up
topo_box_unrouted
web_up l1
must proxy_up
options=
spawn idle chrt -i 0 sh -c "while :; do :; done"

module_needed
ok "up" up $UP
must box "nft flush ruleset"
pause 2
nok "control: nobody puts it back" box "nft list table bridge mackeep_br0"
ok "repair" ns box mackeep repair br0

stay_start
must held_start live c1 -s 20000 -w 200 -t 600 $L1
# Not more: five in a row are taken for a quarrel.
for what in rules table routing device; do
	soon heals_$what
done
ok "the connection goes on" held_grows live
ok "it was the same all the time" held_stop live || diag "$(tail -n 3 "$TMP/held-live.err")"
# Without its hooks the module leaves running connections alone as well.
soon heals_sysctl
ok "down" down
kill $stay_pid
ok "it ends" wait $stay_pid

iptables_is_legacy
options="--backend iptables"
ok "up --backend iptables" up $UP $options
stay_start
soon heals_iptables
ok "down" down
kill $stay_pid
ok "it ends" wait $stay_pid

net_done
