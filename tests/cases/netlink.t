#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Records written through ctnetlink: a good one is taken and reads back, and
# every malformed one is refused, on create and on update.
#
#  [ box: br0, -j MACKEEP ]  <--- CTA_HELP_INFO --- ctinfo
#
# The kernel's ctnetlink does not return a helper's error. So where no errno comes
# back, the record has to stay as it was, and the refusal has to be counted.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/record.sh" || exit 1

must modprobe nf_conntrack_netlink # not by itself, under without_autoload
must topo_up
like "$(without_autoload ctnl <<<"create udp $C1 $S1 1000 443 none")" \
	"not supported|No such" "no module: an entry cannot have the helper"

module_needed
topo_box_rules -j MACKEEP
br0=$(ip -n mk-box -o link show br0 | cut -d : -f 1)
lo=1

# --- good ones ----------------------------------------------------------------

good=$(record ifindex=$br0)
is "$(ctnl <<-LINES | tr '\n' ' '
create udp $C1 $S1 1000 443 $good
create tcp $C1 $S1 1001 443 $good
create udp $C1 $S1 1002 443 none
create udp $C1 $S1 1003 443 $(record flags=1 dst=000000000000)
create udp $C1 $S1 1004 443 $(record flags=0 src=000000000000 dst=000000000000)
create udp $C1 $S1 1005 443 $(record vlan=4094)
create udp $C1 $S1 1006 443 $(record version=2 ifindex=$br0 vlan=28682 reserved2=0x8100)
update udp $C1 $S1 1002 443 $good
LINES
)" "OK OK OK OK OK OK OK OK " "good records are taken"
is "$(shown 1000)" "2 3 6 0 0 br0 $MAC_C1 $MAC_R" "UDP: reads back, as restored"
is "$(shown 1001)" "2 3 6 0 0 br0 $MAC_C1 $MAC_R" "TCP: reads back, as restored"
is "$(shown 1002)" "2 3 6 0 0 br0 $MAC_C1 $MAC_R" "an update reads back, as restored"
is "$(shown 1003)" "2 1 6 0 0 any $MAC_C1 00:00:00:00:00:00" "one MAC alone"
is "$(shown 1004)" "2 0 0 0 0 any 00:00:00:00:00:00 00:00:00:00:00:00" "none at all"
is "$(shown 1005)" "2 3 6 0 0 any $MAC_C1 $MAC_R" "the VLAN of a device, which is not there"
is "$(shown 1006)" "2 3 6 28682 0 br0 $MAC_C1 $MAC_R" "with a tag"
is "$(mackeep_stat box restored)" 7 "each is counted"
is "$(mackeep_stat box badinfo)" 0 "and none as bad"

# --- malformed ones -------------------------------------------------------------

bad=()
what=()
try() # WHAT HEX
{
	what+=("$1")
	bad+=("$2")
}

whole=$good$good$good
for ((len = 0; len <= 64; len++)); do
	[ $len -ne 32 ] || continue
	try "length $len" "${whole:0:len * 2}"
	[ $len -ne 0 ] || bad[0]=empty
done
for version in 0 3 255; do
	try "version $version" "$(record version=$version)"
done
for ((bit = 3; bit < 8; bit++)); do
	try "flag bit $bit" "$(record flags=$((3 | 1 << bit)))"
done
try "via 8" "$(record via=8)"
try "via 255" "$(record via=255)"
try "reserved" "$(record reserved=1)"
try "reserved2[0]" "$(record reserved2=1)"
try "reserved2[1]" "$(record reserved3=0x80000000)"
try "reserved2 of version 2" "$(record version=2 ifindex=$br0 vlan=10 reserved2=0x18100)"
try "tag of VLAN 0" "$(record version=2 ifindex=$br0 vlan=0x6000 reserved2=0x8100)"
try "tag of VLAN 4095" "$(record version=2 ifindex=$br0 vlan=4095 reserved2=0x88a8)"
try "tag of another kind" "$(record version=2 ifindex=$br0 vlan=10 reserved2=0x9100)"
try "tag of version 1" "$(record ifindex=$br0 vlan=10 reserved2=0x8100)"
try "tag without bridge" "$(record version=2 vlan=10 reserved2=0x8100)"
try "vlan 4095 of version 2" "$(record version=2 ifindex=$br0 vlan=4095)"
try "vlan 4095" "$(record vlan=4095)"
try "vlan 65535" "$(record vlan=65535)"
for mac in 0100000000c1 ffffffffffff 000000000000 01005e000001 333300000001; do
	try "src $mac" "$(record src=$mac)"
	try "dst $mac" "$(record dst=$mac)"
done
try "src without its flag" "$(record flags=2)"
try "dst without its flag" "$(record flags=1)"
try "MACs without flags" "$(record flags=0)"
try "ifindex of no device" "$(record ifindex=9999)"
try "ifindex negative" "$(record ifindex=0xffffffff)"
try "ifindex of loopback" "$(record ifindex=$lo)"

for i in "${!bad[@]}"; do
	echo "create udp $C2 $S2 $((2000 + i)) 443 ${bad[i]}"
	echo "update udp $C1 $S1 1000 443 ${bad[i]}"
done >"$TMP/requests"
ctnl <"$TMP/requests" >"$TMP/results"
is "$(grep -c "" "$TMP/results")" $((2 * ${#bad[@]})) "every request was answered"
ns box ctinfo dump >"$TMP/dump"

empty="2 0 0 0 0 any 00:00:00:00:00:00 00:00:00:00:00:00"
mapfile -t results <"$TMP/results"
for i in "${!bad[@]}"; do
	result=${results[i * 2]}
	entry=$(awk -v port=$((2000 + i)) '$4 == port {
		$1 = $2 = $3 = $4 = $5 = ""; sub(/^ */, ""); print }' "$TMP/dump")
	case ${what[i]} in
	version*) error="Protocol not supported" ;;
	src\ [0-9f]* | dst\ [0-9f]*) error="Cannot assign requested address" ;;
	ifindex*) error="No such device" ;;
	*) error="Invalid argument" ;;
	esac
	if [ "$result" = OK ]; then
		is "$entry" "$empty" "create, ${what[i]}: the record stays empty"
	else
		is "$result:$entry" "$error:" "create, ${what[i]}: refused"
	fi
done
is "$(shown 1000)" "2 3 6 0 0 br0 $MAC_C1 $MAC_R" \
	"after ${#bad[@]} malformed updates the record is as it was"
is "$(mackeep_stat box badinfo)" $((2 * ${#bad[@]})) "each refusal is counted"
is "$(mackeep_stat box restored)" 7 "and none as taken"
dmesg >"$TMP/dmesg"
ok "the log says why" grep -q "MACKEEP: record from ctnetlink refused: " "$TMP/dmesg"

net_done
