#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Filters of the bridge that see a bridged frame also see a lifted one, and can
# drop it. The IP tables see it once, whatever the settings of br_netfilter are and
# whenever it was loaded.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+              |                        +-- rt ..:f1 -- srv .73
#              nft bridge prerouting: -100, 0, 100, 300
#              iptables mangle PREROUTING: once
#
# The field: Docker loads br_netfilter, and TPROXY no longer works on bridges:
# MetaCubeX/mihomo #1587, springzfx/cgproxy #10, zfl9/ss-tproxy #104. A bridge's
# prerouting chain filters before the lookup in the FDB: nftables wiki, "Bridge
# filtering".
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=20
PRIORITIES="-100 0 100 300"

# Chains that count what goes to or comes from PORT
chains() # PORT
{
	local priority

	must ns box nft -f - <<-RULES
	table bridge filters {
		$(for priority in $PRIORITIES; do
			echo "chain at${priority/-/_} {"
			echo "type filter hook prerouting priority $priority; policy accept;"
			echo "meta l4proto { tcp, udp } th dport $1 counter"
			echo "meta l4proto { tcp, udp } th sport $1 counter"
			echo "}"
		done)
	}
	RULES
}

# What the two rules of the chain at PRIORITY counted
seen() # PRIORITY
{
	ns box nft list chain bridge filters at${1/-/_} |
		sed -n 's/.*counter packets \([0-9]*\).*/\1/p' | xargs
}

# Frames of both families that came to the box
came() # PORT
{
	echo "$(wire_sum west "way == \"to\" && dport == $1")" \
		"$(wire_sum east "way == \"to\" && sport == $1")"
}

asks() # TITLE PORT [OPTION of load get...]
{
	ok "$1: TCP" ns c1 load get "${@:3}" -n $N $S1 $2
	ok "$1: UDP" ns c1 udp talk -n $N $S1 $2
}

no_answer() # TITLE PORT
{
	nok "$1: no answer by UDP" ns c1 udp talk -t 1 $S1 $2
}

sees() # TITLE PORT
{
	local priority

	wire_both
	chains $2
	each_family asks "$1" $2
	proxy_quiet
	wire_stop
	for priority in $PRIORITIES; do
		is "$(seen $priority)" "$(came $2)" "$1: the filter at $priority sees each frame"
	done
	ns box nft delete table bridge filters
}

drops() # TITLE PORT WAY PRIORITY
{
	local title="$1: dropped at $4 by $3"

	chains $2
	must ns box nft add rule bridge filters at${4/-/_} "meta l4proto { tcp, udp } th $3 $2 drop"
	wire_both
	each_family no_answer "$title" $2
	wire_stop
	cmp_ok "$(came $2 | cut -d ' ' -f 1)" -ge 2 "$title: there was something to drop"
	[ $3 = sport ] || is "$(wire_sum east "way == \"from\" && dport == $2")" 0 \
		"$title: nothing gets to the server"
	is "$(wire_sum west "way == \"from\" && sport == $2")" 0 \
		"$title: nothing gets back to the client"
	ns box nft delete table bridge filters
}

bridge_nf() # 0|1
{
	topo_sysctl box net.bridge.bridge-nf-call-iptables=$1 \
		net.bridge.bridge-nf-call-ip6tables=$1
}

counted_once() # TITLE
{
	local list=iptables proto

	[ $family = 4 ] || list=ip6tables
	is "$(ns box $list -t mangle -nvxL PREROUTING | awk 'NR > 2 && NR < 7 { print $1 }' | xargs)" \
		"$(for proto in tcp udp; do
			wire_sum west "way == \"to\" && proto == \"$proto\" && daddr == \"$S1\""
			wire_sum east "way == \"to\" && proto == \"$proto\" && saddr == \"$S1\""
		done | xargs)" "$1: mangle PREROUTING sees each frame once"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $N "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $N "$1: c1 to $S1"
	for _ in 1 2 3 4; do
		must ns box $list -t mangle -D PREROUTING 1
	done
}

# TPROXY works, each leg has the right MACs, and mangle PREROUTING sees each
# frame once, in both families.
once() # TITLE
{
	local list

	bridge_nf 1
	for list in iptables ip6tables; do
		must ns box $list -t mangle -I PREROUTING -p udp --sport 443
		must ns box $list -t mangle -I PREROUTING -p udp --dport 443
		must ns box $list -t mangle -I PREROUTING -p tcp --sport 443
		must ns box $list -t mangle -I PREROUTING -p tcp --dport 443
	done
	wire_both
	each_family asks "$1" 443 -o
	proxy_quiet
	wire_stop
	each_family counted_once "$1"
	wire_clean "$1" 'proto == "tcp" || proto == "udp"'
	bridge_nf 0
}

must topo_up
services_up

# --- control: what bridged frames meet -----------------------------------------------

sees "no module" 80
drops "no module" 80 dport 300
drops "no module" 80 sport 300
must modprobe br_netfilter
bridge_nf 1
topo_box_rules
before=$(box_opens Passive)
ns c1 load get -t 2 $S1 >"$TMP/ignored" 2>&1
is "$(($(box_opens Passive) - before))" 0 "no module: with br_netfilter TPROXY takes no bridged frame"
topo_box_rules_off
sees "no module, br_netfilter" 80
bridge_nf 0
must modprobe -r br_netfilter

kept_up
sees "lifted" 443
for priority in $PRIORITIES; do
	drops "lifted" 443 dport $priority
done
drops "lifted" 443 sport 300

# --- br_netfilter, loaded after the module and before it ----------------------------------

must modprobe br_netfilter
once "br_netfilter, loaded later"
topo_box_rules_off
must module_unload
must module_load
topo_box_rules -j MACKEEP
once "br_netfilter, loaded earlier"

# A filter and br_netfilter together
bridge_nf 1
sees "with br_netfilter" 443

must modprobe -r br_netfilter
net_done
