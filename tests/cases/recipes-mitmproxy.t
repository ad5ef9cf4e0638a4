#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep-recipes(7): mitmproxy, whose leg to the server is its own, from the page's own
# text.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            mgmt0 198.51.100.5 -----------
#
# Control: before, the client sees the server's own certificate. Python takes a minute
# to begin here: it runs on one kernel in turn.
#
# Seen by others: the source address is the proxy's, mitmproxy/mitmproxy issues 436 and
# 6481.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need curl openssl mitmdump

must topo_up
topo_box_unrouted
mgmt_up
must tls_server_up
module_needed
mgmt_default

before() # TITLE
{
	answered "$1" 0 by_origin www.example
}

there()
{
	[ -n "$(ns box ss -tlnH 'sport = :8080')" ]
}

each_family before "not yet"
recipe mitmproxy
ok "mitmproxy: it listens" busywait 240 there
each_family own_leg mitmproxy /etc/mitmproxy/mitmproxy-ca-cert.pem
ok "mitmproxy: its programs end" recipe_undo

recipe_done
