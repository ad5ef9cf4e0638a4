#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep exempt: who is exempt goes past the proxy, by source, destination, MAC or
# several of them, of IPv4 and IPv6, tagged, with either backend. Lists change under
# traffic and no connection fails; 100,000 are loaded at once; they survive down and
# up; each bridge has its own.
#
#  c1 192.0.2.31 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#                        +-- west -- [ port0 br0 port1 ] -- east
#  c2 192.0.2.32 ..:c2 --+                3129                 +-- rt -- srv 203.0.113.73
#
# An exemption behind the lift, in the rules that hand packets to the proxy, cuts the
# client off: mackeep check names it, and its remedy makes it one that works.
#
# Control: before it is exempt, and while another is, a client is proxied.
#
# It runs on one kernel in turn.
#
# Seen by others: a list that is loaded address by address takes minutes, SSHGuard/sshguard
# issue 18; an address in a listed network makes loading fail, firewalld/firewalld
# issue 1344, or cannot be taken out again, projectcalico/calico pull request 13274;
# adding what is there is an error, pymumu/smartdns issue 2025; the rules of Squid's wiki,
# "Transparent Proxy Selective Bypass", which are for a router.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep ebtables python3

UP="--bridge br0 --tcp 443 --to $PROXY_PORT --settle 0"

exempt() # WORD...
{
	ns box mackeep exempt "$@"
}

# How many of 2 connections to srv go through the proxy, and whose MACs they have
went() # TITLE NAMESPACE THROUGH [ADDRESS]
{
	local before to=${4:-$S1}

	before=$(box_opens Passive)
	ok "$1: $2 is answered" ns $2 load get -o -n 2 $to
	is $(($(box_opens Passive) - before)) $3 "$1: $3 of $2 through the proxy"
}

# Of c1 none, of c2 all
c1_exempt() # TITLE
{
	went "$1" c1 0
	went "$1" c2 2
}

bridged() # TITLE
{
	wire_both
	went "$1" c1 0
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 4 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 4 "$1: to the server"
	wire_clean "$1"
}

none() # TITLE
{
	went "$1" c1 2
}

refused() # REGEX WORD...
{
	local regex=$1 said

	shift
	said=$(exempt "$@" 2>&1)
	like "$? $said" "^[12] mackeep: exempt: $regex" "refused: $*"
	is "$(exempt list br0 2>/dev/null)" "" "and nothing is changed"
}

listed()
{
	exempt list ${1-br0} 2>/dev/null
}

must topo_up
topo_box_unrouted
servers_up
must proxy_up
module_needed
file=/etc/mackeep/br0@mk-box.exempt
rm -f /etc/mackeep/br*.exempt
defer rm -f $file /etc/mackeep/br1@mk-box.exempt

# --- what it takes ---------------------------------------------------------------------

refused ".*server.example: it is a name, and names are not looked up; resolve it" \
	add br0 --dst server.example
refused ".*the prefix is not a number from 1 to 32" add br0 --src 192.0.2.0/33
refused ".*everybody; leave src out, or see mackeep bypass" add br0 --src ::/0
refused ".*no IPv4 or IPv6 address" add br0 --src 192.0.2
refused ".*one of IPv6; make two" add br0 --src $C1 --dst 2001:db8::1
refused ".*the address of one station" add br0 --mac 01:00:5e:00:00:01
refused ".*who is it" add br0
refused ".*on which bridge" add
refused ".*is add, del, list or load" flush br0
refused ".*is not in /etc/mackeep/br0@mk-box.exempt" del br0 --src 192.0.2.31
printf 'src 192.0.2.31\n\ndst www.example  # no\n' >"$TMP/list"
refused ".*/list line 3: dst www.example: it is a name" load br0 "$TMP/list"
refused ".*No such file" load br0 "$TMP/none"

# --- who is exempt -----------------------------------------------------------------------

pair()
{
	ok "src and dst" exempt add br0 --src $C1 --dst $S1
	c1_exempt "src and dst"
	went "src and another dst" c1 2 $L1
	ok "src and dst: del" exempt del br0 --src $C1 --dst $S1
}

# A network, an address in it, and what is left of them
nested()
{
	local net=192.0.2.0/27

	[ $family = 4 ] || net=2001:db8:1::30/127
	ok "a network" exempt add br0 --src $net
	c1_exempt "a network"
	ok "an address in it" exempt add br0 --src $C1
	ok "the network goes" exempt del br0 --src $net
	c1_exempt "the address stays"
	ok "the network comes" exempt add br0 --src $net
	ok "the address goes" exempt del br0 --src $C1
	c1_exempt "the network stays"
	ok "the network goes" exempt del br0 --src $net
	none "neither"
}

to()
{
	ok "dst" exempt add br0 --dst $S1 --comment "a server"
	bridged "dst"
	went "another dst" c1 2 $L1
	ok "dst: del" exempt del br0 --dst $S1
}

said=$(exempt add br0 --src $C1 2>&1)
is "$? $said" "0 mackeep v$(mackeep -V | cut -d ' ' -f 2): bridge br0: it is not up; the file is used when it is" \
	"before up"
ok "up" ns box mackeep up $UP
c1_exempt "before up"
said=$(exempt add br0 --src $C1 2>&1)
like "$? $said" "^0 .*exempt already" "again: nothing is done"
is "$(ns box mackeep up $UP --dry-run)" "" "up has nothing left to do"
ok "another bridge" ns box ip link add br1 type bridge
is "$(exempt add br1 --src $C2 2>/dev/null; listed br1)" "src $C2" "has a list of its own"
c1_exempt "br1 has another"
ok "del" exempt del br0 --src $C1
none "del"
is "$(ns box nft list tables | grep exempt; ns box nft list table bridge mackeep_br0/exempt | grep -c hook)" \
	"table bridge mackeep_br0/exempt
0" "nobody is exempt: no hook"

each_family to
each_family nested
each_family pair
ok "mac" exempt add br0 --mac $MAC_C1
each_family bridged mac
each_family went "another mac" c2 2
ok "mac and src" exempt load br0 - <<<"mac $MAC_C1 src $C2"
went "mac, and src of another" c1 2
is "$(exempt list -o json br0 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin))')" \
	"[{'src': '$C2', 'mac': '$MAC_C1'}]" "list -o json"

# --- the trap ----------------------------------------------------------------------------

mended() # TITLE RULE
{
	nok "$1: the client is cut off" ns c1 load get -t 3 $S1
	look
	finds exempt
	like "$(grep ^exempt: "$TMP/found")" "mackeep exempt add br0 --.* && .* -D |mackeep exempt add br0 --.* && nft delete rule" \
		"$1: with an exemption, and without the rule"
	grep ^exempt: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
	mend
	look
	finds_not exempt
	went "$1, mended" c1 0
	ok "$1: nobody" exempt load br0 /dev/null
}

mangle() # RULE of iptables
{
	must ns box iptables -t mangle "$@"
}

ok "nobody" exempt load br0 /dev/null
must ns box nft insert rule ip mackeep_br0 proxy ip saddr $C1 tcp dport 443 accept
mended "nft"
must ns box nft -f - <<-RULES
	add set ip mackeep_br0 friends { type ipv4_addr; flags interval; elements = { 192.0.2.0/27, 198.51.100.1 }; }
	insert rule ip mackeep_br0 proxy ip saddr @friends ip daddr $S1 return
RULES
mended "nft, a set"
ok "down" ns box mackeep down br0
ok "iptables: up" ns box mackeep up --backend iptables $UP
mangle -I PREROUTING -s $C1 -j ACCEPT
mended "iptables"
mangle -I mackeep_br0 -s 192.0.2.0/27 -p tcp -m tcp --dport 443 -j RETURN
mended "iptables, a network"
mangle -N BYPASS
mangle -A BYPASS -d $S1 -j ACCEPT
mangle -I PREROUTING -p tcp -j BYPASS
mended "iptables, a chain"
mangle -A BYPASS -d $S1 -j RETURN
mangle -A BYPASS -d 192.0.2.0/24 -p tcp --dport 22 -j ACCEPT
mangle -A BYPASS -s $C1 -m mark --mark 7 -j ACCEPT
mangle -A BYPASS -d 127.0.0.0/8 -j ACCEPT
mangle -I PREROUTING -i lo -s $C1 -j ACCEPT
look
finds_not exempt
mangle -F BYPASS
mangle -D PREROUTING -p tcp -j BYPASS
mangle -X BYPASS
mangle -D PREROUTING -i lo -s $C1 -j ACCEPT
ok "iptables: down" ns box mackeep down br0
ok "up" ns box mackeep up $UP

# --- down and up ---------------------------------------------------------------------

cat >"$TMP/list" <<-LIST
	# by hand
	src	192.0.2.40/29   dst 203.0.113.0/24
	src $C1/32  # c1
	src 2001:db8:1::31
LIST
ok "load" exempt load br0 "$TMP/list"
ok "the file is as it was written" diff "$TMP/list" $file
each_family c1_exempt load
ok "down" ns box mackeep down br0
is "$(ns box nft list tables | grep mackeep)" "" "down leaves nothing"
ok "iptables: up" ns box mackeep up --backend iptables $UP
each_family bridged iptables
each_family went iptables c2 2
ok "iptables: del" exempt del br0 --src $C1
is "$(cat $file)" "$(grep -v c1 "$TMP/list")" "del leaves the other lines as they are"
none "iptables: del"
must ns box nft flush ruleset
ok "what somebody else has flushed" exempt load br0
ok "is there again after up" ns box mackeep up --backend iptables $UP
ok "iptables: add" exempt add br0 --src $C1
c1_exempt "iptables: add"
ok "iptables: down" ns box mackeep down br0
is "$(ns box nft list tables | grep exempt)" "" "iptables: down leaves nothing"

# --- tagged ------------------------------------------------------------------------------

tagged() # NAMESPACE NUMBER
{
	must topo_ip $1 <<-LINES
		link add link eth0 name eth0.100 type vlan id 100
		addr add 198.51.100.$2/24 dev eth0.100
		link set eth0.100 up
	LINES
}

tagged c1 31
tagged l1 80
ok "up --vlan" ns box mackeep up $UP --vlan 100
went "vlan" c1 2 198.51.100.80
ok "vlan: add" exempt add br0 --src 198.51.100.0/27
went "vlan, exempt" c1 0 198.51.100.80
ok "vlan: down" ns box mackeep down br0

# --- under traffic ---------------------------------------------------------------------

lives() # TITLE; connections go on, on whichever side they are
{
	ok "$1: the proxy's connection goes on" held_grows through
	ok "$1: the bridged one goes on" held_grows past
}

ok "load: nobody" exempt load br0 /dev/null
ok "up" ns box mackeep up $UP
opens=$(box_opens Passive)
held_start through c1 $S1
is $(($(box_opens Passive) - opens)) 1 "a connection through the proxy"
ok "add" exempt add br0 --src $C1
opens=$(box_opens Passive)
held_start past c1 $S1
is $(($(box_opens Passive) - opens)) 0 "one past it"
lives "exempt"
ok "del" exempt del br0 --src $C1
lives "not exempt"

live()
{
	local i

	storm_start
	for i in 1 2; do
		ok "add under traffic" exempt add br0 --src $C1
		storm_grows 20
		ok "del under traffic" exempt del br0 --src $C1
		storm_grows 20
	done
	storm_stop
	is "$(storm_failed 0 1e12)" 0 "no connection has failed"
}

each_family live
lives "after all of that"
held_stop through
is $? 0 "none of its requests failed"
held_stop past
is $? 0 "nor of the other's"

# --- many --------------------------------------------------------------------------------

python3 - "$TMP" <<-'PY'
	import random, sys
	random.seed(1)
	some = random.sample(range(0x0a000000, 0x0b000000), 99998)
	text = [".".join(str(n >> s & 255) for s in (24, 16, 8, 0)) for n in some]
	with open(sys.argv[1] + "/many", "w") as f:
	    f.write("".join("src %s\n" % t for t in text))
	    f.write("src 192.0.2.31\nsrc 2001:db8:1::31\n")
	with open(sys.argv[1] + "/plain", "w") as f:
	    f.write("table bridge plain {\n set many { type ipv4_addr; elements = { %s } }\n}\n"
	            % ", ".join(text))
PY
took() # COMMAND...; $took is milliseconds
{
	local start=${EPOCHREALTIME/./}

	"$@"
	local rc=$?
	took=$(((${EPOCHREALTIME/./} - start) / 1000))
	return $rc
}

must took ns box nft -f "$TMP/plain"
plain=$took
must ns box nft delete table bridge plain
ok "100,000 are loaded" took exempt load br0 "$TMP/many"
note "100,000: nft alone $plain ms, mackeep exempt load $took ms"
cmp_ok $took -lt $((3 * plain)) "in not much more time than nft alone takes"
each_family c1_exempt "100,000"
ok "one goes" exempt del br0 --src 192.0.2.31
none "one has gone"
ok "down" ns box mackeep down br0
ok "up" took ns box mackeep up $UP
note "up with 99,999: $took ms"
family=6 went "99,999 after up" c1 0 2001:db8:2::73
ok "down" ns box mackeep down br0
net_done
