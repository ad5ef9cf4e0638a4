#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packets that another rule sends elsewhere. Copies that TEE or nft's dup make for
# a monitor go to the monitor. A proxy's connection that NAT redirects has the MACs
# of its new destination.
#
#  c1 ..:c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#  c2 ..:c2 ------+              box                     +------ l1 ..:80
#  the monitor
#
# The field: udp-broadcast-relay-redux issue 12 and Entware-ng issue 794 mirror
# what a box sends in this way.
#
# It runs on one kernel in turn.

V6=1
TALK=1 # the copies carry the box's MAC
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp

N=5

tables() # of this family
{
	if [ $family = 6 ]; then echo ip6tables; else echo iptables; fi
}

tee_on()
{
	for way in sport dport; do
		must ns box "$(tables)" -t mangle -A POSTROUTING -p udp --$way 443 -j TEE --gateway $C2
	done
}

tee_off()
{
	must ns box "$(tables)" -t mangle -F POSTROUTING
}

dup_on()
{
	must ns box nft -f - <<-RULES
	table $IP mirror {
		chain out {
			type filter hook postrouting priority 0; policy accept;
			udp sport 443 dup to $C2 device "br0"
			udp dport 443 dup to $C2 device "br0"
		}
	}
	RULES
}

dup_off()
{
	must ns box nft delete table $IP mirror
}

sent() # SIDE DEST-MAC [SOURCE-MAC]
{
	wire_sum $1 "way == \"from\" && proto == \"udp\" && dst == \"$2\"${3:+ && src == \"$3\"}"
}

# Each leg has its packets once, and the monitor has a copy of each.
mirrored() # TITLE tee|dup
{
	local t="$1, $2"

	$2_on
	wire_both
	ok "$t: datagrams there and back" ns c1 udp talk -n $N $S1
	wire_stop
	$2_off
	is "$(sent west $MAC_C2) $(sent west $MAC_C2 $MAC_BR)" "$((2 * N)) $((2 * N))" \
		"$t: the monitor gets a copy of each, from the box"
	is "$(sent west $MAC_C1)" $N "$t: the client gets each once"
	is "$(sent east $MAC_R)" $N "$t: so does the router"
}

# The proxy's connection leaves from SADDR to DADDR, with these two MACs.
nat() # TITLE RULE SADDR DADDR SOURCE DEST
{
	local t="$1" leg

	must ns box "$(tables)" -t nat -A $2
	wire_both
	ok "$t: requests" ns c1 load get -o -n $N $S1
	ok "$t: the proxy comes to rest" proxy_quiet
	wire_stop
	must ns box "$(tables)" -t nat -F
	leg="way == \"from\" && proto == \"tcp\" && saddr == \"$3\" && daddr == \"$4\""
	cmp_ok "$(wire_sum east "$leg && src == \"$5\" && dst == \"$6\"")" -ge $((N * 3)) \
		"$t: from $5 to $6"
	is "$(wire_sum east "$leg && (src != \"$5\" || dst != \"$6\")")" 0 "$t: and no other" ||
		wire_show east
}

nat_all() # TITLE [CLIENT-MAC ROUTER-MAC]
{
	local src=${2:-$MAC_BR} src2=${2:+$MAC_C2}

	nat "$1, to another server" "OUTPUT -p tcp -d $S1 --dport 443 -j DNAT --to $L1" \
		$C1 $L1 $src $MAC_L1
	ok "$1: a request to that server" ns c1 load get $L1
	nat "$1, to another server, known" "OUTPUT -p tcp -d $S1 --dport 443 -j DNAT --to $L1" \
		$C1 $L1 $src $MAC_L1
	ok "$1: a request of another client" ns c2 load get $S1
	proxy_quiet
	nat "$1, from another client" "POSTROUTING -p tcp -s $C1 --dport 443 -j SNAT --to $C2" \
		$C2 $S1 ${src2:-$MAC_BR} $MAC_R
}

# With NAT, answers come to another address than the proxy's socket has. These
# rules bring them to the proxy.
natted_back()
{
	local family

	for family in iptables ip6tables; do
		must ns box $family-restore -n <<-RULES
		*mangle
		-A POSTROUTING -p tcp -m conntrack --ctstate DNAT -j CONNMARK --set-mark 7
		-A OUTPUT -p tcp --dport 443 -m conntrack --ctdir ORIGINAL -j CONNMARK --set-mark 7
		-I PREROUTING -p tcp --sport 443 -m connmark --mark 7 -j DIVERT
		COMMIT
		RULES
	done
}

neighbours()
{
	must topo_ip box <<-LINES
	neigh replace 192.0.2.32 lladdr $MAC_C2 dev br0 nud permanent
	neigh replace 2001:db8:1::32 lladdr $MAC_C2 dev br0 nud permanent
	neigh replace 192.0.2.80 lladdr $MAC_L1 dev br0 nud permanent
	neigh replace 2001:db8:1::80 lladdr $MAC_L1 dev br0 nud permanent
	LINES
}

must topo_up
must servers_up
must proxy_up
echo_up srv
udp_proxy_up
neighbours
# The monitor must not forward its copies.
topo_sysctl c2 net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0

# --- control ------------------------------------------------------------------------

today_up udp
each_family mirrored "no module" tee
each_family mirrored "no module" dup
topo_box_broute_off
topo_box_redirect tcp
natted_back
each_family nat_all "no module"
today_down
neighbours

# --- copies -------------------------------------------------------------------------

kept_up
ns box conntrack -F 2>/dev/null
each_family mirrored "module" tee
each_family mirrored "module" dup
topo_box_rules_off
topo_box_rules -j MACKEEP --strict
each_family mirrored "strict" tee

# --- NAT ----------------------------------------------------------------------------

topo_box_rules_off
topo_box_rules -j MACKEEP
must ns box nft add rule bridge mackeep lift tcp sport 443 meta mark set $LIFT_MARK
natted_back
each_family nat_all "module" $MAC_C1 $MAC_R

net_done
