#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The rules of "mackeep up", by nft and by iptables: what is for an address of the
# box goes to the box, and not to the proxy; and a proxy for datagrams that keeps
# the sockets it answers from gets all that a client sends.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#                               .5   ^ HAProxy, udp, and a web server of its own
#
# Control: a rule in front that takes what is for the box, or asks for sockets first.
#
# Seen by others: nobody reaches the box itself any more, sshuttle/sshuttle pull
# request 578; a client's later datagrams end in the socket that answers,
# DanielLavrushin/b4 pull request 239, SagerNet/sing-box pull request 2097.
#
# It is about the tool: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep ebtables
tools udp

UP="--bridge br0 --talk --tcp 443 --udp 443 --to $PROXY_PORT --settle 0"

up() # OPTION...
{
	ns box mackeep up "$@"
}

own_page() # TITLE
{
	local t=$1 own=192.0.2.5 before

	[ $family = 4 ] || own=2001:db8:1::5
	before=$(box_opens Active)
	ok "$t: the box's own page is there" ns c1 load get -t 10 $own
	is "$(box_opens Active)" "$before" "$t: not by the proxy"
	ok "$t: a server's page is" ns c1 load get -t 10 $L1
	is "$(box_opens Active)" $((before + 1)) "$t: by the proxy"
	ok "$t: six datagrams of a flow are answered" ns c1 udp talk -n 6 -t 10 $L1
}

# Rules in front: for the box as well, and sockets first
taken() # TITLE
{
	local t=$1 own=192.0.2.5 before

	[ $family = 4 ] || own=2001:db8:1::5
	before=$(box_opens Active)
	ns c1 load get -t 3 $own >/dev/null 2>&1
	isnt "$(box_opens Active)" "$before" "$t: the proxy gets what is for the box"
	nok "$t: not all datagrams are answered" ns c1 udp talk -n 6 -t 2 $L1
}

must topo_up
topo_box_unrouted
must ip -n mk-box -batch - <<-LINES
	addr add 192.0.2.5/24 dev br0
	addr add 2001:db8:1::5/64 dev br0 nodad
LINES
web_up l1
web_up box
echo_up l1
must proxy_up
udp_proxy_up -u -k
module_needed

ok "nft: up" up $UP
each_family own_page nft
for ip in ip ip6; do
	must ns box nft insert rule $ip mackeep_br0 proxy meta l4proto udp socket transparent 1 \
		meta mark set 0x4d4c accept
	must ns box nft insert rule $ip mackeep_br0 proxy iifname br0 tcp dport 443 \
		tproxy to :$PROXY_PORT meta mark set 0x4d4c accept
done
each_family taken "nft, control"
proxy_quiet
ok "nft: down" ns box mackeep down br0

ok "iptables: up" up --backend iptables $UP
each_family own_page iptables
ok "iptables: down" ns box mackeep down br0
net_done
