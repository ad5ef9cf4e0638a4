#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# After a frame that is for no socket of the box, frames of the same flow pass for a
# moment without a lookup. No others: a frame for a socket is lifted in that very
# moment, also if its addresses differ in one bit only, or in a few. The module
# tells flows apart by a hash with a random key, so the test loads it often.
#
#   west -- w0 [ port0 br0 port1 ] e0 -- frame send: one for nobody, one for a
#                   sockets                          socket, and so on
#
# The field: google/gopacket #860 and #864, addresses with a structure that
# cancel each other in a hash of their words.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need python3
tools frame

LOADS=16
PORT=47001

# An address with bits flipped: of IPv4 in the last byte, of IPv6 in the last bytes
# of two words
turn4() # PREFIX BYTE BITS
{
	echo "$1$(($2 ^ $3))"
}

turn6() # PREFIX BYTE BITS BITS-OF-THE-FIRST-WORD
{
	printf '2001:db8:%x:%x::%x\n' $1 $4 $((0x$2 ^ $3))
}

# SERVER CLIENT of each socket; no socket has 203.0.113.73 and 192.0.2.31, nor
# 2001:db8:2::73 and 2001:db8:1::31.
flows()
{
	local bit prefix a b c d

	for bit in 1 2 4 8 16 32 64 128; do
		echo "$(turn4 203.0.113. 73 $bit) 192.0.2.31"
		echo "203.0.113.73 $(turn4 192.0.2. 31 $bit)"
		echo "$(turn4 203.0.113. 73 $bit) $(turn4 192.0.2. 31 $bit)"
		echo "$(turn6 2 73 $bit 0) 2001:db8:1::31"
		echo "$(turn6 2 73 0 $bit) 2001:db8:1::31"
		echo "2001:db8:2::73 $(turn6 1 31 $bit 0)"
		echo "2001:db8:2::73 $(turn6 1 31 0 $bit)"
	done
	for prefix in 192.0.2. 198.51.100.; do
		echo "${prefix}73 192.0.2.31"
	done
	for prefix in 198.51.100. 203.0.113.; do
		echo "203.0.113.73 ${prefix}31"
	done
	# The highest bits of the words, two, three and four at a time
	for a in 0 128; do for b in 0 128; do for c in 0 128; do for d in 0 128; do
		[ $((a + b + c + d)) -le 128 ] ||
			echo "$(turn6 2 73 $a $b) $(turn6 1 31 $c $d)"
	done; done; done; done
}

# Sockets as the proxy has them for its own flows: transparent, with a peer
cat >"$TMP/sockets.py" <<'END'
import socket, sys, time
held = []
for line in open(sys.argv[1]):
    server, client = line.split()
    v6 = ":" in server
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(41 if v6 else 0, 75 if v6 else 19, 1)	# IPV6_, IP_TRANSPARENT
    s.bind((client, int(sys.argv[2])))
    s.connect((server, 443))
    held.append(s)
print("ready", flush=True)
time.sleep(3600)
END

# A datagram from SERVER to CLIENT, in hexadecimal
datagram() # SERVER CLIENT
{
	if [[ $1 != *:* ]]; then
		frame make udp $MAC_R $MAC_C1 $1 $2 443 $PORT
		return
	fi
	printf '%s%s86dd6000000000181140%s%s01bb%04x00180000%032d\n' ${MAC_C1//:/} \
		${MAC_R//:/} "$(plain6 $1)" "$(plain6 $2)" $PORT 0
}

plain6() # 2001:db8:W[:W]::W
{
	local IFS=: w
	read -ra w <<<"${1/::/:}"

	[ ${#w[@]} -eq 5 ] || w=("${w[@]:0:3}" 0 "${w[3]}")
	printf '%04x%04x%04x%04x%012d%04x' 0x${w[0]} 0x${w[1]} 0x${w[2]} 0x${w[3]} 0 0x${w[4]}
}

passed() # CONDITION
{
	wire_sum west "way == \"from\" && proto == \"udp\" && $1"
}

must topo_up
flows | sort -u >"$TMP/flows"
count=$(wc -l <"$TMP/flows")
nobody4=$(datagram 203.0.113.73 192.0.2.31)
nobody6=$(datagram 2001:db8:2::73 2001:db8:1::31)
while read -r server client; do
	datagram $server $client
done <"$TMP/flows" >"$TMP/ours"
while read -r line; do
	# Of the same family
	if [[ ${line:24:4} = 0800 ]]; then echo $nobody4; else echo $nobody6; fi
	echo $line
done <"$TMP/ours" >"$TMP/both"
must spawn_ready sockets ns box python3 "$TMP/sockets.py" "$TMP/flows" $PORT
sockets=$spawned
nobody='(saddr == "203.0.113.73" && daddr == "192.0.2.31" ||
	saddr == "2001:db8:2::73" && daddr == "2001:db8:1::31")'

# --- control: nothing is lifted ---------------------------------------------------------

wire_start west west w0 -p
ns east frame send -i e0 <"$TMP/both"
wire_stop
is "$(passed "$nobody") $(passed "!$nobody")" "$count $count" \
	"no module: all pass, those for nobody and those for sockets"

# --- loaded again and again -----------------------------------------------------------------

lost=
wire_start west west w0 -p
for ((load = 1; load <= LOADS; load++)); do
	if [ $load -eq 1 ]; then module_needed; else must module_load; fi
	# Nothing else refers to it.
	must ns box sysctl -qw net.netfilter.mackeep_hooks=1
	if [ $load -eq 1 ]; then
		ns east frame send -i e0 <"$TMP/ours"
		is "$(mackeep_stat box lifted_sock)" "$count" "with nobody else about all are lifted"
	fi
	before=$(mackeep_stat box lifted_sock)
	ns east frame send -i e0 <"$TMP/both"
	lifted=$(($(mackeep_stat box lifted_sock) - before))
	[ $lifted -eq $count ] || lost+=" $lifted"
	must module_unload
done
wire_stop
is "$lost" "" "$LOADS loads: each time all $count are lifted"
is "$(passed "$nobody")" $((LOADS * count)) "$LOADS loads: those for nobody pass"
is "$(passed "!$nobody")" 0 "$LOADS loads: none for a socket passes" ||
	diag "$(awk '$1 == "from" { print $6, $7, $11 }' "$TMP/west" | sort -k3nr | head -n 30)"

tap_kill $sockets
net_done
