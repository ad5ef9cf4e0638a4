#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --orig-mark and --reply-mark: a direction whose packets do not have the mark
# leaves as the plain stack would send it.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                     192.0.2.5 ..:b0
#
# The client leg leaves the box in the REPLY direction of its entry, the
# upstream leg in the ORIGINAL direction. The box has an address, routes and
# ARP, so that the plain stack can send.
#
# It runs on one kernel in turn.

TALK=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

N=5

# Marks for what the proxy sends
marks() # ORIGINAL REPLY
{
	must ns box iptables-restore -n <<-RULES
	*mangle
	-F OUTPUT
	-A OUTPUT -m conntrack --ctdir ORIGINAL -j MARK --set-mark $1
	-A OUTPUT -m conntrack --ctdir REPLY -j MARK --set-mark $2
	COMMIT
	RULES
}

# Each leg as "kept" or "plain"
round() # TITLE UPSTREAM CLIENT
{
	local up=$MAC_BR down=$MAC_BR

	[ $2 = plain ] || up=$MAC_C1
	[ $3 = plain ] || down=$MAC_R
	wire_both
	ok "$1: requests" ns c1 load get -o -n $N $S1
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	wire_leg east $C1 $S1 $up $MAC_R $((N * 3)) "$1: upstream leg $2"
	wire_leg west $S1 $C1 $down $MAC_C1 $((N * 3)) "$1: client leg $3"
}

must topo_up
must servers_up
must proxy_up

today_up
marks 0x10 0x20
round "no module" plain plain
topo_box_broute_off

module_needed
topo_box_marks

topo_box_rules -j MACKEEP --orig-mark 0x10/0xf0 --reply-mark 0x20/0xf0
marks 0x110 0x20
round "both marks match" kept kept
before=$(mackeep_stat box mark)
marks 0x30 0x20
round "only the reply's matches" plain kept
cmp_ok "$(mackeep_stat box mark)" -ge $((before + N * 3)) \
	"packets left alone for their mark are counted"
marks 0x10 0
round "only the original's matches" kept plain
marks 0 0
round "none matches" plain plain

topo_box_rules -j MACKEEP --orig-mark 0x10
marks 0x10 0x20
round "only --orig-mark, matches" kept kept
marks 0x11 0x20
round "only --orig-mark, other" plain kept

topo_box_rules -j MACKEEP --reply-mark 0x20
marks 0x10 0x21
round "only --reply-mark, other" kept plain

topo_box_rules -j MACKEEP
marks 0x10 0x20
round "no mark asked for" kept kept

# A flow keeps the marks of the rule that it began under, as long as both are there.
topo_box_rules -j MACKEEP --orig-mark 0x10/0xf0
marks 0x10 0
held_start flow c1 -w 50 $S1
marks 0 0
held_grows flow # packets of before have left
wire_both
ok "a flow goes on" held_grows flow 11
ok "and ends well" held_stop flow
proxy_quiet
wire_stop
wire_leg east $C1 $S1 $MAC_BR $MAC_R 10 "its marks changed: upstream leg plain"
wire_leg west $S1 $C1 $MAC_R $MAC_C1 10 "its marks changed: client leg kept"

net_done
