#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An IPS in the bridge's prerouting hook takes each frame by NFQUEUE and gives it
# back. The frame then goes on in the IPS's own process, not in softirq. The IPS
# stands before the rule that marks, behind it, and behind the lift.
#
#  c1 ..:c1 --+                                       +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east --+
#  c2 ..:c2 --+              |     ^                  +-- rt ..:f1 -- srv .73
#                        nft queue |
#                            +-----+ queue(1) accepts everything
#
# The field: Proxmox pve-devel "add ips (like suricata) support through nfqueues",
# Mirantis "IPS mode using NFQ" ("to scan bridged packets").
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
tools queue udp

N=150	# datagrams, one after the other

ips_on() # PRIORITY
{
	must spawn_ready ips ns box queue
	ips=$spawned
	must ns box nft -f - <<-RULES
	table bridge ips {
		chain inspect {
			type filter hook prerouting priority $1; policy accept;
			meta protocol { ip, ip6 } meta l4proto { tcp, udp } counter queue num 0
		}
	}
	RULES
}

# The rule goes first: no program would take what it queues later. It may queue more
# after its counter was read.
ips_off()
{
	counted=$(ns box nft list table bridge ips |
		sed -n 's/.*counter packets \([0-9]*\).*/\1/p')
	must ns box nft delete table bridge ips
	kill $ips
	wait $ips
	accepted=$(sed -n 's/^accepted //p' "$TMP/ips.out")
}

# TCP in bulk both ways, connections that come and go, and UDP one by one, all at
# the same time
traffic() # TITLE PORT
{
	local title=$1 port=$2 family

	wire_both -p
	for family in 4 6; do
		topo_family $family
		spawn udp$family ns c1 udp talk -n $N -s 1000 $S1 $port
		udp[family]=$spawned
		spawn bulk$family ns c1 load get -c 3 -n 6 -s 1000000 $S1 $port
		bulk[family]=$spawned
		spawn up$family ns c2 load get -c 2 -n 4 -s 1000 -u 500000 $L1 $port
		up[family]=$spawned
		spawn short$family ns c2 load get -o -c 4 -n 30 $S1 $port
		short[family]=$spawned
	done
	topo_family 4
	for family in 4 6; do
		ok "$title, IPv$family: every datagram has its answer" wait ${udp[family]} ||
			diag "$(cat "$TMP/udp$family.out" "$TMP/udp$family.err")"
		ok "$title, IPv$family: transfers" wait ${bulk[family]} ||
			diag "$(cat "$TMP/bulk$family.err")"
		ok "$title, IPv$family: uploads" wait ${up[family]} ||
			diag "$(cat "$TMP/up$family.err")"
		ok "$title, IPv$family: a connection a request" wait ${short[family]} ||
			diag "$(cat "$TMP/short$family.err")"
	done
	proxy_quiet
	wire_stop
}

speaks='(proto == "udp" || flags ~ /P/)'

# A client's port is below 47000, one of the box's is not.
kept() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $N "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $N "$1: c1 to $S1"
	wire_leg west $S1 $C2 $MAC_R $MAC_C2 30 "$1: $S1 to c2"
	wire_leg east $C2 $S1 $MAC_C2 $MAC_R 30 "$1: c2 to $S1"
	wire_leg west $L1 $C2 $MAC_L1 $MAC_C2 20 "$1: $L1 to c2"
	wire_leg east $C2 $L1 $MAC_C2 $MAC_L1 60 "$1: c2 to $L1"
	# A frame for a socket that is closed by then is bridged: a SYN-ACK for a
	# connection that the proxy has given up meanwhile.
	is "$(wire_sum east "$speaks && way == \"from\" && dport == 443 && sport < 47000") $(wire_sum west "$speaks && way == \"from\" && sport == 443 && dport >= 47000")" \
		"0 0" "$1: nothing went by the proxy"
}

inline() # TITLE PRIORITY
{
	ips_on $2
	traffic "$1" 443
	ips_off
	each_family kept "$1"
	wire_clean "$1" 'proto == "tcp" || proto == "udp"'
	cmp_ok "$accepted" -ge $((4 * N)) "$1: the IPS saw the frames"
	cmp_ok "$accepted" -ge "$counted" "$1: each that was queued was given back"
}

declare -a udp bulk up short
must topo_up
services_up

# --- control: the bridge alone lives with it --------------------------------------

ips_on -250
traffic "no module" 80
ips_off
cmp_ok "$accepted" -ge "$counted" "no module: each frame that was queued was given back"
cmp_ok "$accepted" -ge $((4 * N)) "no module: the IPS saw the frames"

kept_up
inline "before the mark" -350
inline "behind the mark" -250
inline "behind what lifts" 50

net_done
