#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep list: conntrack's own lines with the MACs, filters and formats.
#
#  [ box: br0 192.0.2.5, -j MACKEEP ]  <--- records --- ctinfo
#
# Control: without the module there is nothing that it lists.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep python3
tools ctinfo

box_up()
{
	topo_down
	defer topo_down
	must ip -batch - <<-LINES
	netns add mk-box
	LINES
	topo_sysctl box net.ipv6.conf.default.accept_dad=0
	must topo_ip box <<-LINES
	link set lo up
	link add br0 address $MAC_BR type bridge
	link add link br0 name br0.100 type vlan id 100
	addr add 192.0.2.5/24 dev br0
	addr add 2001:db8:1::5/64 dev br0 nodad
	link set br0 up
	link set br0.100 up
	LINES
}

# CTA_HELP_INFO of a record: FLAGS VLAN IFINDEX SRC DST
record()
{
	printf '01%02x0000%02x%02x0000%02x%02x0000%s%s0000000000000000' \
		$1 $(($2 & 255)) $(($2 >> 8)) $(($3 & 255)) $(($3 >> 8)) $4 $5
}

list() # OPTION...
{
	ns box mackeep list "$@" 2>"$TMP/count"
}

count() # OPTION...
{
	list "$@" | grep -c smac=
}

shown()
{
	sed -n 's/^mackeep v[0-9.]*: \([0-9]*\) flow entries have been shown\.$/\1/p' "$TMP/count"
}

box_up
ns box conntrack -I -p udp -s $C1 -d $S1 --sport 1 --dport 443 -t 600 >/dev/null 2>&1
is "$(list)" "" "no module: a flow without record is not listed"
is "$(shown)" 0 "no module: and not counted"
like "$(ns box mackeep pairs 2>&1)" "module: it is not loaded; run: modprobe mackeep" \
	"no module: pairs says so and what to do"

module_needed
must ns box iptables -t mangle -A PREROUTING -j MACKEEP
must ns box ip6tables -t mangle -A OUTPUT -j MACKEEP
br0=$(ip -n mk-box -o link show br0 | cut -d : -f 1)
v100=$(ip -n mk-box -o link show br0.100 | cut -d : -f 1)
results=$(ns box ctinfo batch <<-LINES
create udp $C1 $S1 1000 443 $(record 3 0 $br0 0200000000c1 0200000000f1)
create tcp $C1 $S1 1001 443 $(record 3 0 $br0 0200000000c1 0200000000f1)
create tcp $C2 $S2 1002 443 $(record 3 100 $v100 0200000000c2 0200000000f1)
create udp $C2 $S1 1003 443 $(record 1 0 $br0 0200000000c2 000000000000)
LINES
)
is "$results" $'OK\nOK\nOK\nOK' "four records are made"
topo_box_remembers
ns box bash -c 'echo >/dev/udp/2001:db8:1::9/443' 2>/dev/null

# --- the line -------------------------------------------------------------------

# Without what changes by itself: the timeout, and the number of users. A packet
# that waits for a neighbour is one.
untimed()
{
	sed 's/^\(.*[a-z]* *[0-9]\+\) [0-9]\+ /\1 T /; s/ use=[0-9]*//'
}

is "$(list -4 -p tcp -s $C1 | untimed)" \
	"$(ns box conntrack -L -p tcp -s $C1 2>/dev/null | untimed | sed 's/ *$//') smac=$MAC_C1 dmac=$MAC_R dev=br0 via=restored" \
	"the line is conntrack -L's and the record"
is "$(shown)" 1 "the count is on stderr"
is "$(list -4 | sed 's/ smac=.*//' | untimed | sort)" \
	"$(ns box conntrack -L -f ipv4 2>/dev/null | grep helper=mackeep | untimed | sed 's/ *$//' | sort)" \
	"so is each line"
like "$(list -d $S2)" " smac=$MAC_C2 dmac=$MAC_R dev=br0.100 vlan=100 via=restored$" \
	"with its VLAN"
like "$(list -p udp -s $C2)" " smac=$MAC_C2 dev=br0 via=restored$" \
	"a MAC that is not known is left out"
like "$(list -6)" "src=2001:db8:1::5 dst=2001:db8:1::9 .* via=none left=unknown ago=[0-9]+$" \
	"IPv6, and a record that is empty"
like "$(list -o extended -s $C1 -p tcp)" "^ipv4 +2 tcp" "-o extended"
like "$(list -o id -s $C1 -p tcp)" " id=[0-9]+ smac=" "-o id"
like "$(list -o timestamp -s $C1 -p tcp)" $'^\\[[0-9]+ *\\.[0-9]+ *\\]\ttcp' "-o timestamp"

# --- filters ---------------------------------------------------------------------

while read -r want options; do
	is "$(count $options)" $want "list $options"
done <<-CASES
4
4 -4
0 -6
2 -p udp
2 --proto tcp
2 -s $C1
1 -s $C1 -p tcp
4 --src 192.0.2.0/24
2 -s 192.0.2.32/31
3 -d $S1
1 --dst 203.0.113.74
2 -m $MAC_C1
3 -m $MAC_R
2 -m 02:00:00:00:00:C2
0 --mac 02:00:00:00:00:99
3 -i br0
1 --dev br0.100
1 -i if$v100
0 -i if9999
4 --zone 0
0 --zone 7
CASES
must ns box iptables -t raw -A OUTPUT -p udp --dport 444 -j CT --zone 7
must ns box iptables -t mangle -A OUTPUT -p udp --dport 444 -j MACKEEP
ns box bash -c 'echo >/dev/udp/192.0.2.9/444' 2>/dev/null
is "$(list -4 --zone 7 | sed 's/ via=.*//' | untimed)" \
	"$(ns box conntrack -L --zone 7 2>/dev/null | grep helper=mackeep | untimed | sed 's/ *$//')" \
	"--zone, as conntrack has it"
is "$(shown)" 1 "--zone: and no other"
must ns box conntrack -D --zone 7 2>/dev/null

is "$(mackeep list -n mk-box -4 2>/dev/null | grep -c smac=)" 4 "-n: from outside of the namespace"
is "$(mackeep -n mk-box list -4 2>/dev/null | grep -c smac=)" 4 "-n: where ip(8) has it"

# --- JSON ---------------------------------------------------------------------------

list -o json,id >"$TMP/json"
ok "-o json: an array of what the lines say" python3 - "$TMP/json" <<-PYTHON
import json, sys
flows = json.load(open(sys.argv[1]))
assert len(flows) == 5, flows
one = [f for f in flows if f["orig"]["dst"] == "$S2"][0]
assert one["proto"] == "tcp" and one["family"] == "ipv4", one
assert one["state"] == "ESTABLISHED", one
assert one["orig"]["sport"] == 1002 and one["reply"]["src"] == "$S2", one
assert one["smac"] == "$MAC_C2" and one["dmac"] == "$MAC_R", one
assert one["dev"] == "br0.100" and one["vlan"] == 100, one
assert one["via"] == "restored" and one["id"] > 0, one
six = [f for f in flows if f["family"] == "ipv6"][0]
assert six["via"] == "none" and "smac" not in six, six
PYTHON
is "$(list -o json -d 198.51.100.1 | python3 -c 'import json, sys; print(json.load(sys.stdin))')" \
	"[]" "-o json: an empty one"

# --- errors: thing, reason, remedy, and the exit status -----------------------------

refused() # STATUS REGEX OPTION...
{
	local status=$1 regex=$2 said rc

	shift 2
	said=$(ns box mackeep "$@" 2>&1)
	rc=$?
	like "$rc $said" "^$status mackeep: .*$regex" "refused: $*"
}

refused 2 "list: --src \"abc\": it is not an IPv4 or IPv6 address; see" list -s abc
refused 2 "--src \"192.0.2.0/33\"|--src \"33\": it is not a number from 0 to 32" list -s 192.0.2.0/33
refused 2 "--mac \"ff:ff:ff:ff:ff:ff\": it is not the address of one station" list -m ff:ff:ff:ff:ff:ff
refused 2 "--mac \"02:00\": it is not a MAC address like" list -m 02:00
refused 2 "--zone \"65536\": it is not a number from 0 to 65535" list --zone 65536
refused 2 "--output \"xml\": it is not json, extended" list -o xml
refused 2 "--nonsense: it is no option of this command; see mackeep list --help" list --nonsense
refused 2 "-s: it needs a value" list -s
refused 2 "-n: it needs a value" -n
refused 2 "frob: it is no command; see mackeep --help" frob
refused 2 "extra: an argument too many" list extra
refused 1 "device br7: no such device; .*ip link" list -i br7
refused 1 "network namespace nowhere: No such file or directory; .*ip netns list" list -n nowhere

# --- a terminal ------------------------------------------------------------------------

on_terminal() # OPTION...
{
	ns box script -qec "stty cols 80; mackeep list $*" /dev/null 2>/dev/null </dev/null |
		tr -d '\r'
}

esc=$'\e'
like "$(on_terminal -d $S2)" "smac=$esc\\[[0-9]+m$MAC_C2$esc\\[m" "a terminal: in colour"
is "$(NO_COLOR=1 on_terminal -4 | awk 'length > 80' | wc -l)" 0 "a terminal: no line over 80 columns"
unlike "$(NO_COLOR=1 on_terminal -4)" "$esc\\[" "NO_COLOR is respected"
unlike "$(list)" "$esc" "and no colour in a pipe"

must ns box iptables -t mangle -F
must ns box ip6tables -t mangle -F
net_done
