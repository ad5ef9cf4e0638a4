#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packets that are larger than the MTU: super-packets of TCP where
# the device segments and where it cannot, a route with a smaller MTU,
# datagrams that must not be fragmented. IPv4 and IPv6.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#
# Control: what leaves without the module has the box's own MAC.
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need ethtool
tools udp

V6=1
BYTES=500000
HEAD=14

transfer() # TITLE
{
	ok "$1: a download, bytes intact" ns c1 load get -s $BYTES $S1
	ok "$1: an upload, bytes intact" ns c1 load get -u $BYTES $S1
	wire_stop
}

kept() # TITLE
{
	wire_both
	transfer "$1"
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 10 "$1: to the client"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 10 "$1: to the server"
	wire_clean "$1"
}

# No frame on the wire is longer than BYTES.
fit() # TITLE BYTES
{
	kept "$1"
	cmp_ok "$(wire_longest west tcp)" -le $2 "$1: no frame to the client over $2 bytes"
	cmp_ok "$(wire_longest east tcp)" -le $2 "$1: no frame to the server over $2 bytes"
}

super() # TITLE
{
	kept "$1"
	cmp_ok "$(wire_longest west tcp)" -gt $((1500 + HEAD)) "$1: super-packets to the client"
	cmp_ok "$(wire_longest east tcp)" -gt $((1500 + HEAD)) "$1: super-packets to the server"
}

today()
{
	wire_both
	transfer "$1"
	cmp_ok "$(wire_own 'proto == "tcp"')" -ge 20 "$1: the box's own MAC is on the wire"
}

no_offloads()
{
	local dev

	for dev in br0 port0 port1; do
		must ns box ethtool -K $dev tso off gso off tx off sg off >/dev/null
	done
}

route_mtu() # MTU|""
{
	must topo_ip box <<-LINES
	route replace default dev br0 ${1:+mtu lock $1}
	route del ::/0 dev br0
	route add ::/0 dev br0 ${1:+mtu lock $1}
	LINES
}

must topo_up
must servers_up
must proxy_up

today_up
each_family today "no module"
today_down

kept_up

each_family super "super-packets"

route_mtu 1300
each_family kept "a route of MTU 1300"
route_mtu ""

no_offloads
each_family fit "no offloads" $((1500 + HEAD))
route_mtu 1300
each_family fit "no offloads, a route of MTU 1300" $((1300 + HEAD))

# --- the route's MTU becomes smaller under live flows -----------------------------

changed() # TITLE
{
	route_mtu ""
	ok "$1: a download that goes on" held_start c1 c1 -s 100000 -u 100000 $S1
	route_mtu 1300
	ok "$1: and on, over a smaller route" held_grows c1
	# What the server sends to a socket that is closed is bridged as it is.
	wire_both -q 0
	held_grows c1
	wire_stop
	ok "$1: nothing failed" held_stop c1
	cmp_ok "$(wire_longest west tcp)" -le $((1300 + HEAD)) "$1: small frames to the client"
	cmp_ok "$(wire_longest east tcp)" -le $((1300 + HEAD)) "$1: small frames to the server"
}

each_family changed "a route that becomes smaller"
route_mtu ""
proxy_quiet
proxy_down

# --- datagrams that must not be fragmented ---------------------------------------

# From the client's address with DF, until the size is refused; then the MTU
# that the socket knows
df_mtu() # SOURCE DESTINATION
{
	ns box timeout 20 python3 - "$@" <<-'CODE'
	import errno, socket, sys
	source, dest = sys.argv[1:]
	if ":" in source:
	    family, level, transparent, discover, mtu = socket.AF_INET6, 41, 75, 23, 24
	else:
	    family, level, transparent, discover, mtu = socket.AF_INET, 0, 19, 10, 14
	s = socket.socket(family, socket.SOCK_DGRAM)
	s.setsockopt(level, transparent, 1)
	s.setsockopt(level, discover, 2)
	s.bind((source, 5555))
	s.connect((dest, 9))
	while True:
	    try:
	        s.send(bytes(1430))
	    except OSError as e:
	        if e.errno == errno.EMSGSIZE:
	            break
	print(s.getsockopt(level, mtu))
	CODE
}

df() # TITLE
{
	wire_both
	is "$(df_mtu $C1 $S1)" 1400 "$1: the sender learns the MTU of the path"
	wire_stop
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 1 "$1: what it sent before is kept"
	wire_clean "$1"
}

must ip -n mk-rt link set wan mtu 1400
each_family df "do not fragment"

net_done
