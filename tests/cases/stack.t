#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the stock path does with a packet on its way out happens to rewritten
# ones as well: control group programs, tc and nft at egress, packet sockets,
# conntrack's confirmation, counts and times.
#
#  c1 ..:c1 -- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv
#                             ^ tc, nft, packet socket; the proxy in a cgroup
#
# UDP, as each datagram is one packet wherever it is counted.
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need tc
tools udp egress

N=20
GROUP=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/proxy

# nft's hook at egress is there since Linux 5.16.
nft_egress()
{
	printf '%s\n' 5.16 "$(uname -r)" | sort -CV
}

# Counters at br0's egress, by source MAC
watch_egress()
{
	nft_egress && must ns box nft -f - <<-RULES
	table netdev watch {
		chain out {
			type filter hook egress device "br0" priority 0;
			ip protocol udp ether saddr $MAC_BR counter comment "box"
			ip protocol udp ether saddr $MAC_R counter comment "router"
			ip protocol udp ether saddr $MAC_C1 counter comment "client"
		}
	}
	RULES
	must ns box tc -batch - <<-LINES
	qdisc add dev br0 clsact
	filter add dev br0 egress pref 1 protocol ip flower ip_proto udp src_mac $MAC_BR action pass
	filter add dev br0 egress pref 2 protocol ip flower ip_proto udp src_mac $MAC_R action pass
	filter add dev br0 egress pref 3 protocol ip flower ip_proto udp src_mac $MAC_C1 action pass
	LINES
}

watch_off()
{
	nft_egress && ns box nft delete table netdev watch
	ns box tc qdisc del dev br0 clsact
}

# Packets with the box's, the router's and the client's source MAC
nft_saw()
{
	ns box nft list table netdev watch |
		awk '/counter packets/ { for (i = 1; i < NF; i++) if ($i == "packets") n = n " " $(i + 1) }
			END { print substr(n, 2) }'
}

tc_saw()
{
	ns box tc -s filter show dev br0 egress |
		awk '/Sent/ { n = n " " $4 } END { print substr(n, 2) }'
}

proxy_start()
{
	# A socket belongs to the control group of the process that opens it.
	must spawn_ready proxy sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh $GROUP \
		nsenter --net=/run/netns/mk-box -- udp proxy $PROXY_PORT
	udp_proxy=$spawned
}

egress_start() # count|drop
{
	must spawn_ready egress egress $1 $GROUP
	egress=$spawned
}

egress_saw()
{
	kill $egress
	wait $egress
	tail -n 1 "$TMP/egress.out"
}

# Frames of UDP on br0 by way and source MAC, as a packet socket there sees them
socket_saw() # WAY MAC
{
	wire_sum br0 "way == \"$1\" && src == \"$2\" && proto == \"udp\""
}

traffic() # TITLE
{
	wire_both
	wire_start br0 box br0
	ok "$1: $N datagrams there and back" ns c1 udp talk -n $N $S1
	wire_stop
	frames=$(($(wire_sum west 'way == "from" && proto == "udp"') +
		$(wire_sum east 'way == "from" && proto == "udp"')))
	bytes=$(($(wire_sum west 'way == "from" && proto == "udp"' bytes) +
		$(wire_sum east 'way == "from" && proto == "udp"' bytes)))
	is $frames $((2 * N)) "$1: as many frames from the box"
}

mkdir $GROUP || skip_all "no control groups"
defer rmdir $GROUP
must topo_up
echo_up srv
proxy_start

# --- control --------------------------------------------------------------------

today_up udp
watch_egress
egress_start count
traffic "no module"
nft_egress && is "$(nft_saw)" "$((2 * N)) 0 0" "no module: nft at egress sees the box's MAC"
is "$(tc_saw)" "$((2 * N)) 0 0" "no module: tc at egress sees the box's MAC"
is "$(socket_saw to $MAC_BR) $(socket_saw to $MAC_R)" "$((2 * N)) 0" \
	"no module: and so does a packet socket"
is "$(egress_saw)" "packets $frames bytes $((bytes - 14 * frames))" \
	"no module: the control group's program sees each packet"
watch_off
today_down

kept_up
topo_sysctl box net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
topo_box_remembers
ns box conntrack -F 2>/dev/null
tap_kill $udp_proxy
proxy_start
watch_egress
egress_start count

# --- each of them once ------------------------------------------------------------

traffic "module"
wire_clean "module"
nft_egress && is "$(nft_saw)" "0 $N $N" "nft at egress sees the rewritten frames"
is "$(tc_saw)" "0 $N $N" "tc at egress sees the rewritten frames"
is "$(socket_saw to $MAC_BR) $(socket_saw to $MAC_R) $(socket_saw to $MAC_C1)" "0 $N $N" \
	"a packet socket on br0 sees each of them once"
is "$(egress_saw)" "packets $frames bytes $((bytes - 14 * frames))" \
	"the control group's program sees each packet, without its Ethernet header"

# An entry is in the table only if it was confirmed.
each=$((bytes / frames - 14))
is "$(ns box conntrack -L -p udp 2>/dev/null | grep dport=443 |
	grep -o 'packets=[0-9]* bytes=[0-9]*' | sort | uniq -c | sed 's/^ *//')" \
	"4 packets=$N bytes=$((N * each))" \
	"both entries are confirmed and count what is on the wire, both ways"
is "$(ns box conntrack -L -p udp 2>/dev/null | grep dport=443 | grep -c delta-time=)" 2 \
	"and have their times"

# --- and can be dropped -------------------------------------------------------------

egress_start drop
out=$(($(mackeep_stat box orig) + $(mackeep_stat box reply)))
wire_both
nok "dropped by the program: the client gets nothing" ns c1 udp talk -t 1 $S1
wire_stop
like "$(egress_saw)" "^packets [1-9]" "dropped by the program: it saw the packet"
is "$(($(wire_sum west 'way == "from" && proto == "udp"') +
	$(wire_sum east 'way == "from" && proto == "udp"')))" 0 \
	"dropped by the program: nothing is on the wires"
is $(($(mackeep_stat box orig) + $(mackeep_stat box reply))) $out \
	"dropped by the program: nothing is counted as rewritten"

# What the proxy sends as the client goes, what it sends as the server does not.
dropped() # TITLE
{
	wire_both
	nok "$1: the client gets nothing" ns c1 udp talk -t 1 $S1
	wire_stop
	is "$(wire_sum west 'way == "from" && proto == "udp"') $(wire_sum east 'way == "from" && proto == "udp"')" \
		"0 1" "$1: the one with the router's MAC, and only that"
}

must ns box tc filter add dev br0 egress pref 1 protocol ip flower ip_proto udp \
	src_mac $MAC_R action drop
dropped "dropped by tc"
must ns box tc filter del dev br0 egress pref 1
if nft_egress; then
	must ns box nft add rule netdev watch out ip protocol udp ether saddr $MAC_R drop
	dropped "dropped by nft"
fi

tap_kill $udp_proxy
net_done
