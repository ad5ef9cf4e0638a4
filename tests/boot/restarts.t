#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box with NetworkManager, Docker and a firewall of nftables, which are started
# and restarted while it proxies: each time all of mackeep@br0 is there again,
# a connection goes through the proxy with the right MACs, and what is not for the
# proxy crosses. tests/vm/boot makes it.
#
#  c1 192.0.2.31 -- eth0 -- [ port0 br0 port1 ] -- eth0 -- l1 192.0.2.80
#     ..:c1                                            ..:80
#
# Control: with nobody who repairs, a restart takes the rules away for good.
#
# Seen by others: "systemctl restart nftables" flushes the rules of all, as
# chimera-linux/cports issue 2578 and moby/moby issue 12294; Docker sets the policy
# of FORWARD to drop, as moby/moby issue 39439.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/box.sh" || exit 1

past() # TITLE
{
	captured ok "$1: a connection that is not for the proxy" ns c1 load get $L1 80
	wire_clean "$1"
}

restarts() # UNIT
{
	local began=${EPOCHREALTIME/./}

	ok "$1 is restarted" systemctl restart $1
	ok "$1: nothing is missing" busywait 60 whole ||
		diag "$(mackeep up --dry-run br0 2>&1; journalctl -q -o cat -u mackeep-repair@br0)"
	diag "$1: $(((${EPOCHREALTIME/./} - began) / 1000)) ms with its restart and a look"
	ok "$1: the bridge forwards" busywait 60 bridging
	proxied "$1"
	past "$1"
}

runs lldpd avahi-daemon dhcp@port0 dhcp@br0
join
wires_up
must service serve80 l1 load serve 80
must busywait 20 listening l1 80
runs mackeep@br0 mackeep-repair@br0 haproxy
proxied "booted"

# Docker loads br_netfilter, with which its FORWARD drops what passes the bridge.
bridge_nf_off()
{
	[ "$(sysctl -n net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables | xargs)" = "0 0" ]
}

ok "docker starts" systemctl start docker || diag "$(journalctl -q -o cat -u docker | tail -n 20)"
like "$(iptables -S FORWARD)" "-P FORWARD DROP" "docker: FORWARD drops"
ok "docker: not what is bridged" busywait 60 bridge_nf_off
proxied "with docker"
past "with docker"
ok "check finds nothing wrong with docker" mackeep check || diag "$(mackeep check 2>&1)"
for unit in NetworkManager docker nftables; do
	restarts $unit
done

ok "nobody repairs" systemctl stop mackeep-repair@br0
must systemctl restart nftables
opens=$(box_opens Passive)
captured ok "control: a connection" ns c1 load get $L1
is "$(box_opens Passive)" $opens "control: past the proxy"
nok "control: something is missing" whole
ok "somebody does again" systemctl start mackeep-repair@br0
ok "what was missing is there" busywait 60 whole
proxied "repaired"
done_testing
