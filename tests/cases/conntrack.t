#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What conntrack shows of kept flows, with stock tools and library: the helper
# in listings and events, and a record that equals the wire.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0                 +-- rt ..:f1 -- srv .73

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools ctinfo

# One connection each; all stay open.
hold()
{
	held_start c1s c1 -w 200 $S1
	held_start c2s c2 -w 200 $S1
	held_start c1l c1 -w 200 $L1
}

must topo_up
must servers_up
must proxy_up

today_up
# The box tracks nothing until a rule uses conntrack.
must ns box iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID
hold
listing=$(ns box conntrack -L -p tcp 2>/dev/null)
cmp_ok "$(grep -c ESTABLISHED <<<"$listing")" -ge 6 \
	"no module: entries for all the flows"
unlike "$listing" "helper=" "no module: none with a helper"
is "$(ns box ctinfo dump | grep -vc ' -$')" 0 "no module: and no record"
for name in c1s c2s c1l; do
	held_stop $name
done
proxy_quiet
today_down

kept_up
ns box conntrack -F 2>/dev/null

spawn events ns box conntrack -E
events=$spawned
# It prints nothing before the first event: make events until it shows one.
event_seen()
{
	printf '%s\n' "create udp $C2 $S2 9 9" "delete udp $C2 $S2 9 9" |
		ns box ctinfo batch >/dev/null
	grep -q 'dport=9 ' "$TMP/events.out"
}
must busywait 20 event_seen

wire_both -p
hold

listing=$(ns box conntrack -L -p tcp 2>/dev/null | grep ESTABLISHED)
is "$(grep -c "" <<<"$listing")" 6 "conntrack -L: two entries a session"
is "$(grep -c helper=mackeep <<<"$listing")" 6 "conntrack -L: helper=mackeep on all"

ns box ctinfo dump >"$TMP/records"
for name in c1s c2s c1l; do
	ok "$name: no request failed" held_stop $name
done
proxy_quiet
wire_stop
kill $events
wait $events

# Compares every record with the frames of its addresses and ports, in both
# directions and on both wires.
judged=0
while read -r proto saddr daddr sport dport version flags via vlan policy dev src dst; do
	[ "$proto $dport" = "tcp 443" ] || continue
	case $via in
	1) side=west box=reply ;;	# learned: the client leg
	2) side=east box=orig ;;	# pair cache: the upstream leg
	*)
		fail "record: via is learned or pair" "$saddr $sport: via $via"
		continue
		;;
	esac
	is "$version $flags $vlan $policy $dev" "2 3 0 0 br0" \
		"record $saddr to $daddr, $box: version, flags, VLAN, policy, device"
	is "$(awk -v a=$saddr -v p=$sport -v b=$daddr '
		$8 == "tcp" && $6 == a && $9 == p && $7 == b { print $2, $3 }
		$8 == "tcp" && $7 == a && $10 == p && $6 == b { print $3, $2 }
		' "$TMP/$side" | sort -u)" "$src $dst" \
		"record $saddr to $daddr, $box: its MACs are those on the wire"
	judged=$((judged + 1))
done <"$TMP/records"
is $judged 6 "a record for each entry"
# What the box would say to multicast routers has an entry as well.
is "$(awk '$1 == "tcp" { print $2, $3, $12, $13 }' "$TMP/records" | sort | uniq -c | sed 's/^ *//')" \
	"2 $C1 $L1 $MAC_C1 $MAC_L1
2 $C1 $S1 $MAC_C1 $MAC_R
2 $C2 $S1 $MAC_C2 $MAC_R" "the records are those of the three pairs, twice"

new=$(grep '\[NEW\] tcp' "$TMP/events.out")
is "$(grep -c "" <<<"$new")" 6 "conntrack -E: a NEW event for each entry"
is "$(grep -c helper=mackeep <<<"$new")" 6 "conntrack -E: with helper=mackeep"

net_done
