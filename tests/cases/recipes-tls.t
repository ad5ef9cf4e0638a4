#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep-recipes(7): proxies that read TLS, from the page's own text: HAProxy by name,
# Squid, and SSLsplit, whose leg to the server is its own.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            mgmt0 198.51.100.5 ----------- ..53 DNS
#
# Control: before "mackeep up" and after "mackeep down" the client sees the server's own
# certificate, and a name that is refused passes. It runs on one kernel in turn.
#
# Seen by others: the source address is the proxy's, droe/sslsplit issue 308;
# names that are pinned or that DNS does not
# confirm, docs.diladele.com faq/squid/host_header_forgery.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need curl squid unbound openssl sslsplit
squid -v | has -- --with-openssl || skip_all "squid cannot read TLS"

must topo_up
topo_box_unrouted
mgmt_up
must dns_up rt 73
must tls_server_up
module_needed

web_up srv 80

past() # TITLE
{
	answered "$1" 0 by_origin www.blocked.example
}

# --- HAProxy, by name -----------------------------------------------------------------

names() # TITLE
{
	wire_both -p
	answered "$1" 1 by_origin www.example --local-port 4000$family
	proxy_quiet
	wire_stop
	kept_legs "$1" 5
	cmp_ok "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && sport == 4000$family")" -ge 5 \
		"$1: from the client's port"
	nok "$1: a name that is blocked is refused" by_origin www.blocked.example
	wire_both
	nok "$1: what is not TLS is refused" ask http://www.example:443/
	wire_stop
	wire_clean "$1, refused"
}

each_family past "names, not yet"
recipe_begin haproxy-sni
each_family names "names"
recipe_down haproxy-sni
each_family past "names, down"
ok "haproxy-sni: its programs end" recipe_undo

# --- Squid ------------------------------------------------------------------------------

bump() # TITLE
{
	wire_both
	answered "$1" 1 by_proxy www.example /etc/squid/ca.crt
	wire_stop
	kept_legs "$1" 5
	wire_both
	answered "$1, pinned" 1 by_origin www.pinned.example
	wire_stop
	kept_legs "$1, pinned" 5
	answered "$1, HTTP" 1 ask http://www.example/100/1
	ok "$1: a name of another server" by_proxy elsewhere.example /etc/squid/ca.crt
	ok "$1: is asked for where the client asked" busywait 10 grep -q \
		"GET https://elsewhere.example/ - ORIGINAL_DST/$S1 " /var/log/squid/access.log
}

recipe_begin squid-bump
each_family bump "bump"
recipe_down squid-bump
each_family past "bump, down"
ok "squid-bump: its programs end" recipe_undo

# --- SSLsplit, with a leg of its own ----------------------------------------------------------

mgmt_default

recipe_begin sslsplit
each_family own_leg "sslsplit" /etc/sslsplit/ca.crt
recipe_down sslsplit
each_family past "sslsplit, down"
ok "sslsplit: its programs end" recipe_undo

recipe_done
