#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Which frames leave the bridge for the IP stack, and that odd ones do no harm.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#                              port2 |              +-- rt ..:f1 -- srv .73
#                                  dead end
#
# A frame for an unknown MAC would be flooded to port1 and port2.

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools frame udp

NOBODY=02:00:00:00:00:99

# Datagrams that came to the box's sockets
udp_in()
{
	ns box awk '/^Udp:/ && !col { for (i = 2; i <= NF; i++) if ($i == "InDatagrams") col = i; next }
		/^Udp:/ { print $col }' /proc/net/snmp
}

must topo_up
must ip -batch - <<-LINES
	$(topo_link box port2 02:00:00:00:00:b3 west dead 02:00:00:00:01:b3)
LINES
must ip -n mk-west link set dead up
must ip -n mk-box link set port2 master br0 up
must servers_up
must proxy_up
echo_up srv
topo_box_rules
topo_box_marks

# --- control: nothing lifts -----------------------------------------------------

wire_both
wire_start dead west dead
before=$(box_opens Passive)
ok "no module: a marked request is bridged to the server" ns c1 load get $S1
frame make udp $MAC_C1 $NOBODY $C1 $S1 5000 443 >"$TMP/frames"
ns c1 frame send -i eth0 <"$TMP/frames"
wire_stop
is "$(($(box_opens Passive) - before))" 0 "no module: the proxy sees nothing of it"
is "$(wire_sum dead "dst == \"$NOBODY\"") $(wire_sum east "dst == \"$NOBODY\"")" \
	"1 1" "no module: a frame for an unknown MAC goes to both other ports"

module_needed
topo_box_rules -j MACKEEP
udp_proxy_up

# --- a flooded frame is lifted once ------------------------------------------------

wire_both
wire_start dead west dead
in=$(udp_in)
for _ in 1 2 3; do
	ns c1 frame send -i eth0 <"$TMP/frames"
done
ok "flooded: the proxy gets them" busywait 10 eval '[ $(udp_in) -ge $((in + 3)) ]'
wire_stop
is "$(($(udp_in) - in))" 3 "flooded: each of them once"
is "$(mackeep_stat box lifted)" 3 "flooded: it is lifted before it is flooded"
is "$(wire_sum dead "dst == \"$NOBODY\" && way == \"from\" && proto == \"udp\" && src == \"$MAC_C1\" && dport == 443 && sport == 5000")" \
	0 "flooded: the frame itself goes to no port, dead end"

# --- from the server, without a rule of its own ---------------------------------------

sock=$(mackeep_stat box lifted_sock)
wire_both
ok "TCP through the proxy" ns c1 load get -o -n 3 -s 3000 $S1
ok "UDP through the proxy" ns c1 udp talk -n 3 $S1
proxy_quiet
wire_stop
frames=$(wire_sum east "way == \"to\" && saddr == \"$S1\" && sport == 443")
cmp_ok "$frames" -ge 12 "the server's frames came"
is "$(($(mackeep_stat box lifted_sock) - sock))" "$frames" \
	"each was lifted, for its socket"
is "$(wire_sum west "way == \"from\" && saddr == \"$S1\" && src != \"$MAC_R\"")" 0 \
	"what the client got came from the router's MAC"

# Frames of the server to a port that no socket has
frame make syn $MAC_R $MAC_C1 $S1 $C1 443 9 >"$TMP/frames"
frame make udp $MAC_R $MAC_C1 $S1 $C1 443 9 >>"$TMP/frames"
sock=$(mackeep_stat box lifted_sock)
wire_both
ns east frame send -i e0 <"$TMP/frames"
wire_stop
is "$(wire_sum west 'way == "from" && dport == 9')" 2 \
	"frames of the server for no socket of the box are bridged"
is "$(mackeep_stat box lifted_sock)" "$sock" "and not lifted"

# --- odd frames, all of them marked ---------------------------------------------------

must ns box nft -f - <<-RULES
table bridge odd {
	chain arriving {
		type filter hook prerouting priority dstnat; policy accept;
		ether saddr $NOBODY meta mark set $LIFT_MARK
	}
}
RULES

good=$(frame make udp $NOBODY $MAC_R $C1 $S1 5000 443)
tcp=$(frame make syn $NOBODY $MAC_R $C1 $S1 5000 443)
{
	# cut at every length, from a bare Ethernet header on
	for ((len = 14; len < ${#good} / 2; len++)); do
		echo "${good:0:len * 2}"
	done
	for ((len = 34; len < ${#tcp} / 2; len += 2)); do
		echo "${tcp:0:len * 2}"
	done
	# each byte of the IP header and of the port header, with all bits flipped
	for ((at = 12; at < 42; at++)); do
		frame make -b $at udp $NOBODY $MAC_R $C1 $S1 5000 443
	done
	for ((at = 34; at < 54; at++)); do
		frame make -b $at syn $NOBODY $MAC_R $C1 $S1 5000 443
	done
	# other ethertypes, 802.2, tags in tags, and the ends of the MAC space
	for type in 0000 0026 05ff 0600 0806 86dd 8100 88a8 8863 8864 88cc ffff; do
		echo "${good:0:24}$type${good:28}"
	done
	echo "${good:0:24}8100006481000065${good:24}"
	echo "${good:0:24}88a8006481000065${good:24}"
	echo "ffffffffffff${good:12}"
	echo "01005e000001${good:12}"
	echo "${good:0:12}000000000000${good:24}"
	echo "000000000000${good:12}"
	# IPv6, whole and cut
	v6=${good:0:24}86dd6000000000101140$(printf '20010db8%024d%s' 1 20010db8)$(printf '%024d' 2)138801bb0010000000000000
	for ((len = 14; len < ${#v6} / 2; len += 3)); do
		echo "${v6:0:len * 2}"
	done
} >"$TMP/frames"
sent=$(grep -c "" "$TMP/frames")

counted()
{
	echo $(($(mackeep_stat box lifted) + $(mackeep_stat box lifted_sock)))
}
before=$(counted)
wire_both
ok "$sent odd frames are sent" ns c1 frame send -i eth0 <"$TMP/frames"
wire_stop
cmp_ok "$(wire_sum west "way == \"to\" && src == \"$NOBODY\"")" -ge $((sent - 2)) \
	"odd: they came to the box"
cmp_ok "$(($(counted) - before))" -ge 60 "odd: IP ones among them were lifted"
cmp_ok "$(wire_sum east "way == \"from\" && src == \"$NOBODY\" && type != \"ip\" && type != \"ip6\"")" \
	-ge 8 "odd: those that are not IP passed"
ok "odd: the proxy works as before, TCP" ns c1 load get -o -n 3 $S1
ok "odd: the proxy works as before, UDP" ns c1 udp talk -n 3 $S1 ||
	diag "$(cat "$TMP/proxy.err")"
ok "odd: the bridge works as before" ns c1 load get -o -n 3 $S1 443

net_done
