#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box after it has booted: systemd, the packages, networkd's bridge, HAProxy's
# own service, mackeep@br0. tests/vm/boot makes it; ./root and ./networkd are what
# was written into it.
#
#  c1 192.0.2.31 -- eth0 -- [ port0 br0 port1 ] -- eth0 -- l1 192.0.2.80
#     ..:c1                                            ..:80
#
# It ends under traffic, in which the guest is rebooted.
#
# Control: with the service stopped a connection does not go through the proxy.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/box.sh" || exit 1

more_than() # COUNT
{
	awk -v n="$1" '$2 > n { found = 1 } END { exit !found }' /run/traffic.out
}

ok "what is to run at boot runs" busywait 60 \
	states "active active active" mackeep@br0 haproxy netfilter-persistent
is "$(systemctl --failed --plain --no-legend | awk '{ print $1 }' | xargs)" "" "nothing failed"
ok "the module is loaded" module_loaded
like "$(iptables-save -t mangle)" "-A OUTPUT -p udp -m udp --dport 4444 -j MACKEEP --strict" \
	"saved rules are there"

must service serve l1 load serve
must busywait 20 listening l1 443
opens=$(box_opens Passive)
captured ok "the first connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 1)) "goes through the proxy"
kept "the first connection"
ok "mackeep check finds nothing wrong" mackeep check

ok "the service stops" systemctl stop mackeep@br0
captured ok "stopped: a connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 1)) "stopped: it goes past the proxy"
like "$(iptables-save -t mangle)" "--dport 4444 -j MACKEEP" "stopped: the saved rules stay"
is "$(iptables-save -t mangle | grep -c MACKEEP) $(nft list tables | grep -c mackeep)" "1 0" \
	"stopped: and nothing else"
ok "and starts again" systemctl start mackeep@br0
captured ok "started: a connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 2)) "started: through the proxy"
kept "started"

# What others take away is put back.
put_back()
{
	journalctl -q -o cat -u mackeep-repair@br0 | grep "put back what nft, process"
}

ok "the service has one that repairs" busywait 60 states active mackeep-repair@br0
must nft flush ruleset
ok "nft flush ruleset: it is told and put back" busywait 60 put_back ||
	diag "$(journalctl -q -o cat -u mackeep-repair@br0)"
ok "nft flush ruleset: nothing is missing" busywait 60 whole
must systemctl restart netfilter-persistent systemd-networkd
ok "networkd and the saved rules come anew: nothing is missing" busywait 60 whole
captured ok "repaired: a connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 3)) "repaired: through the proxy"
kept "repaired"

must ip link del br0
ok "the bridge goes, and so does the service" busywait 60 \
	states "inactive inactive" mackeep@br0 mackeep-repair@br0
is "$(iptables-save -t mangle | grep -c MACKEEP) $(nft list tables | grep -c mackeep)" "1 0" \
	"gone: and nothing is left of it"
must systemctl restart systemd-networkd
ok "the bridge comes back, and so does the service" busywait 60 \
	states "active active" mackeep@br0 mackeep-repair@br0
must busywait 60 bridging
captured ok "back: a connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 4)) "back: through the proxy"
kept "back"

must service traffic c1 load get -l -w 20 $L1
ok "there is traffic" busywait 20 more_than 5
done_testing
