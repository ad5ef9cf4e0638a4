#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# modprobe -r takes MACKEEP's module and leaves the bridges: kmod/mackeep.conf.
#
# A flow may outlive the module, which no part of the kernel may ask about it then.
#
# Control: without that file the bridge's module goes as well, and all bridges with
# it. A bridge that is built in stays, as in the kernel of "make check-debug".

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools pump

conf=$(readlink -f "$(dirname "$0")/../../kmod/mackeep.conf")
BRIDGE=mk-unload
mkdir "$TMP/none"

bridge_there()
{
	ip link show $BRIDGE >/dev/null 2>&1
}

module_needed
defer ip link del $BRIDGE 2>/dev/null
must ip link add $BRIDGE type bridge
must bridge_unheld

ok "modprobe -r" modprobe -C "$conf" -r $MODULE
nok "the module is gone" module_loaded
ok "the bridge is there" bridge_there
ok "modprobe -r when it is gone" modprobe -C "$conf" -r $MODULE
must modprobe $MODULE
ok "modprobe -r by its other name" modprobe -C "$conf" -r mackeep
nok "the module is gone as well" module_loaded
ok "the bridge is there still" bridge_there

must modprobe $MODULE
must ip netns add mk-box
defer ip netns del mk-box
must ns box pump flows -f 100 $MAC_C1 $MAC_R 192.0.2.31 203.0.113.73 4000 443
is "$(ns box conntrack -L 2>/dev/null | grep -c helper=mackeep)" 100 "flows have a record"
ok "modprobe -r takes the module from them" modprobe -C "$conf" -r $MODULE
is "$(ns box conntrack -L 2>/dev/null | grep -c 'dport=')" 100 "they are listed without it"
ok "and forgotten" ns box conntrack -F

must modprobe $MODULE
apart=$(cat /sys/module/bridge/initstate 2>/dev/null) # of modules only
must modprobe -C "$TMP/none" -r $MODULE
if [ -n "$apart" ]; then
	nok "control: without that file the bridge is gone" bridge_there
else
	ok "control: a bridge that is built in stays without that file" bridge_there
fi

done_testing
