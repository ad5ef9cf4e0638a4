#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep-recipes(7): 802.1X across the box, a resolver, and WireGuard with --last-hop,
# from the page's own text.
#
#  c1 eth0 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#  supplicant                  mgmt0 ..5      authenticator             DNS: all is .99
#                                |   wg0
#                                |    ||
#                        l2 198.51.100.2 wg1, .53 DNS: all is .73, and 203.0.113.73
#
# Control: 802.1X does not pass the bridge, and the switch does not let a box pass as
# people run it today; the server answers itself, and not the resolver or the tunnel.
# It runs on one kernel in turn.
#
# Seen by others: bridges that keep EAPOL, systemd/systemd pull request 6759,
# Anime4000/RTL960x issue 37 and nccgroup/phantap issue 2; answers of DNS from another
# address than was asked, NLnetLabs/unbound issue 1026.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need unbound drill wg-quick wpa_supplicant wpa_cli hostapd hostapd_cli
tools udp

must topo_up
mgmt_up l2
must ip -n mk-l2 link set eth0 down
must servers_up
# The client is at the box's own port, and west only a cable.
must ip -n mk-west link set br0 type bridge group_fwd_mask 8

# --- 802.1X ----------------------------------------------------------------------------

# A port of the switch takes frames of those only who have authenticated.
port_guarded()
{
	must ns east nft -f - <<-'RULES'
	table bridge port {
		set authorized { type ether_addr; }
		chain arriving {
			type filter hook prerouting priority filter;
			iifname "e0" ether type != 0x888e ether saddr @authorized accept
			iifname "e0" drop
		}
	}
	RULES
}

# The stations that hostapd has authorized, which the port then lets pass
authorize()
{
	local station

	station=$(ns east hostapd_cli -i e0 all_sta 2>/dev/null |
		awk '/^..:..:/ { mac = $1 } /AUTHORIZED/ { print mac }')
	[ -n "$station" ] && ns east nft add element bridge port authorized "{ $station }"
}

asked()
{
	wire_has west 'way == "to" && type == "888e"'
}

get() # [OPTION...]
{
	ns c1 load get "$@" $S1
}

must proxy_up
today_up
ok "today: a request is answered" get
port_guarded
must ns east nft add element bridge port authorized "{ $MAC_C1 }"
nok "today: not with a switch that knows the client alone" get -t 2
proxy_down
today_down
topo_box_unrouted
must ns east nft flush set bridge port authorized

module_needed
ok "802.1x: the files of the page" recipe_files 802.1x
ok "802.1x: the switch" recipe_commands 802.1x east switch
wire_both
ok "802.1x, no up: the client" recipe_commands 802.1x c1 client
ok "802.1x, no up: it asks" busywait 20 asked
ns c1 wpa_cli -i eth0 terminate >/dev/null
wire_stop
is "$(wire_sum east 'type == "888e" && way == "from"')" 0 "802.1x, no up: nobody hears it"

wire_both
recipe_begin haproxy
nok "802.1x, nobody has authenticated: no request is answered" get -t 2
ok "802.1x: the client" recipe_commands 802.1x c1 client
ok "802.1x: the switch knows it" busywait 40 authorize
passed() # TITLE
{
	answered "$1" 1 get
	proxy_quiet
}
each_family passed 802.1x
wire_stop
# The switch itself is 02:00:00:00:01:b2.
legs() # TITLE
{
	kept_legs "$1" 4 'src !~ /^02:00:00:00:01/'
}
each_family legs 802.1x
cmp_ok "$(wire_sum east "way == \"from\" && type == \"888e\" && src == \"$MAC_C1\"")" -ge 2 \
	"802.1x: the switch hears the client"
cmp_ok "$(wire_sum west 'way == "from" && type == "888e"')" -ge 2 \
	"802.1x: the client hears the switch"
ns c1 wpa_cli -i eth0 terminate >/dev/null
ns east hostapd_cli -i e0 terminate >/dev/null
must ns east nft delete table bridge port
recipe_end haproxy

# --- a resolver -------------------------------------------------------------------------------

answer() # [OPTION of drill...]
{
	ns c1 drill "$@" www.example @$S1 | awk '$1 == "www.example." && $4 == "A" { print $5 }'
}

theirs() # TITLE
{
	is "$(answer)" 203.0.113.99 "$1: the server answers itself"
}

ours() # TITLE
{
	wire_both
	wire_start mgmt l2 mgmt
	is "$(answer)" 203.0.113.73 "$1: the resolver answers"
	is "$(answer -t)" 203.0.113.73 "$1: and by TCP"
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 4 "$1: from the router's MAC"
	is "$(wire_sum east "type ~ /^ip/ && (saddr == \"$C1\" || daddr == \"$C1\")")" 0 \
		"$1: nothing of the client on the other side"
	wire_clean "$1"
}

must dns_up l2 73
must dns_up srv 99
each_family theirs "unbound, not yet"
recipe_begin unbound
each_family ours unbound
recipe_down unbound
each_family theirs "unbound, down"
ok "unbound: its programs end" recipe_undo

# --- WireGuard --------------------------------------------------------------------------------

must topo_ip l2 <<LINES
addr add $S1/32 dev lo
addr add 2001:db8:2::73/128 dev lo
LINES
echo_up l2
echo_up srv

talk()
{
	ns c1 udp talk -n 3 $S1
}

direct() # TITLE
{
	wire_both
	ok "$1: a request is answered" get
	wire_stop
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 4 "$1: past the tunnel"
}

tunnelled() # TITLE
{
	wire_both
	wire_start mgmt l2 mgmt -p
	ok "$1: a request is answered" get
	ok "$1: datagrams are answered" talk
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 7 "$1: from the router's MAC"
	is "$(wire_sum east "type ~ /^ip/ && (saddr == \"$C1\" || daddr == \"$C1\")")" 0 \
		"$1: nothing of the client on the other side"
	wire_clean "$1"
	cmp_ok "$(wire_sum mgmt 'way == "from" && proto == "udp" && dport == 51820')" -ge 8 \
		"$1: through the tunnel"
}

each_family direct "wireguard, not yet"
recipe wireguard
ok "wireguard: the far end" recipe_commands wireguard l2 far
each_family tunnelled wireguard
ns box wg-quick down wg0 2>/dev/null
ns l2 wg-quick down wg1 2>/dev/null

recipe_done
