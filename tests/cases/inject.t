#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Entries that others put into conntrack, as conntrackd does on a standby box:
# with the helper and no MACs they take those of the flow's first frame, with
# MACs they are used before any frame came.
#
#  c1 ..:c1 -- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv
#                         ^ ctnetlink: helper=mackeep, with a record or without

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/record.sh" || exit 1
need socat
tools frame

# MACs that are in no frame and no table: only a record can know them.
MAC_X=02:00:00:00:00:aa
MAC_Y=02:00:00:00:00:bb

EMPTY="2 0 0 0 0 any 00:00:00:00:00:00 00:00:00:00:00:00"
FRAME="2 3 1 0 0 br0 $MAC_C1 $MAC_R"
GIVEN="2 3 6 0 0 br0 $MAC_X $MAC_Y"

# The box speaks for both ends of the flows with the client's ports PORT, until
# both sides have heard it: the stack may have to ask for their MACs first.
speak() # PORT...
{
	local port

	for port; do
		must ns box socat -u STDIN UDP4-DATAGRAM:$S1:443,bind=$C1:$port,ip-transparent <<<up
		must ns box socat -u STDIN UDP4-DATAGRAM:$C1:$port,bind=$S1:443,ip-transparent <<<down
		busywait 10 wire_has east "way == \"from\" && sport == $port"
		busywait 10 wire_has west "way == \"from\" && dport == $port"
	done
}

# MACs of the frames the box made for PORT: upstream, and to the client
macs() # PORT
{
	awk -v port=$1 '$1 == "from" && $9 == port { print $2, $3 }' "$TMP/east"
	awk -v port=$1 '$1 == "from" && $10 == port { print $2, $3 }' "$TMP/west"
}

# A frame of the client for each port, and it is in the records
knock() # PORT...
{
	local port before

	before=$(learned)
	for port; do
		frame make udp $MAC_C1 $MAC_R $C1 $S1 $port 443
	done >"$TMP/frames"
	ns c1 frame send -i eth0 <"$TMP/frames"
	must busywait 10 learned_past $((before + $#))
}

learned()
{
	echo $(($(mackeep_stat box saved) + $(mackeep_stat box refreshed)))
}

learned_past() # COUNT
{
	[ "$(learned)" -ge $1 ]
}

must topo_up

# --- control --------------------------------------------------------------------

topo_box_addressed
must ns box iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID
topo_box_remembers
is "$(ctnl <<<"create udp $C1 $S1 1000 443")" OK "no module: an entry is made"
wire_both
speak 1000
wire_stop
is "$(macs 1000)" "$MAC_BR $MAC_R
$MAC_BR $MAC_C1" "no module: both legs show the box's MAC"
topo_box_unaddressed

module_needed
topo_box_marks
topo_box_rules -j MACKEEP

# --- without MACs -----------------------------------------------------------------

given=$(record src=${MAC_X//:/} dst=${MAC_Y//:/} \
	ifindex="$(ip -n mk-box -o link show br0 | cut -d : -f 1)")
is "$(ctnl <<-LINES | tr '\n' ' '
create udp $C1 $S1 1001 443 none
create udp $C1 $S1 1002 443 $given
create udp $C1 $S1 1003 443 none
update udp $C1 $S1 1003 443 $given
update udp $C1 $S1 1002 443 none
update udp $C1 $S1 1000 443 none
LINES
)" "OK OK OK OK OK Operation not supported " \
	"created and updated; not one that had no helper when it was made"
is "$(shown 1001)" "$EMPTY" "without MACs: the record is empty"
is "$(shown 1002)" "$GIVEN" "with MACs: it has them, and no MACs take none away"
is "$(shown 1003)" "$GIVEN" "with MACs, by an update: it has them"
is "$(mackeep_stat box restored) $(mackeep_stat box badinfo)" "2 0" \
	"two records were restored, and nothing was malformed"

# --- with them: before any frame of the flow, and with an empty pair cache ----------

wire_both
speak 1002 1003
wire_stop
for port in 1002 1003; do
	is "$(macs $port)" "$MAC_X $MAC_Y
$MAC_Y $MAC_X" "with MACs, $port: both legs show the ones given"
done
is "$(mackeep_stat box orig) $(mackeep_stat box reply)" "2 2" \
	"with MACs: four packets rewritten"

# --- the flow's own frames are right, whatever came before ----------------------------

saved=$(mackeep_stat box saved)
refreshed=$(mackeep_stat box refreshed)
wire_both
knock 1001 1002
is "$(shown 1001)" "$FRAME" "without MACs: the first frame fills the record"
is "$(shown 1002)" "$FRAME" "with MACs: a frame that shows others replaces them"
is "$(shown 1003)" "$GIVEN" "with MACs: no frame, and it stays as it is"
is "$(($(mackeep_stat box saved) - saved)) $(($(mackeep_stat box refreshed) - refreshed))" \
	"1 1" "one is counted as saved, one as refreshed"
speak 1001 1002
wire_stop
for port in 1001 1002; do
	is "$(macs $port)" "$MAC_C1 $MAC_R
$MAC_R $MAC_C1" "$port: both legs show the MACs of the frame"
done
wire_clean "module"

net_done
