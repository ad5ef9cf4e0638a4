#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep-recipes(7): Squid with "acl arp" and %>eui, and a helper for IPv6, on a bridge
# without an address.
#
#  c1 ..:c1 --+
#             +-- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv .73
#  c2 ..:c2 --+         mgmt0 198.51.100.5 ------------ ..53 DNS
#
# Control: without mackeep_feed_neigh Squid knows nobody's MAC, and lets nobody in. It
# runs on one kernel in turn.
#
# Seen by others: Squid asks no NDP for the MAC of an IPv6 client, squid-cache/squid pull
# request 921; nor do others, AdguardTeam/AdGuardHome pull request 8248.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need curl squid unbound busybox perl

LOG=/var/log/squid/macs.log

code() # CLIENT; what a request is answered with
{
	ns $1 curl -s -m 60 -o /dev/null -w '%{http_code}' --resolve "www.example:80:$S1" \
		"http://www.example/file"
}

logged() # REGEX
{
	busywait 10 grep -qE "$1" $LOG
}

unknown() # TITLE
{
	is "$(code c1)" 403 "$1: a client of the list is not let in"
	ok "$1: the log has no MAC" logged " $C1 (00:00:00:00:00:00|-|00.*) none [^ ]*/403 "
}

by_mac() # TITLE
{
	local eui=$MAC_C1 other=$MAC_C2

	[ $family = 4 ] || eui='[^ ]+' other='[^ ]+'
	wire_both
	is "$(code c1)" 200 "$1: a client of the list is let in"
	is "$(code c2)" 403 "$1: another is not"
	proxy_quiet
	wire_stop
	[ $family = 6 ] || {
		ok "$1: the log has its MAC" logged " $C1 $eui [^ ]+ TCP_[A-Z_]*/200 "
		ok "$1: and that of the other" logged " $C2 $other [^ ]+ [A-Z_]*/403 "
	}
	[ $family = 4 ] || {
		ok "$1: the log has its MAC" logged " $C1 $eui $MAC_C1 TCP_[A-Z_]*/200 "
		ok "$1: and that of the other" logged " $C2 $other $MAC_C2 [A-Z_]*/403 "
	}
	wire_clean "$1"
}

must topo_up
topo_box_unrouted
mgmt_up
must dns_up rt 73
module_needed
mkdir "$TMP/www"
: >"$TMP/www/file"
chmod 755 "$TMP" "$TMP/www"
spawn httpd ns srv busybox httpd -f -p 80 -h "$TMP/www"
defer rm -f $LOG
recipe_begin squid-macs
is "$(ns box ip -o -4 addr show dev br0 | awk '{ print $4, $6 }')" "127.77.75.1/32 host" \
	"SIOCGIFCONF has the bridge, by an address that nobody is answered from"

must ns box sysctl -qw net.netfilter.mackeep_feed_neigh=0
each_family unknown "control"
must ns box sysctl -qw net.netfilter.mackeep_feed_neigh=1
# Longer than Squid remembers what its helper said
ns box mackeep flush >/dev/null 2>&1
each_family by_mac "squid-macs"
recipe_down squid-macs
is "$(ns box cat /proc/sys/net/netfilter/mackeep_feed_neigh) $(ns box ip -o -4 addr show dev br0)" "0 " \
	"down: the table and the address are as before"
ok "squid-macs: its programs end" recipe_undo

recipe_done
