#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Per flow, why a packet of it was left alone, and when: mackeep list, --left, and
# mackeep monitor. In a table of limited size, whatever a flood brings.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy, and sockets in anybody's name
#
# Control: the counter says the same of all flows; a flow that is kept has nothing.
#
# Seen by others: the last reason without a time, of several of one flow,
# netobserv/netobserv-ebpf-agent pull request 115; events of what is lost, more than
# of anything else, cilium/cilium issue 34981, which filters do not see, cilium/cilium
# issue 15112; a flood of drops, cilium/cilium issue 33975.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep python3

# A datagram from each of COUNT ports of FROM, in its name
speak() # FROM ADDRESS PORT [FIRST [COUNT]]
{
	ns box python3 - "$@" <<-'PYTHON'
	import socket, sys
	src, dst, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
	first = int(sys.argv[4]) if len(sys.argv) > 4 else 5000
	count = int(sys.argv[5]) if len(sys.argv) > 5 else 1
	v6 = ":" in src
	for at in range(first, first + count):
	    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
	    s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.SOL_IP, 75 if v6 else 19, 1)
	    s.bind((src, at))
	    try:
	        s.sendto(b"x" * 100, (dst, port))
	    except PermissionError:
	        pass            # dropped
	    s.close()
	PYTHON
}

list() # OPTION...
{
	ns box mackeep list "$@" 2>/dev/null
}

told() # CONDITION; lines of the monitor
{
	grep -c "^ *\[LEFT\] .*$1" "$TMP/monitor.out"
}

UNKNOWN=192.0.2.99
UNKNOWN6=2001:db8:1::99

must topo_up
must servers_up
must proxy_up
kept_up --orig-mark 0/2
topo_box_remembers
# Packets of whose sender nothing is known are left to the stack: it knows the way.
for address in $S1 $S2 2001:db8:2::73 2001:db8:2::74; do
	must ns box ip neigh replace $address lladdr $MAC_R dev br0
done
spawn monitor ns box mackeep monitor
must busywait 20 grep -q "waiting for events" "$TMP/monitor.err"
monitor=$spawned
spawn json ns box mackeep monitor -o json -d $S2
must busywait 20 grep -q "waiting for events" "$TMP/json.err"

json=$spawned

# --- flows that are kept ----------------------------------------------------------------

kept()
{
	ok "$1: connections that are kept" ns c1 load get -o -n 2 $S1
}
each_family kept "kept"
proxy_quiet
unlike "$(list)" "left=" "kept: nothing was left alone"
is "$(list --left)" "" "kept: no flow is listed for it"
is "$(told "")" 0 "kept: the monitor tells of none"

# --- reasons -----------------------------------------------------------------------------

left_unknown() # TITLE
{
	local from=$UNKNOWN

	[ $family = 4 ] || from=$UNKNOWN6
	speak $from $S2 443
	speak $from $S2 443
	like "$(list -$family --left -d $S2)" "src=$from dst=$S2 .* via=none left=unknown ago=[0-9]+" \
		"$1: whose MACs are not known"
	is "$(list -$family --left -d $S2 | grep -c .)" 1 "$1: one flow"
	is "$(told "src=$from dst=$S2 .*left=unknown")" 1 "$1: told once"
}
each_family left_unknown "unknown"
cmp_ok "$(mackeep_stat box unknown)" -ge 4 "control: the counter has all packets, of both flows"

for name in iptables ip6tables; do
	must ns box $name -t mangle -A OUTPUT -p udp --dport 444 -j MARK --set-mark 2
done
left_mark() # TITLE
{
	speak $C1 $S1 444
	like "$(list -$family --left -p udp -s $C1)" "dport=444 .* smac=$MAC_C1 dmac=$MAC_R dev=br0 via=pair left=mark" \
		"$1: a mark that the rule does not want"
	is "$(list -$family -s $C1 -p udp | grep -c left=)" 1 "$1: list has it as well"
	is "$(list -$family -p tcp | grep -c left=)" 0 "$1: of no other flow"
}
each_family left_mark "mark"

# Another reason: told again, and the last one counts
for name in iptables ip6tables; do
	must ns box $name -t mangle -I OUTPUT -p udp --dport 444 -j ACCEPT
done
must ip -n mk-c1 link set eth0 down
must ns box mackeep flush 2>/dev/null
speak $C1 $S1 444
like "$(list -4 --left -p udp -s $C1)" "dport=444 .* left=unknown ago=[0-2]$" "another reason: the last one"
is "$(told "src=$C1 dst=$S1 .*left=mark") $(told "src=$C1 dst=$S1 .*left=unknown")" "1 1" \
	"another reason: both were told"
must ip -n mk-c1 link set eth0 up

speak $UNKNOWN $L1 443
is "$(told "src=$UNKNOWN dst=$L1 .*left=mute")" 1 "the monitor tells of packets that are dropped as no way is known"

ok "JSON of list" eval "list -4 --left -d $S2 -o json,id | python3 -c '
import json, sys
one, = json.load(sys.stdin)
assert one[\"left\"][\"reason\"] == \"unknown\" and one[\"left\"][\"ago\"] >= 0, one
assert one[\"left\"][\"dropped\"] is False and one[\"via\"] == \"none\" and one[\"id\"], one'"
ok "JSON of monitor, which looks at its filters" python3 - "$TMP/json.out" <<-PYTHON
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
left = [e for e in events if e["event"] == "left"]
assert len(left) == 1, events
assert left[0]["left"]["reason"] == "unknown", left
assert left[0]["orig"]["dst"] == "$S2" and left[0]["orig"]["dport"] == 443, left
assert left[0]["proto"] == "udp" and left[0]["family"] == "ipv4", left
PYTHON

# --- a flow without a record, and one that is dropped ---------------------------------------

for name in iptables ip6tables; do
	must ns box $name -t mangle -F PREROUTING
	# conntrack goes on
	must ns box $name -t mangle -A PREROUTING -m conntrack --ctstate INVALID
done
is "$(list --left)" "" "without a rule there are no notes"
speak $UNKNOWN $S1 443 6000
must ns box iptables -t mangle -A PREROUTING -j MACKEEP --strict
speak $UNKNOWN $S1 443 6000
like "$(list --left -s $UNKNOWN)" "sport=6000 .* left=unknown ago=[0-9]+ dropped$" \
	"a flow older than the rule, which has no record"
unlike "$(list --left -s $UNKNOWN)" "via=" "it has no record indeed"
is "$(list -s $UNKNOWN | grep -c sport=6000)" 0 "and is not among those that have one"
speak $UNKNOWN $S1 443 6001
is "$(list --left -s $UNKNOWN | grep -c sport=6001)" 0 "--strict: what is dropped at once is no flow"
is "$(told "sport=6001 .*left=unknown")" 1 "--strict: but the monitor tells of it"

# --- a flood ----------------------------------------------------------------------------------

must ns box iptables -t mangle -A PREROUTING -j MACKEEP
must ns box iptables -t mangle -D PREROUTING -j MACKEEP --strict
began=$SECONDS
speak $UNKNOWN $S1 443 10000 6000
speak $UNKNOWN $S1 443 9000
took=$((SECONDS - began + 2))
list --left >"$TMP/flood"
cmp_ok "$(grep -c left= "$TMP/flood")" -le 4096 "a flood: there are no more notes than there may be"
cmp_ok "$(grep -c left= "$TMP/flood")" -ge 3000 "a flood: and many"
is "$(grep -c sport=9000 "$TMP/flood")" 1 "a flood: the last flow has one"
speak $UNKNOWN $S1 443 9001
busywait 10 grep -q "dst=$S1 .*sport=9001 .*left=" "$TMP/monitor.out"
cmp_ok "$(told "src=$UNKNOWN dst=$S1 ")" -le $((took * 110 + 100)) "a flood: few of them were told"
like "$(cat "$TMP/monitor.err")" "[0-9]+ more flows had packets that were left alone" \
	"a flood: and how many were not"

# They hold the box's namespace.
tap_kill $monitor
tap_kill $json
net_done
