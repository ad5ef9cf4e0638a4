#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A transparent socket sends, and no MACKEEP rule has learned anything: the source
# MAC is that of the neighbour who has the address, or of the gateway toward it.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- rt 192.0.2.1 --- srv .73
#     ..:c1                 box 192.0.2.5 ..:b0                   ..:f1
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1

N=10

# Datagrams of one flow from SOURCE's address, until the neighbour that has it
# is resolved and some more
speak() # SOURCE DESTINATION NEIGHBOUR
{
	ns box timeout 60 python3 - "$@" $N <<-'CODE'
	import socket, subprocess, sys, time
	source, dest, neighbour, more = sys.argv[1:]
	v6 = ":" in source
	s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(41 if v6 else 0, 75 if v6 else 19, 1)
	s.bind((source, 5555))
	s.connect((dest, 9))
	def send():
	    try:
	        s.send(b"x" * 100)
	    except ConnectionRefusedError:
	        s.send(b"x" * 100)
	send()
	for i in range(100):
	    out = subprocess.check_output(["ip", "neigh", "show", neighbour])
	    if b"lladdr" in out:
	        break
	    time.sleep(0.05)
	for i in range(int(more)):
	    send()
	    time.sleep(0.02)
	CODE
}

forget()
{
	must topo_ip box <<<"neigh flush dev br0"
	ns box conntrack -F 2>/dev/null
}

# The box asks for ADDRESS by ARP or NDP.
asked() # WIRE ADDRESS
{
	if [ $family = 4 ]; then
		wire_sum $1 "way == \"from\" && type == \"arp\" && src == \"$MAC_BR\" && daddr == \"$2\""
	else
		wire_sum $1 "way == \"from\" && proto == \"icmp\" && src == \"$MAC_BR\" && sport == 135"
	fi
}

flow='way == "from" && proto == "udp"'

own() # TITLE WIRE SOURCE DEST
{
	cmp_ok "$(wire_sum $2 "$flow && saddr == \"$3\" && daddr == \"$4\" && src == \"$MAC_BR\"")" \
		-ge $N "$1: from the box's own MAC"
	is "$(wire_sum $2 "$flow && src != \"$MAC_BR\"")" 0 "$1: and from no other"
}

# At first the neighbour is not known, and the packet is sent all the same.
found() # TITLE WIRE SOURCE DEST MAC DMAC ASKED-FOR
{
	local old new

	cmp_ok "$(asked $8 $7)" -ge 1 "$1: it is asked who has $7" || wire_show $8
	cmp_ok "$(wire_sum $2 "$flow && saddr == \"$3\" && daddr == \"$4\" && src == \"$5\" && dst == \"$6\"")" \
		-ge $N "$1: from the neighbour's MAC" || wire_show $2
	old=$(wire_time $2 last "$flow && src == \"$MAC_BR\"")
	new=$(wire_time $2 first "$flow && src == \"$5\"")
	ok "$1: from the box's own before that alone (${old:-none}, $new)" \
		awk -v old="$old" -v new="$new" 'BEGIN { exit !(old == "" || old <= new) }'
}

plain() # TITLE
{
	forget
	wire_both
	ok "$1: c1's address to $S1" speak $C1 $S1 $GW
	ok "$1: $S1 to c1" speak $S1 $C1 $C1
	wire_stop
	own "$1, on-link" east $C1 $S1
	own "$1, gateway" west $S1 $C1
}

kept() # TITLE
{
	forget
	wire_both
	ok "$1: c1's address to $S1" speak $C1 $S1 $C1
	wire_stop
	found "$1, on-link" east $C1 $S1 $MAC_C1 $MAC_R $C1 west

	forget
	wire_both
	ok "$1: $S1 to c1" speak $S1 $C1 $GW
	wire_stop
	found "$1, gateway" west $S1 $C1 $MAC_R $MAC_C1 $GW east
}

must topo_up
topo_box_addressed
each_family plain "no module"

module_needed
must ns box sysctl -qw net.netfilter.mackeep_hooks=1
each_family kept "neighbour"
cmp_ok "$(mackeep_stat box neigh)" -ge 4 "the flows are counted"
is "$(mackeep_stat box pairs) $(mackeep_stat box saved)" "0 0" "nothing was learned from frames"

must ns box sysctl -qw net.netfilter.mackeep_neigh=0
each_family plain "switched off"

net_done
