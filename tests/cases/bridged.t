#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Frames that are not proxied pass the bridge unchanged, byte for byte, MACs and
# VLAN tags included, and make no conntrack entry: IPv4 and IPv6, ARP, NDP, MLD,
# and multicast even if its mark says to lift it.
#
#  c1 ..:c1 --+                                     +-- l1 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#             |              (-j MACKEEP)           +-- rt ..:f1 -- srv .73
#   at w0: hash of each frame  ---- the same ----  at e0: hash of each frame

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools frame udp

# An IPv6 frame from c1 in hexadecimal. The checksum is left out: a bridge ignores it.
frame6() # DMAC SMAC NEXT-HEADER HOPS DADDR PAYLOAD
{
	printf '%s%s86dd60000000%04x%s%s20010db8000100000000000000000031%s%s\n' \
		"$1" "$2" $((${#6} / 2)) "$3" "$4" "$5" "$6"
}

# NDP, MLD and multicast to the very port that is proxied
multicast() # SMAC DMAC
{
	local src=${1//:/} dst=${2//:/} nodes=ff0200000000000000000000000000
	local target=20010db8000100000000000000000001

	frame6 3333ff000001 $src 3a ff ff0200000000000000000001ff000001 \
		"8700000000000000${target}0101$src"
	frame6 $dst $src 3a ff $target "8800000060000000${target}0201$src"
	frame6 333300000001 $src 3a ff ${nodes}01 "8800000020000000${target}0201$src"
	frame6 333300000002 $src 3a ff ${nodes}02 "85000000000000000101$src"
	frame6 333300000016 $src 00 01 ${nodes}16 \
		"3a000502000001008f0000000000000104000000${nodes}fb"
	frame6 333300000101 $src 11 40 ff0e0000000000000000000000000101 \
		13c401bb00100000aaaaaaaaaaaaaaaa
	frame make udp $1 01:00:5e:01:01:01 $C1 239.1.1.1 5060 443
}

# IPv4 and other frames for a station on the other side
frames() # SMAC DMAC
{
	local head=${2//:/}${1//:/} pad

	printf -v pad '%092d' 0
	frame make udp $1 $2 $C1 $S1 5000 53
	frame make -b 40 udp $1 $2 $C1 $S1 5000 53	# bad checksum
	frame make icmp $1 $2 $C1 $S1 8 0
	frame make syn $1 $2 $C1 $S1 5000 80
	frame make udp $1 $2 $C1 $S1 5000 4433 1400
	echo "${head}88b5$pad"				# experimental
	echo "${head}0026aaaa03$pad"			# 802.2
	echo "${head}81000064080045$pad"		# VLAN 100
	echo "${head}810000c8810000640800$pad"		# VLAN 200 and in it 100
	echo "${head}86dd60000000000011ff$pad"		# IPv6
	echo "ffffffffffff${1//:/}0806000108000604000100$pad"
	echo "01005e000001${1//:/}88b5$pad"
	multicast $1 $2
}

traffic() # TITLE
{
	frames $MAC_C1 $MAC_R >"$TMP/frames"
	ok "$1: frames from the west" ns c1 frame send -i eth0 <"$TMP/frames"
	frames $MAC_L1 $MAC_C1 >"$TMP/frames"
	ok "$1: frames from the east" ns l1 frame send -i eth0 <"$TMP/frames"
	each_family unproxied "$1"
	wire_stop
}

unproxied() # TITLE
{
	ok "$1: a TCP service that is not proxied" ns c1 load get -c 4 -n 20 -s 50000 $S1 80
	ok "$1: a UDP service that is not proxied" ns c1 udp talk -n 20 $S1 53
}

same() # TITLE NAME WAY NAME WAY
{
	# Sorted: with several processors the order of frames may change.
	awk -v way=$3 '$1 == way { print $2, $3 }' "$TMP/$2" | sort >"$TMP/one"
	awk -v way=$5 '$1 == way { print $2, $3 }' "$TMP/$4" | sort >"$TMP/two"
	cmp_ok "$(wc -l <"$TMP/one")" -ge 60 "$1: frames were seen"
	ok "$1: frames of one side are those of the other, byte for byte" \
		diff "$TMP/one" "$TMP/two"
}

passed() # TITLE
{
	same "$1, eastward" west to east from
	same "$1, westward" east to west from
}

# By default a host asks a neighbour that it has not heard of for 5 s whether it is
# still there. Such a frame may come while only one of the two captures runs.
patient() # NAME
{
	ns $1 sh -c 'for file in /proc/sys/net/ipv[46]/neigh/*/delay_first_probe_time; do
		echo 300 >$file
	done'
}

must topo_up
for name in c1 l1 rt srv; do
	must patient $name
done
must servers_up
web_up srv 80
echo_up srv 53
must proxy_up

# A wire, by hand: what the box itself sends, as when it leaves a multicast group, stays.
hushed() # VERB
{
	local port mac

	for port in port0 port1; do
		must ns box tc qdisc $1 dev $port clsact
		[ $1 = add ] || continue
		for mac in $MAC_BR $MAC_PORT0 $MAC_PORT1; do
			must ns box tc filter add dev $port egress protocol all flower src_mac $mac action drop
		done
	done
}

hushed add
must ip -n mk-box link set br0 type bridge mcast_snooping 0
wire_both -H
traffic "no module"
passed "no module"
must ip -n mk-box link set br0 type bridge mcast_snooping 1
hushed del

kept_up
ns box conntrack -F 2>/dev/null
wire_both -H
traffic "module"
passed "module"
# Others may be of the box's own.
entries=$(ns box conntrack -L 2>/dev/null; ns box conntrack -L -f ipv6 2>/dev/null)
is "$(grep -E '(192\.0\.2|198\.51\.100|203\.0\.113|2001:db8)[.:]' <<<"$entries")" "" \
	"no conntrack entry for all that"
is "$(mackeep_stat box lifted) $(mackeep_stat box lifted_sock)" "0 0" \
	"no frame was lifted"

# The comparison can fail: a proxied request differs
wire_both -H
ok "a proxied request" ns c1 load get $S1
proxy_quiet
wire_stop
nok "the frames of a proxied request are not the same on both sides" \
	diff <(awk '$1 == "to" { print $2, $3 }' "$TMP/west" | sort) \
	<(awk '$1 == "from" { print $2, $3 }' "$TMP/east" | sort)
cmp_ok "$(ns box conntrack -C)" -ge 2 "and it has conntrack entries"

net_done
