# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box with a proxy, an admin's network and, in the tests, a firewall that drops what
# is lifted.

. "${BASH_SOURCE[0]%/*}/doctor.sh"

UP="--bridge br0 --tcp 443 --udp 443 --to $PROXY_PORT --settle 0"

# Packets for the box's own port 8080 that all firewalls let in
let_in()
{
	ns box nft list table inet after | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' |
		awk '{ n += $1 } END { print n }'
}

asks() # TITLE
{
	ok "$1: TCP" ns c1 load get -t 5 $L1
	ok "$1: UDP" ns c1 udp talk -t 5 $L1
}

no_answer() # TITLE
{
	nok "$1: no answer" ns c1 load get -t 0.5 $L1
}

# The proxy is reached, and the admin is served.
works() # TITLE
{
	each_family asks "$1"
	ok "$1: the admin's connection goes on" held_grows admin
}

# Nothing else is open.
shut() # TITLE
{
	local before

	before=$(let_in)
	nok "$1: the box's own port is not open" ns c1 load get -t 0.5 $ADMIN 8080
	is "$(($(let_in) - before))" 0 "$1: nor does it get a packet"
}

# What it prints clears what it finds.
walled() # TITLE FAMILY...
{
	local title=$1

	for family in "${@:2}"; do
		topo_family $family
		no_answer "$title, IPv$family"
	done
	topo_family 4
	look
	finds input-drop
	mend
	clean "$title"
	works "$title, mended"
	[[ " ${*:2} " != *" 4 "* ]] || shut "$title, mended"
}

rules() # nft's, for the box
{
	must ns box nft -f -
}

firewall_up()
{
	must topo_up
	admin_network c2
	must topo_ip c1 <<-LINES
	route add $ADMIN dev eth0
	neigh add $ADMIN lladdr $MAC_BR dev eth0 nud permanent
	LINES
	topo_box_unrouted
	servers_up
	web_up l1 80
	echo_up l1
	web_up box 22
	web_up box 8080
	must proxy_up
	udp_proxy_up
	module_needed
	must ns box mackeep up $UP
	rules <<-RULES
	table inet after {
		chain input {
			type filter hook input priority 1000; policy accept;
			iifname br0 tcp dport 8080 counter
		}
	}
	RULES
	ns c1 load get -t 0.5 $ADMIN 8080 >&2
	cmp_ok "$(let_in)" -gt 0 "without a firewall the box's own port gets packets"
	ok "an admin's connection" held_start admin c2 $ADMIN 22
	clean "no firewall"
	wire_both
	each_family asks "no firewall"
}

firewall_done()
{
	ok "no request of the admin failed" held_stop admin
	proxy_quiet
	wire_stop
	wire_clean "all the time"
	must ns box mackeep down br0
	for pid in "${web_pids[@]}"; do # the box's own hold its namespace
		tap_kill $pid
	done
}
