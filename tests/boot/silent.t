#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box whose bridge NetworkManager or ifupdown makes, with what Debian's users
# have on it: a port that the installer or NetworkManager wants an address for,
# lldpd, Avahi, IPv6 on bridge and ports. It proxies, stops, starts, and is
# silent: tests/vm/boot counts what it sent from before it had ports to after its
# last program.
#
#  c1 192.0.2.31 -- eth0 -- [ port0 br0 port1 ] -- eth0 -- l1 192.0.2.80
#     ..:c1                                            ..:80, router
#
# Control: without the module all of them are heard.
#
# Seen by others: link-local addresses on the ports of bridges, as
# systemd/systemd pull request 3230, kernelkit/infix issue 327 and
# ifupdown-ng/ifupdown-ng pull request 210; solicitations and reports of a bridge
# that nobody gave an address, as KatharaFramework/NetworkPlugin issue 4; DHCP on
# every port that has no profile, as coreos/fedora-coreos-docs issue 126; a switch
# that learns the MAC of an inline box and blocks the port, as
# Orange-Cyberdefense/fenrir-ocd issue 11.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/box.sh" || exit 1

rounds_past() # COUNT
{
	[ "$(cat /run/wires/rounds)" -gt "$1" ]
}

# The router has asked for everything twice since
asked()
{
	ok "the router asks" busywait 60 rounds_past $(($(cat /run/wires/rounds) + 2))
}

runs lldpd avahi-daemon dhcp@port0 dhcp@br0
[ "$(systemctl is-active NetworkManager)" != active ] || join
wires_up
if grep -q module_blacklist /proc/cmdline; then
	ok "no module: a connection" ns c1 load get $L1
	asked
	done_testing
fi

runs mackeep@br0 haproxy
proxied "booted"
asked
ok "the service stops" systemctl stop mackeep@br0
captured ok "stopped: a connection" ns c1 load get $L1
asked
ok "and starts again" systemctl start mackeep@br0
proxied "started"
asked
done_testing
