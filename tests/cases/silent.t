#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box between two switches is silent: no frame with a MAC of its bridge, its
# ports or of what is on top of them is on either wire, whatever the network asks
# and whatever programs on the box send.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt 192.0.2.1
#                                 ..:b1  :b0  ..:b2                     ..:f1
#                              w2 [ port2 ]  ..:b3
#
# rt queries IGMP and MLD, advertises a prefix, asks for each address, and pings
# all. On the box are programs for LLDP and DHCP, which frame(1) plays.
#
# Control: as a distribution makes it, the box answers, and takes an address. A
# station with the bridge's own MAC shows that the guard looks at who sends.
#
# Seen by others: scipag/nac_bypass issue 8 (the box joined a group by IGMP in the
# second when the cable was plugged in, and the switch caught it) and issue 3 (its
# own MAC was seen upstream); systemd/systemd issue 2572 (bridged interfaces take
# addresses from router advertisements) and issue 13882 (a link-local address
# although the configuration says no); ntop/ntopng issue 895 (a DHCP client on an
# inline bridge); KatharaFramework/NetworkPlugin issue 4 (IPv6 solicitations and
# multicast reports of bridges on which IPv6 is off).
#
# Its time is long: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep
tools frame asks

PREFIX=2001:db8:9::

# The address that a device makes of its MAC
eui64() # PREFIX MAC
{
	local a b c d e f

	IFS=: read -r a b c d e f <<<"$2"
	printf '%s%x:%xff:fe%s:%x\n' "$1" $(((0x$a ^ 2) << 8 | 0x$b)) $((0x$c << 8)) \
		"$d" $((0x$e << 8 | 0x$f))
}

MINE="$(for mac in $MAC_BR $MAC_PORT0 $MAC_PORT1; do
	eui64 $PREFIX: $mac
	eui64 fe80:: $mac
done)"
asks $MAC_R 192.0.2.0 $PREFIX $MINE >"$TMP/asks" || must false

# Everything at once, from both sides
asked()
{
	must ns rt frame send -i lan <"$TMP/asks"
	must ns c1 frame send -i eth0 <"$TMP/asks"
}

# LLDP on a port, and a station that says who it is
lldp() # PORT MAC
{
	ns box frame send -i "$1" <<<"0180c200000e${2//:/}88cc0207040200000000b0040305706f060200780000"
}

# What agents on the box send: a frame for each port and address, DHCP on br0
agents()
{
	if [ -z "$blind" ]; then
		lldp port0 $MAC_PORT0
		lldp port1 $MAC_PORT1
	fi
	ns box frame make has $MAC_BR 192.0.2.5 | ns box frame send -i br0
	frame make udp $MAC_BR ff:ff:ff:ff:ff:ff 0.0.0.0 255.255.255.255 68 67 244 |
		ns box frame send -i br0
	ns box bash -c 'echo >/dev/udp/192.0.2.1/9' 2>/dev/null
}

blind= # an old kernel: what is sent on a port is not seen

guarded()
{
	mackeep_stat box guarded
}

guarded_past() # COUNT
{
	[ "$(guarded)" -ge "$1" ]
}

# Asked and with its agents running the box stays silent; the guard drops COUNT
# frames or more.
silent() # TITLE COUNT
{
	local before

	before=$(guarded)
	wire_both
	asked
	agents
	ok "$1: the guard drops frames" busywait 20 guarded_past $((before + $2)) ||
		diag "$(($(guarded) - before)) frames"
	wire_stop
	cmp_ok "$(wire_sum west "way == \"to\" && src == \"$MAC_R\"") " -ge 250 "$1: it was asked"
	wire_clean "$1"
}

global()
{
	ns box ip -6 -o addr show dev br0 scope global | grep -v tentative
}

no_global()
{
	! global >/dev/null
}

up()
{
	ns box mackeep up --bridge br0 --tcp 443 --to $PROXY_PORT "$@"
}

must topo_up

# --- control -----------------------------------------------------------------------

wire_both
asked
ok "no module: the box takes an address from the router" busywait 20 global
asked
agents
busywait 10 wire_has west "src ~ /:b[012]\$/ && saddr ~ /^$PREFIX/"
# A report may come as late as the query allows.
busywait 20 wire_has west 'src ~ /:b[012]$/ && dst == "33:33:00:00:00:16"'
wire_stop
for what in 'dst == "33:33:00:00:00:16" && proto == "0"' 'proto == "icmp" && sport == 133' \
	'proto == "icmp" && sport == 136' 'proto == "icmp" && sport == 129' \
	'proto == "2"' 'type == "88cc"' 'proto == "udp" && dport == 67'; do
	cmp_ok "$(wire_own "$what")" -gt 0 "no module: it talks: $what"
done

# --- the guard alone: everything is still sent --------------------------------------

module_load || module_needed
nok "a name that no device can have" ns box mackeep silence add --guard a/b
ok "silence add --guard" ns box mackeep silence add --guard br0
! ns box mackeep silence 2>/dev/null | has " bridge-only$" || blind=1
is "${blind:-0}" "$(uname -r | awk -F . '{ print $1 < 5 || $1 == 5 && $2 < 16 }')" \
	"guard: it says whether it sees the ports themselves"
# Then silence leaves nothing that could talk there.
[ -z "$blind" ] || topo_sysctl box net.ipv6.conf.{default,port0,port1}.disable_ipv6=1
silent "guard" 12
like "$(global)" "$PREFIX" "guard: the router's address makes no host of the box"
like "$(ns box mackeep silence)" "^br0 ports=2 dropped=[1-9]" "guard: listed"
is "$(ns box mackeep silence | sed 's/.*dropped=\([0-9]*\).*/\1/')" "$(guarded)" \
	"guard: its count is that of mackeep stat"

# --- up -------------------------------------------------------------------------------

like "$(up 2>&1)" "it loses the address $PREFIX.* from a router" \
	"up: says that it takes the address away"
ok "up: the address is gone" no_global
like "$(ip -n mk-box -d link show br0)" " mcast_snooping 0 " "up: and so is snooping"
silent "up" 4
ok "up: no new address" no_global
ok "down" ns box mackeep down br0
silent "down" 4 # the guard was there before
ok "and up again" up
silent "up again" 4

# --- things change ----------------------------------------------------------------------

must ip -n mk-box link set port0 nomaster
must ip -n mk-box link set port0 master br0
silent "a port that left and came back" 4

must topo_ip box <<-LINES
	link set br0 address 02:00:00:00:99:b0
	link set port1 address 02:00:00:00:99:b2
	link add link br0 name br0.100 address 02:00:00:00:98:b0 type vlan id 100
	link add link port0 name port0.7 address 02:00:00:00:98:b1 type vlan id 7
	link add link br0 name mv0 address 02:00:00:00:97:b0 type macvlan
	link set br0.100 up
	link set port0.7 up
	link set mv0 up
LINES
wire_both
before=$(guarded)
for pair in br0:02:00:00:00:99:b0 br0:02:00:00:00:98:b0 br0:02:00:00:00:97:b0 \
	br0.100:02:00:00:00:98:b0 mv0:02:00:00:00:97:b0; do
	ns box frame make has ${pair#*:} 192.0.2.5 | ns box frame send -i ${pair%%:*}
done
ok "other MACs: each is known" busywait 10 guarded_past $((before + 10))
if [ -z "$blind" ]; then
	lldp port0 02:00:00:00:98:b1
	lldp port0.7 02:00:00:00:98:b1
	lldp port1 02:00:00:00:99:b2
	ok "other MACs: on the ports too" busywait 10 guarded_past $((before + 13))
fi
wire_stop
wire_clean "other MACs"
must topo_ip box <<-LINES
	link del mv0
	link del port0.7
	link del br0.100
	link set br0 address $MAC_BR
	link set port1 address $MAC_PORT1
	link set port0 down
	link set port0 name lan0
	link set lan0 up
LINES
must busywait 10 topo_forwards
wire_both
before=$(guarded)
ns box frame make has $MAC_PORT0 192.0.2.5 | ns box frame send -i br0
ok "renamed: the port is guarded" busywait 10 guarded_past $((before + 2))
wire_stop
wire_clean "renamed"
must topo_ip box <<-LINES
	link set lan0 down
	link set lan0 name port0
	link set port0 up
LINES

# A third port, which has a guard of its own before it is one
ok "a guard for what is not there yet" ns box mackeep silence add --guard port2
must ip -batch - <<-LINES
	$(topo_link box port2 02:00:00:00:00:b3 west w2 02:00:00:00:01:b3)
LINES
must ip -n mk-west link set w2 up
like "$(ns box mackeep silence list port2)" "^port2 ports=1 " "it is there when the device is"
must ip -n mk-box link set port2 up
wire_start third west w2
if [ -z "$blind" ]; then
	before=$(guarded)
	lldp port2 02:00:00:00:00:b3
	ok "no port yet: dropped" busywait 10 guarded_past $((before + 1))
fi
must ip -n mk-box link set port2 master br0
like "$(ns box mackeep silence)" "br0 ports=3 .*port2 ports=0 " "a port: the bridge's guard has it"
before=$(guarded)
ns box frame make has 02:00:00:00:00:b3 192.0.2.5 | ns box frame send -i br0
ok "a third port: dropped on each" busywait 10 guarded_past $((before + 3))
wire_stop third
is "$(wire_sum third 'way == "from" && src ~ /:b[0-3]$/')" 0 "a third port: and not on its wire"
must ip -n mk-box link del port2
like "$(ns box mackeep silence)" "br0 ports=2 .*port2 ports=0 " "the port is gone, the guards are there"

# --- it is not of this box ------------------------------------------------------------

must busywait 10 topo_forwards
wire_both
before=$(guarded)
must ns c1 frame send -i eth0 -n 3 <<<"$(frame make has $MAC_BR 192.0.2.31)"
busywait 10 wire_has east "way == \"from\" && src == \"$MAC_BR\""
wire_stop
is "$(wire_sum east "way == \"from\" && src == \"$MAC_BR\"")" 3 \
	"a station with the bridge's MAC is bridged"
is "$(guarded)" "$before" "and not counted"

# --- a host -------------------------------------------------------------------------------

# A connection is refused.
answers() # ADDRESS
{
	ns rt timeout 10 bash -c "</dev/tcp/$1/9" >"$TMP/answer" 2>&1
	grep refused "$TMP/answer" || { cat "$TMP/answer"; ns rt ip neigh; return 1; }
}

must ip -n mk-box addr add 169.254.7.7/16 dev br0 scope link
silent "a link-local address" 4
must ip -n mk-box addr flush dev br0
must ip -n mk-box addr add 192.0.2.5/24 dev br0
ok "with an address the bridge is heard, guard or not" answers 192.0.2.5
like "$(ns box mackeep silence add br0 2>&1)" "it has the address 192.0.2.5, and talks" \
	"silence add does not lock anybody out"
like "$(ns box mackeep down br0; up 2>&1)" "it has the address 192.0.2.5 and so talks" \
	"up: says that it talks"
is "$(ns box mackeep down br0; up --talk 2>&1)" "" "up --talk: says nothing"
must ns box mackeep down br0
must ip -n mk-box addr flush dev br0
silent "without it again" 4
must topo_ip box <<-LINES
	link add link br0 name br0.100 type vlan id 100
	addr add 198.51.100.5/24 dev br0.100
	link set br0.100 up
LINES
must topo_ip rt <<-LINES
	link add link lan name lan.100 type vlan id 100
	addr add 198.51.100.1/24 dev lan.100
	link set lan.100 up
LINES
ok "a VLAN device with an address is heard" answers 198.51.100.5
must ip -n mk-box link del br0.100

# --- namespaces, limits, bad input ---------------------------------------------------------

must ip -batch - <<-LINES
	netns add mk-other
	link add br0 address $MAC_BR netns mk-other type bridge
LINES
defer eval "ip netns del mk-other 2>/dev/null"
is "$(ns other mackeep silence 2>/dev/null)" "" "another namespace has no guard"
for ((i = 0; i < 64; i++)); do
	ns other mackeep silence add --guard br$i || break
done
is $i 64 "64 guards"
like "$(ns other mackeep silence add --guard br64 2>&1)" "as many guards as there may be" \
	"one more is refused"
like "$(ns other mackeep silence add --guard br1 2>&1)" "guarded already" "one that is there too"
like "$(ns other mackeep silence del nothing 2>&1)" "no guard of this name" \
	"and to delete one that is not there"
like "$(ns other mackeep silence add --guard 123456789012345 2>&1)" "as many" "15 letters are a name"
isnt "$(ns other mackeep silence add --guard 1234567890123456 2>&1)" "" "16 are not"
is "$(ns other mackeep silence 2>/dev/null | wc -l)" 64 "nothing has changed"
must ip netns del mk-other

# --- udev -----------------------------------------------------------------------------------

for name in $(ns box mackeep silence 2>/dev/null | cut -d ' ' -f 1); do
	must ns box mackeep silence del $name
done
mkdir -p /etc/mackeep
printf 'tcp 443\nto 3129\n' >/etc/mackeep/br0.conf
ok "udev, no ports in the file" ns box mackeep silence --udev br0
is "$(ns box mackeep silence 2>/dev/null)" "" "nothing is guarded"
printf 'bridge br0\nports port0,port1\ntcp 443\nto 3129\ntalk\n' >/etc/mackeep/br0.conf
ok "udev, the file says talk" ns box mackeep silence --udev port0
is "$(ns box mackeep silence 2>/dev/null)" "" "nothing is guarded"
sed -i /talk/d /etc/mackeep/br0.conf
echo 'nonsense' >/etc/mackeep/aa0.conf
topo_sysctl box net.ipv6.conf.{br0,port0,port1}.disable_ipv6=0
ok "udev, a port" ns box mackeep silence --udev port0
is "$(ns box mackeep silence 2>/dev/null | cut -d ' ' -f 1 | sort | xargs)" "br0 port0 port1" \
	"all are guarded"
is "$(ns box cat /proc/sys/net/ipv6/conf/{br0,port0,port1}/disable_ipv6 | xargs)" "0 1 0" \
	"that one has no IPv6"
ok "udev, the bridge" ns box mackeep silence --udev br0
ok "udev, the other port" ns box mackeep silence --udev port1
is "$(ns box cat /proc/sys/net/ipv6/conf/{br0,port0,port1}/disable_ipv6 | xargs)" "0 1 1" \
	"then no port has, and the bridge has it for the proxy"
is "$(ns box cat /proc/sys/net/ipv6/conf/br0/{accept_ra,accept_dad,addr_gen_mode} | xargs)" "0 0 1" \
	"without an address"
echo 'family ipv4' >>/etc/mackeep/br0.conf
ok "udev, for IPv4 alone" ns box mackeep silence --udev br0
is "$(ns box cat /proc/sys/net/ipv6/conf/br0/disable_ipv6)" 1 "the bridge has none either"
is "$(ns box mackeep silence --udev eth9 2>&1)" "" "udev, a stranger: nothing"
silent "udev" 4
ok "up with the file" ns box mackeep up br0
ok "down" ns box mackeep down br0
silent "down, but udev's silence stays" 4
rm -f /etc/mackeep/br0.conf /etc/mackeep/aa0.conf

# --- the module goes under traffic, and a namespace with guards ---------------------------

spawn talker ns box sh -c "while :; do
	frame make has $MAC_BR 192.0.2.5 | frame send -i br0 -n 500; done"
must busywait 10 guarded_past $(($(guarded) + 100))
ok "the module goes while frames are dropped" rmmod xt_MACKEEP
wire_both
must busywait 10 wire_has west "src == \"$MAC_BR\""
wire_stop
must module_load
ok "and comes back" ns box mackeep silence add br0
must busywait 10 guarded_past 100
must ip netns del mk-box
tap_kill $spawned
net_done
