#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up with several proxies on one bridge, each with ports of its own, with
# several bridges, and for one family only.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#     ..:c1                     3129, 3130, UDP 3131            ..:80
#
# Control: one of the proxies is gone, and its ports alone are not proxied.
#
# Seen by others: a second port that the rules do not have, yrutschle/sslh issue 305;
# IPv6 that goes past the proxy, v2ray/v2ray-core issue 2270, and of UDP alone,
# Openwrt-Passwall/openwrt-passwall issue 1600.
#
# It is about the tool: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep ebtables python3
tools udp

UP="--bridge br0 --tcp 80,8080 --to $PROXY_PORT --tcp 443 --to 3130 --udp 443 --to 3131 --settle 0"

up() # OPTION...
{
	ns box mackeep up "$@"
}

services()
{
	ns box mackeep services 2>/dev/null | sed 's/ ipv4=.*//'
}

# A connection to a port, and what of it shows on the wire
proxied() # TITLE PORT
{
	local before

	before=$(box_opens Active)
	wire_both
	ok "$1: port $2 is answered" ns c1 load get -c 2 -n 4 $L1 $2
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	is $(($(box_opens Active) - before)) 2 "$1: port $2 by the proxy"
	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 8 "$1: port $2 to the client"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 8 "$1: port $2 to the server"
	wire_clean "$1: port $2"
}

passes() # TITLE PORT
{
	local before

	before=$(box_opens Active)
	ok "$1: port $2 is answered" ns c1 load get $L1 $2
	is "$(box_opens Active)" "$before" "$1: port $2 past the proxy"
}

three() # TITLE
{
	proxied "$1" 80
	proxied "$1" 443
	ok "$1: datagrams are answered" ns c1 udp talk -n 3 $L1
}

one_gone() # TITLE
{
	passes "$1" 80
	proxied "$1" 443
}

refused() # REGEX OPTION...
{
	local regex=$1 said

	shift
	said=$(up "$@" 2>&1)
	like "$? $said" "^2 mackeep: up: .*$regex" "refused: up $*"
}

must topo_up
topo_box_unrouted
web_up l1 80
web_up l1
echo_up l1
must proxy_up
first=$proxy_pid
PROXY_PORT=3130 must proxy_up
PROXY_PORT=3131 udp_proxy_up
module_needed

# --- several proxies ---------------------------------------------------------------

ok "nft: up" up $UP
is "$(services)" "tcp to=3129 mark=0x4d4b
tcp to=3130 mark=0x14d4b
udp to=3131 mark=0x24d4b" "nft: a service for each proxy"
each_family three nft
is "$(up $UP --dry-run)" "" "nft: nothing is left to do"
ok "nft: another port for the second" up ${UP/443/443,8443}
is "$(services | sed -n 's/.*3130 //p')" "mark=0x14d4b" "nft: it has the mark it had"
ok "nft: down" ns box mackeep down br0
is "$(ns box sysctl -n net.netfilter.mackeep_lift_mark)" 0x4d4b/0xffffffff "nft: lift_mark is as it was"

ok "iptables: up" up --backend iptables $UP
each_family three iptables
tap_kill $first
each_family one_gone "iptables, the first proxy is gone"
ok "iptables: down" ns box mackeep down br0

# --- as a file says it ----------------------------------------------------------------

mkdir -p /etc/mackeep
cat >/etc/mackeep/br0.conf <<-CONF
	bridge	br0
	settle	0

	# HTTP
	tcp	80
	tcp	8080
	to	3129

	to	3130	# order is free within a paragraph
	tcp	443

	udp	443
	to	3131
CONF
is "$(up br0 --dry-run)" "$(up $UP --dry-run)" "a paragraph for each proxy in br0.conf"
sed -i '/^$/d' /etc/mackeep/br0.conf
refused "to 3130: \"to 3129\" is in the same paragraph; put an empty line" br0
printf 'bridge br0\ntcp 80\n\nto 3129\n\nudp 443\nipv6\n' >/etc/mackeep/br0.conf
is "$(up br0 --dry-run)" "$(up --bridge br0 --tcp 80 --udp 443 --to 3129 --dry-run)" \
	"with one proxy all ports are for it, as ever"
refused "--udp 443: no --to follows" --bridge br0 --tcp 80 --to 1 --tcp 443 --to 2 --udp 443
refused "nothing is to be proxied by one of them" --bridge br0 --tcp 80 --to 1 --to 2
refused "--tcp 443: two proxies cannot both have it, on port 1 and on port 2" \
	--bridge br0 --tcp 80,440-450 --to 1 --tcp 443 --to 2
ok "the same proxy twice" up --bridge br0 --tcp 80 --to 3129 --udp 443 --to 3129 --tcp 443 --to 3129
is "$(services)" "tcp to=3129 mark=0x4d4b
udp to=3129 mark=0x4d4b" "is one service"

# --- several bridges -------------------------------------------------------------------

must topo_ip box <<-LINES
	link add br1 type bridge
	link add port2 type dummy
	link set port2 master br1
	link add br-1 type bridge
	link add port3 type dummy
	link set port3 master br-1
	link add br_1 type bridge
LINES
both="$(services)
tcp to=3129 mark=0x14d4b"
ok "another bridge with the same proxy" up --bridge br1 --tcp 443 --to 3129
is "$(services)" "$both" "has a mark of its own"
is "$(ns box ip route show default | sed 's/.*\(dev .* metric [0-9]*\).*/\1/')" "dev br0 scope link metric 19788
dev br1 scope link metric 19789" "and a route of its own"
ok "the first goes" ns box mackeep down br0
is "$(services)" "tcp to=3129 mark=0x14d4b" "and leaves the other"
is "$(up --bridge br1 --tcp 443 --to 3129 --dry-run)" "" "whole"
ok "it is up again" up --bridge br0 --tcp 80,443 --udp 443 --to 3129
is "$(services | sort)" "$(sort <<<"$both")" "with the mark that is free"
ok "a third" up --bridge br-1 --tcp 443 --to 3129 --vlan 5
said=$(up --bridge br_1 --early --tcp 443 --to 3129 2>&1)
like "$? $said" "^1 .*bridge br_1: br-1 is up, and both would have tables named mackeep_br_1; rename" \
	"names that end as one are told"
for bridge in br-1 br0 br1; do
	ok "down $bridge" ns box mackeep down $bridge
done
is "$(ns box nft list tables | grep mackeep; services; ns box ip route show default)" "" "nothing is left"

# --- what an older version left, and families -------------------------------------------

one="--bridge br0 --tcp 443,8000-8010 --udp 443 --to 3130 --settle 0"
ok "up" up $one
must python3 - "$(ls /run/mackeep/br0*.json)" <<-'PY'
	import json, sys
	state = json.load(open(sys.argv[1]))
	config = state["config"]
	service = config.pop("services")[0]
	config.update({k: service[k] for k in ("to", "tcp", "udp")})
	for key in "ipv4", "order":
	    del config[key]
	json.dump(state, open(sys.argv[1], "w"))
PY
is "$(up $one --dry-run)" "" "an older state file: nothing is to be done"
is "$(ns box mackeep bypass br0 | sed 's/ ipv4.*//')" "tcp to=3130 mark=0x4d4b
udp to=3130 mark=0x4d4b" "bypass knows its services"
ok "down knows it" ns box mackeep down br0

only4()
{
	if [ $family = 4 ]; then
		proxied "-4" 443
	else
		passes "-4, IPv6" 443
	fi
}

only6()
{
	if [ $family = 6 ]; then
		proxied "-6" 443
	else
		passes "-6, IPv4" 443
	fi
}

ok "up -4" up -4 $one
each_family only4
is "$(ns box nft list tables | grep "ip6\? mackeep")" "table ip mackeep_br0" \
	"-4: has no tables for IPv6"
ok "up -6" up -6 $one
each_family only6
# A box where somebody has turned IPv6 off
topo_sysctl box net.ipv6.conf.{all,lo}.disable_ipv6=1
ok "up --family both" up --family both $one
each_family proxied both 443
ok "down" ns box mackeep down br0
is "$(ns box sysctl -n net.ipv6.conf.{lo,br0}.disable_ipv6 | xargs)" "1 1" "down: IPv6 is off again"
net_done
