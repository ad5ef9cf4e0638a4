#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages are removed from a box at work: it proxies no more, but the bridge
# goes on.
#
# Control: before that a connection goes through the proxy.

. "$(dirname "$0")/../lib/net.sh" || exit 1

remove()
{
	DEBIAN_FRONTEND=noninteractive dpkg --remove mackeep-dkms mackeep
}

must spawn_ready serve ns l1 load serve
opens=$(box_opens Passive)
ok "a connection" ns c1 load get "$L1"
is "$(box_opens Passive)" $((opens + 1)) "goes through the proxy"

nok "the packages stay while a rule uses the module" eval 'said=$(remove 2>&1)'
like "$said" "the module is in use: remove the rules" "and it is said why"
ok "with the module" module_loaded
must iptables -t mangle -F OUTPUT
must bridge_unheld

ok "without one they go" remove
nok "with the module" module_loaded
is "$(systemctl is-active mackeep@br0)" inactive "the service is stopped"
ok "br0 is there" ip link show br0
ok "a connection after that" ns c1 load get "$L1"
is "$(box_opens Passive)" $((opens + 1)) "goes past the proxy"
done_testing
