#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Both packages are upgraded on a box at work: DKMS builds the module, and it is
# swapped under traffic, as /etc/default/mackeep asks for. What the proxy has goes
# on, and nothing of the box is on either wire.
#
#  c1 192.0.2.31 -- eth0 -- [ port0 br0 port1 ] -- eth0 -- l1 192.0.2.80
#     ..:c1                                            ..:80
#
# Control: swap-package.t, where the loaded module stays without RELOAD=yes.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/box.sh" || exit 1

upgrade()
{
	DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confold \
		install /usr/local/share/mackeep/*.deb
}

loaded()
{
	cat /sys/module/$MODULE/srcversion
}

installed()
{
	dpkg-query -W -f '${Version} ' mackeep mackeep-dkms
}

count() # done|failed
{
	awk -v what="$1" '{ n = what == "done" ? $2 : $4 } END { print n + 0 }' /run/held.out
}

past() # COUNT
{
	[ "$(count "done")" -gt "$1" ]
}

must busywait 60 states "active active" mackeep@br0 haproxy
must service serve l1 load serve
must busywait 20 listening l1 443
must service held c1 load get -l -c 4 -s 20000 -w 20 -t 300 $L1
must busywait 20 past 10
cmp_ok "$(box_opens Passive)" -ge 4 "connections go through the proxy"

first=$(loaded)
echo RELOAD=yes >/etc/default/mackeep
wire_start west c1 eth0
wire_start east l1 eth0
before=$(count "done")
ok "an upgrade with RELOAD=yes" upgrade
isnt "$(loaded)" "$first" "another module is loaded"
is "$(loaded)" "$(modinfo -F srcversion $MODULE)" "the installed one"
is "$(installed)" "0.10.99 0.10.99 " "of the new version"
is "$(systemctl is-active mackeep@br0)" active "the service is active"
ok "what the proxy has goes on" busywait 60 past $((before + 20))
is "$(count failed)" 0 "and has failed nothing"
opens=$(box_opens Passive)
ok "a new connection" ns c1 load get $L1
is "$(box_opens Passive)" $((opens + 1)) "goes through the proxy"
wire_stop
kept "upgraded"
ok "mackeep check finds nothing wrong" mackeep check
must systemctl stop held
done_testing
