#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep-recipes(7): HAProxy, nginx with UDP, and Squid for HTTP, from the page's own
# text.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            mgmt0 198.51.100.5 ----------- ..53 DNS
#
# Control: before "mackeep up" and after "mackeep down" the proxy runs and sees
# nothing. It runs on one kernel in turn.
#
# Seen by others: "option transparent" and no usesrc, haproxy/haproxy issue 2233;
# nginx cannot listen transparently, nginx/nginx issue 1014 and pull request 133, and
# its workers may not bind, nginx/docker-nginx issue 143; Host headers that DNS does not
# confirm, wiki.squid-cache.org KnowledgeBase/HostHeaderForgery.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need curl squid unbound nginx perl busybox
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
	skip_all "nginx has no stream module"
tools udp

must topo_up
topo_box_unrouted
mgmt_up
must dns_up rt 73
must servers_up
echo_up srv
module_needed

# --- HAProxy ------------------------------------------------------------------------

tcp() # TITLE
{
	wire_both
	answered "$1" 1 ns c1 load get -n 3 $S1
	proxy_quiet
	wire_stop
	kept_legs "$1" 5
}

past() # TITLE
{
	answered "$1" 0 ns c1 load get $S1
}

recipe_begin haproxy
each_family tcp haproxy
recipe_down haproxy
each_family past "haproxy, down"
ok "haproxy: its programs end" recipe_undo

# --- nginx ------------------------------------------------------------------------------

udp_open()
{
	ns box mackeep services 2>/dev/null | has "^udp.*ipv4=open ipv6=open"
}

udp() # TITLE
{
	wire_both -p
	ok "$1: datagrams are answered" ns c1 udp talk -b $port -n 5 $S1
	wire_stop
	kept_legs "$1" 5
	is "$(wire_sum east "way == \"from\" && saddr == \"$C1\" && sport == $port")" 0 \
		"$1: by the proxy, from a port of its own"
}

recipe_begin nginx
each_family tcp nginx
ok "nginx: its service for UDP opens" busywait 60 udp_open
port=40000
each_family udp nginx
recipe_end nginx

# --- Squid --------------------------------------------------------------------------------

logged() # REGEX
{
	busywait 10 grep -qE "$1" /var/log/squid/access.log
}

http() # TITLE
{
	: >/var/log/squid/access.log
	wire_both
	answered "$1" 1 ask http://www.example/file$family
	wire_stop
	kept_legs "$1" 4
	ok "$1: Squid went to the server that was asked" \
		logged "$C1 TCP_MISS/200 .* ORIGINAL_DST/$S1 "
	ok "$1: again" ask http://www.example/file$family
	ok "$1: comes from the cache" logged "TCP_MEM_HIT/200 .* http://www.example/file$family"
	ok "$1: by a name of another server" ask http://elsewhere.example/file$family
	ok "$1: goes to the server that was asked" \
		logged "TCP_MISS/200 .* http://elsewhere.example/file$family .* ORIGINAL_DST/$S1 "
	ok "$1: again" ask http://elsewhere.example/file$family
	ok "$1: and is not cached" busywait 10 \
		eval '[ "$(grep -c "TCP_MISS/200 .*http://elsewhere.example/file$family" /var/log/squid/access.log)" = 2 ]'
}

http_past() # TITLE
{
	answered "$1" 0 ask http://www.example/file$family
}

strict() # TITLE
{
	nok "$1: a name of another server is refused" ask http://elsewhere.example/file$family
	ok "$1: with error 409" logged " NONE_NONE/409 .*http://elsewhere.example/file$family"
	ok "$1: the right name is not" ask http://www.example/file$family
}

mkdir "$TMP/www"
touch -d "1 year ago" "$TMP/www/file4" "$TMP/www/file6"
spawn httpd ns srv busybox httpd -f -p 80 -h "$TMP/www"
recipe_begin squid
each_family http squid
sed -i 's/^host_verify_strict off/host_verify_strict on/' /etc/squid/conf.d/mackeep.conf
accepting()
{
	grep -c "Accepting TPROXY" /var/log/squid/cache.log
}
before=$(accepting)
must ns box service squid reload >/dev/null
ok "squid, strict: reads its file again" busywait 60 eval '[ "$(accepting)" -gt $before ]'
each_family strict "squid, strict"
recipe_down squid
each_family http_past "squid, down"
ok "squid: its programs end" recipe_undo

recipe_done
