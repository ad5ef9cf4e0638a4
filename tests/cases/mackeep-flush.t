#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep pairs and flush: the pair cache is shown as it is, filters forget
# what they name and nothing else, and after a router was swapped a flow goes
# to the new one.
#
#  c1 ..:c1 --+                                     +-- l1 192.0.2.80 ..:80
#             +-- west -- [ port0 br0 port1 ] -- east
#  c2 ..:c2 --+               ..:b0,b1,b2           +-- rt ..:f1 -- srv .73, .74
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep python3
tools udp

pairs() # OPTION...
{
	ns box mackeep pairs "$@" 2>"$TMP/count"
}

# "RECORDS PAIRS"
flush() # OPTION...
{
	ns box mackeep flush "$@" 2>&1 |
		sed -n 's/^mackeep v[0-9.]*: \([0-9]*\) records and \([0-9]*\) pairs have been forgotten\.$/\1 \2/p'
}

# Datagrams: each flow is two entries, one for each leg, that stay a while.
traffic()
{
	ns c1 udp talk -n 3 $S1 >&2 && ns c1 udp talk -n 3 $L1 >&2 &&
		ns c2 udp talk -n 3 $S1 >&2
}

must topo_up
echo_up srv
echo_up l1
udp_proxy_up

module_needed
is "$(pairs; sed 's/^[^:]*: //' "$TMP/count")" "0 pairs have been shown." \
	"no rule: the cache is empty"
topo_box_marks
topo_box_rules -j MACKEEP
topo_box_remembers
ok "datagrams are answered" traffic

# --- pairs ------------------------------------------------------------------------

pairs >"$TMP/pairs"
is "$(sed 's/^[^:]*: //' "$TMP/count")" "5 pairs have been shown." \
	"three pairs and two clients"
like "$(grep "client=$C1 server=$S1 " "$TMP/pairs")" \
	"^client=$C1 server=$S1 smac=$MAC_C1 dmac=$MAC_R dev=br0 age=[0-9]+\.[0-9] proven$" \
	"a pair, with its MACs, age and that it was answered"
like "$(grep "client=$C2 server=any " "$TMP/pairs")" \
	"^client=$C2 server=any smac=$MAC_C2 dev=br0 age=[0-9.]+ proven$" \
	"a client alone has no destination"
is "$(pairs -a $L1 | grep -c client=)" 1 "pairs -a"
is "$(pairs -m $MAC_R | grep -c client=)" 2 "pairs -m"
is "$(pairs -i port0 | grep -c client=)" 0 "pairs -i"
is "$(pairs -6 | grep -c client=)" 0 "pairs -6"
ok "pairs -o json" eval "pairs -o json | python3 -c '
import json, sys
pairs = json.load(sys.stdin)
assert len(pairs) == 5
assert all(p[\"proven\"] and 0 <= p[\"age\"] < 100 for p in pairs)
assert sum(\"dmac\" not in p for p in pairs) == 2'"

# --- who may ----------------------------------------------------------------------

unprivileged()
{
	ns box setpriv --reuid 65534 --regid 65534 --clear-groups \
		--bounding-set -all -- mackeep "$@" 2>&1
}

like "$(unprivileged flush)" "permission denied; run it as root" "flush is for root"
like "$(unprivileged pairs)" "permission denied; run it as root" "pairs are for root"
like "$(ns c1 mackeep flush 2>&1)" " 0 records and 0 pairs" \
	"another namespace has nothing to flush"
is "$(pairs | grep -c client=)" 5 "and all this forgot nothing"

# A user namespace has its own network, and is root there only.
like "$(ns box unshare -Un mackeep pairs 2>&1)" "permission denied|module: it is not loaded" \
	"a user namespace without rights is refused"
like "$(ns box unshare -Urn mackeep flush 2>&1)" " 0 records and 0 pairs" \
	"one with rights of its own gets at its own"

# --- flush ------------------------------------------------------------------------

records()
{
	ns box mackeep list 2>/dev/null | grep -c smac=
}

is "$(records)" 6 "two entries for each of the three flows"
is "$(flush -m 02:00:00:00:00:99)" "0 0" "flush -m: of nobody"
is "$(flush -a 198.51.100.1)" "0 0" "flush -a: of nobody"
is "$(flush -6)" "0 0" "flush -6: there is no IPv6"
is "$(flush -i port1)" "0 0" "flush -i: a port is not where it was learned"
is "$(records) $(pairs | grep -c client=)" "6 5" "all is there as before"

is "$(flush -m $MAC_C2)" "2 2" "flush -m: both legs, the pair and the client"
is "$(records) $(pairs | grep -c client=)" "4 3" "and no other"
is "$(flush -a $L1)" "2 1" "flush -a: a server's flows and its pair"
is "$(records) $(pairs | grep -c client=)" "2 2" "and no other"
is "$(flush -4 -i br0 -a $C1 -m $MAC_R)" "2 1" "flush with all filters at once"
is "$(flush)" "0 1" "flush: all that is left"
is "$(ns box mackeep list 2>/dev/null | grep -c via=none)" 6 \
	"the flows are there still, with empty records"
ok "a flow learns again" traffic
is "$(records) $(pairs | grep -c client=)" "6 5" "and is kept as before"
is "$(ns box mackeep flush -o json)" '{"records":6,"pairs":5}' "flush -o json"

# --- a router that is swapped -------------------------------------------------------

# The clients do not send meanwhile: they still use the old MAC, and would teach it.
NEW_R=02:00:00:00:00:f9
ok "before the swap: to the router" traffic
must ip -n mk-rt link set lan address $NEW_R
is "$(flush -m $MAC_R)" "4 2" "the old router's MAC is forgotten"
is "$(pairs -m $MAC_R | grep -c client=)" 0 "no pair has it any more"
for c in c1 c2; do
	must ip -n mk-$c neigh replace 192.0.2.1 lladdr $NEW_R dev eth0
done
wire_both
ok "after the swap: datagrams are answered" traffic
wire_stop
wire_leg east $C1 $S1 $MAC_C1 $NEW_R 3 "to the new router, from the client"
wire_leg west $S1 $C1 $NEW_R $MAC_C1 3 "to the client, from the new router"

# --- what is malformed ------------------------------------------------------------------

refused() # REGEX OPTION...
{
	local regex=$1

	shift
	like "$(ns box mackeep "$@" 2>&1)" "$regex" "refused: $*"
}

refused 'kernel: Invalid argument: address is not of the family given' flush -6 -a $C1
refused 'kernel: Invalid argument: address is all zero' flush -a 0.0.0.0
refused '"192.0.2.0/24": it is not a single address' flush -a 192.0.2.0/24

net_done
