# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The network of the tests, all in network namespaces.
#
#  c1 192.0.2.31 ---+                                      +--- l1 192.0.2.80
#     ..:c1         |         box                          |       ..:80
#                 west --- port0 br0 port1 --- east -------+--- l2 192.0.2.81
#     ..:c2         |   w0  :b1  :b0  :b2     e0           |       ..:81
#  c2 192.0.2.32 ---+                                      +--- rt 192.0.2.1
#                                                                  ..:f1
#                                                                  |
#                                   srv 203.0.113.73, .74 ---------+
#
# west and east are switches. Captures are made at w0 and e0, the far ends of
# the box's two cables. IPv6 is the same with 2001:db8:1:: and 2001:db8:2::
# when V6=1 is set, else off. The switches have no link-local address; the box is
# as it is out of the package, and talks until the product silences it.

MAC_C1=02:00:00:00:00:c1
MAC_C2=02:00:00:00:00:c2
MAC_R=02:00:00:00:00:f1
MAC_L1=02:00:00:00:00:80
MAC_L2=02:00:00:00:00:81
MAC_S=02:00:00:00:00:73
MAC_BR=02:00:00:00:00:b0
MAC_PORT0=02:00:00:00:00:b1
MAC_PORT1=02:00:00:00:00:b2

# The addresses of family 4 or 6, and what wire(1) calls its packets
topo_family() # FAMILY
{
	local lan=192.0.2. wan=203.0.113.

	family=$1
	IP=ip
	if [ "$family" = 6 ]; then
		lan=2001:db8:1:: wan=2001:db8:2::
		IP=ip6
	fi
	GW=${lan}1
	C1=${lan}31 C2=${lan}32 L1=${lan}80 L2=${lan}81
	S1=${wan}73 S2=${wan}74
}
topo_family 4

# Runs COMMAND "TITLE, IPv4" ARG... with the addresses of IPv4, then the same with
# IPv6. $family is 4 or 6.
each_family() # COMMAND [TITLE [ARG...]]
{
	local command=$1 title=${2:+$2, }

	shift $(($# < 2 ? 1 : 2))
	for family in 4 6; do
		topo_family $family
		"$command" "${title}IPv$family" "$@"
	done
	topo_family 4
}

LIFT_MARK=0x4d4b
PROXY_PORT=3129

TOPO_NS="c1 c2 west box east rt l1 l2 srv"
TOPO=mk # what the names of the namespaces begin with

# nsenter instead of ip netns exec: no mount namespace, which is slow to make
ns() # NAME COMMAND [ARG...]
{
	local name=$1

	shift
	nsenter --net="/run/netns/$TOPO-$name" -- "$@"
}

# Each line for ip(8), in namespace NAME
topo_ip() # NAME <LINES
{
	ip -n "$TOPO-$1" -batch -
}

# Keys that this kernel does not have are left out.
topo_sysctl() # NAME KEY=VALUE...
{
	local name=$1 key keys=()

	shift
	for key; do
		keys+=("/proc/sys/${key//.//}")
	done
	ns "$name" sh -c 'for key; do
		file=${key%%=*}
		[ ! -e "$file" ] || echo "${key#*=}" >"$file"
	done' sh "${keys[@]}"
}

topo_down()
{
	local name

	for name in $TOPO_NS; do
		[ ! -e "/run/netns/$TOPO-$name" ] || echo "netns del $TOPO-$name"
	done | ip -batch -
}

topo_link() # NS IF MAC NS IF MAC
{
	echo "link add $2 address $3 netns $TOPO-$1 type veth" \
	     "peer name $5 address $6 netns $TOPO-$4"
}

topo_up()
{
	local name v6off=1 ports quiet

	[ -z "${V6-}" ] || v6off=0
	topo_down
	defer eval "TOPO=$TOPO topo_down"

	must ip -batch - <<<"$(printf "netns add $TOPO-%s\n" $TOPO_NS)"
	# In parallel: most of the time goes into starting programs.
	for name in $TOPO_NS; do
		ports="32768 46999" quiet=(accept_dad=0 accept_ra=0 router_solicitations=0)
		[[ $name != west && $name != east ]] || quiet+=(addr_gen_mode=1)
		# One kernel may give two namespaces that connect at a time the
		# same port: both legs of different sessions would be one flow.
		[ $name != box ] || ports="47000 60999" quiet=()
		topo_sysctl "$name" net.ipv6.conf.all.disable_ipv6=$v6off \
			net.ipv6.conf.default.disable_ipv6=$v6off \
			"${quiet[@]/#/net.ipv6.conf.default.}" \
			net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 \
			net.ipv4.tcp_fin_timeout=3 \
			net.ipv4.ip_local_port_range="$ports" \
			net.bridge.bridge-nf-call-iptables=0 \
			net.bridge.bridge-nf-call-ip6tables=0 \
			net.bridge.bridge-nf-call-arptables=0 &
		topo_also
	done
	must topo_all

	# Bridges first: the two ends of a cable get different numbers that way.
	# Where they are the same, Linux takes the end for a device without a
	# peer, and may act on its carrier a second late.
	must ip -batch - <<-LINES
	$(topo_bridge west 02:00:00:00:02:b1) mcast_snooping 0
	$(topo_bridge east 02:00:00:00:02:b2) mcast_snooping 0
	$(topo_bridge box $MAC_BR)
	$(topo_link c1 eth0 $MAC_C1 west c1 02:00:00:00:01:c1)
	$(topo_link c2 eth0 $MAC_C2 west c2 02:00:00:00:01:c2)
	$(topo_link box port0 $MAC_PORT0 west w0 02:00:00:00:01:b1)
	$(topo_link box port1 $MAC_PORT1 east e0 02:00:00:00:01:b2)
	$(topo_link l1 eth0 $MAC_L1 east l1 02:00:00:00:01:80)
	$(topo_link l2 eth0 $MAC_L2 east l2 02:00:00:00:01:81)
	$(topo_link rt lan $MAC_R east rt 02:00:00:00:01:f1)
	$(topo_link srv eth0 $MAC_S rt wan 02:00:00:00:00:f2)
	LINES

	topo_ports west w0 c1 c2 & topo_also
	topo_ports east e0 l1 l2 rt & topo_also
	topo_ports box port0 port1 & topo_also
	topo_host c1 $C1 31 & topo_also
	topo_host c2 $C2 32 & topo_also
	topo_host l1 $L1 80 & topo_also
	topo_host l2 $L2 81 & topo_also
	topo_server & topo_also
	topo_router & topo_also
	must topo_all
	topo_box_bare
	must busywait 10 topo_forwards
}

# Every port of every bridge forwards. It starts when the kernel has noticed the
# carrier, which is after "ip link set up" has returned.
topo_forwards()
{
	local name

	for name in west box east; do
		bridge -n $TOPO-$name link |
			awk '/ state forwarding / { n++ } END { exit !n || n != NR }' ||
			return
	done
}

# Background jobs, each of which makes a part of the topology. topo_all waits for
# them, and fails if one has failed.
topo_pids=()

topo_also()
{
	topo_pids+=($!)
}

topo_all()
{
	local pid rc=0

	for pid in "${topo_pids[@]}"; do
		wait "$pid" || rc=1
	done
	topo_pids=()
	return $rc
}

topo_server()
{
	topo_ip srv <<-LINES
	link set lo up
	addr add $S1/24 dev eth0
	addr add $S2/24 dev eth0
	link set eth0 up
	route add default via 203.0.113.1
	${V6:+addr add 2001:db8:2::73/64 dev eth0 nodad}
	${V6:+addr add 2001:db8:2::74/64 dev eth0 nodad preferred_lft 0}
	${V6:+route add default via 2001:db8:2::1}
	LINES
}

topo_router()
{
	topo_ip rt <<-LINES || return
	link set lo up
	addr add 192.0.2.1/24 dev lan
	addr add 203.0.113.1/24 dev wan
	link set lan up
	link set wan up
	${V6:+addr add 2001:db8:1::1/64 dev lan nodad}
	${V6:+addr add 2001:db8:2::1/64 dev wan nodad}
	LINES
	topo_sysctl rt net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.lan.send_redirects=0
}

topo_bridge() # NS MAC
{
	echo "link add br0 address $2 netns $TOPO-$1 type bridge"
}

topo_ports() # NS PORT...
{
	local name=$1 port

	shift
	topo_ip "$name" <<-LINES
	link set lo up
	$(for port; do echo "link set $port master br0 up"; done)
	link set br0 up
	LINES
}

topo_host() # NS ADDRESS NUMBER
{
	topo_ip "$1" <<-LINES
	link set lo up
	addr add $2/24 dev eth0
	link set eth0 up
	route add default via 192.0.2.1
	${V6:+addr add 2001:db8:1::$3/64 dev eth0 nodad}
	${V6:+route add default via 2001:db8:1::1}
	LINES
}

# The box as a piece of wire: no address, no gateway, no ARP. The policy route
# is what TPROXY needs in any case.
topo_box_bare()
{
	must topo_ip box <<-LINES
	rule add fwmark 1 lookup 100
	route add local default dev lo table 100
	route add default dev br0
	LINES
	[ -z "${V6-}" ] || must ip -6 -n $TOPO-box -batch - <<-LINES
	rule add fwmark 1 lookup 100
	route add local default dev lo table 100
	route add default dev br0
	LINES
}

# Without that route, as "mackeep up" finds a box
topo_box_unrouted()
{
	local family

	for family in -4 ${V6:+-6}; do
		must ip $family -n $TOPO-box -batch - <<-LINES
			rule del fwmark 1 lookup 100
			route flush table 100
			route del default dev br0
		LINES
	done
}

# The box as a host of the network, as people run it today.
topo_box_addressed()
{
	must topo_ip box <<-LINES
	route del default dev br0
	addr add 192.0.2.5/24 dev br0
	route add default via 192.0.2.1
	${V6:+route del ::/0 dev br0}
	${V6:+addr add fe80::b0/64 dev br0 nodad}
	${V6:+addr add 2001:db8:1::5/64 dev br0 nodad}
	${V6:+route add ::/0 via 2001:db8:1::1}
	LINES
}

topo_box_unaddressed()
{
	must topo_ip box <<-LINES
	${V6:+route del ::/0 via 2001:db8:1::1}
	addr flush dev br0
	neigh flush dev br0
	route add default dev br0
	${V6:+route add ::/0 dev br0}
	LINES
}

# Its conntrack forgets no flow before a test has counted it, even in a slow kernel.
# The knobs are there once conntrack is loaded.
topo_box_remembers()
{
	must modprobe nf_conntrack
	topo_sysctl box net.netfilter.nf_conntrack_udp_timeout{,_stream}=600 \
		net.netfilter.nf_conntrack_tcp_timeout_{fin_wait,close_wait,last_ack,time_wait,close}=600
}

# Marks the frames that are for the box, so that the module lifts them
topo_box_marks() # [MATCH]
{
	local match=${1:-meta l4proto \{ tcp, udp \} th dport 443}

	must ns box nft -f - <<-RULES
	table bridge mackeep {
		chain lift {
			type filter hook prerouting priority dstnat; policy accept;
			$match meta mark set $LIFT_MARK
		}
	}
	RULES
}

# Redirects the frames that are for the box, as people do it today: their h_dest
# becomes the box's own MAC, on both sides.
topo_box_broute()
{
	local rule="-A BROUTING -j redirect --redirect-target DROP" way

	for way in dport sport; do
		ns box ebtables-legacy -t broute $rule -p IPv4 --ip-proto tcp \
			--ip-$way 443 2>/dev/null || break
		[ -z "${V6-}" ] || must ns box ebtables-legacy -t broute $rule \
			-p IPv6 --ip6-proto tcp --ip6-$way 443
		[ $way != sport ] || return 0
	done

	# A kernel without ebtables is new enough for nft to do the same.
	must ns box nft -f - <<-RULES
	table bridge broute {
		map own {
			type ifname : ether_addr
			elements = { port0 : $MAC_PORT0, port1 : $MAC_PORT1 }
		}
		chain take {
			ether daddr set iifname map @own meta pkttype set host meta broute set 1
		}
		chain arriving {
			type filter hook prerouting priority dstnat; policy accept;
			tcp dport 443 jump take
			tcp sport 443 jump take
		}
	}
	RULES
}

# Likewise for one protocol, in the bridge itself, which learns from the frames
topo_box_redirect() # tcp|udp
{
	local redirect="ether daddr set $MAC_BR meta pkttype set host"

	must ns box nft -f - <<-RULES
	table bridge redirected {
		chain arriving {
			type filter hook prerouting priority dstnat; policy accept;
			$1 dport 443 $redirect
			$1 sport 443 $redirect
		}
	}
	RULES
	[ $1 = udp ] || return 0

	must ns box nft add rule bridge redirected arriving "ip frag-off & 0x1fff != 0 $redirect"
	[ -z "${V6-}" ] ||
		must ns box nft add rule bridge redirected arriving "exthdr frag exists $redirect"
}

topo_box_broute_off()
{
	# Frames pass a table even if it has no rule.
	if [ -d /sys/module/ebtable_broute ]; then
		ns box ebtables-legacy -t broute -F
		modprobe -qr ebtable_broute
	fi 2>/dev/null
	ns box nft delete table bridge broute 2>/dev/null
	ns box nft delete table bridge redirected 2>/dev/null
	return 0
}

# The box as people run it today, for controls: with an address, and with frames
# of TCP or of PROTOCOL that are redirected to its own MAC.
today_up() # [tcp|udp, by the bridge's own rules]
{
	topo_box_addressed
	topo_box_rules
	if [ $# -gt 0 ]; then
		topo_box_redirect $1
	else
		topo_box_broute
	fi
}

today_down()
{
	topo_box_broute_off
	topo_box_rules_off
	topo_box_unaddressed
}

# The rules of TPROXY, with the one that is given before them
topo_box_rules() # [-j MACKEEP [OPTION...]]
{
	local rule=$* family

	for family in iptables ${V6:+ip6tables}; do
		must ns box "$family-restore" <<-RULES
		*mangle
		:DIVERT -
		-A DIVERT -j MARK --set-mark 1
		-A DIVERT -j ACCEPT
		${rule:+-A PREROUTING $rule}
		-A PREROUTING -m socket --transparent -j DIVERT
		-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		-A PREROUTING -p udp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		COMMIT
		RULES
	done
}

topo_box_rules_off()
{
	local family

	for family in iptables ${V6:+ip6tables}; do
		ns box "$family" -t mangle -F
		ns box "$family" -t mangle -X
	done
}

# All that nftables has to do on a box without iptables, as in /etc/nftables.conf:
# frames are marked, their flows get the helper, and the proxy gets them.
topo_nft_rules()
{
	local table

	cat <<-RULES
	flush ruleset
	table bridge mackeep {
		chain lift {
			type filter hook prerouting priority dstnat; policy accept;
			meta l4proto { tcp, udp } th dport 443 meta mark set $LIFT_MARK
		}
	}
	RULES
	for table in ip ip6; do
		cat <<-RULES
		table $table mackeep {
			ct helper keep-tcp {
				type "mackeep" protocol tcp
			}
			ct helper keep-udp {
				type "mackeep" protocol udp
			}
			chain keep {
				type filter hook prerouting priority mangle - 1; policy accept;
				tcp dport 443 ct helper set "keep-tcp"
				udp dport 443 ct helper set "keep-udp"
			}
			chain proxy {
				type filter hook prerouting priority mangle; policy accept;
				socket transparent 1 meta mark set 1 accept
				tcp dport 443 tproxy to :$PROXY_PORT meta mark set 1
				udp dport 443 tproxy to :$PROXY_PORT meta mark set 1
			}
		}
		RULES
	done
}
