#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up and down on a box alone: --dry-run prints what is done, a second up
# changes nothing, and down leaves all as it was. An up that does not come to its
# end is in mackeep-crash.t.
#
#  [ box: br0 with an odd rp_filter and group_fwd_mask ]
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
need mackeep python3

updown_box

# --- dry run -----------------------------------------------------------------------

up $UP --dry-run >"$TMP/dry"
like "$(cat "$TMP/dry")" "ip -4 rule add fwmark .*mackeep services add .*nft -f - <<'END'.*meta ibrname" \
	"--dry-run prints the commands"
is_as bare "--dry-run changes nothing"

# --- up, twice ------------------------------------------------------------------------

ok "up" up $UP
snapshot >"$TMP/up"
nok "up did something" cmp -s "$TMP/bare" "$TMP/up"
ok "up again" up $UP
is_as up "up again changes nothing"
is "$(up $UP --dry-run)" "" "up again --dry-run: nothing is left to do"
ok "what went missing" ns box nft delete table bridge mackeep_br0
ok "and the rules of another table" ns box nft flush table ip mackeep_br0
ok "is put up again" up $UP
is_as up "and all is as it was"
down --dry-run >"$TMP/dry-down"
like "$(cat "$TMP/dry-down")" "delete table bridge mackeep_br0.*mackeep services del " \
	"down --dry-run: nothing is lifted when the services go"
is_as up "down --dry-run changes nothing"
ok "down" down
is_as bare "down leaves what was there before"
ok "down again" down
is "$(ls /run/mackeep)" lock "no state is left"

# What was printed is what was done.
ok "a shell takes what --dry-run printed" ns box sh -e "$TMP/dry"
is_as up "and it is the same"
ok "up finds all there" up $UP
ok "down leaves what it did not make" down
is_as up "all of it"
ok "a shell takes what down --dry-run printed" ns box sh -e "$TMP/dry-down"
is_as bare "and it is down"

# --- services --------------------------------------------------------------------------

services()
{
	ns box mackeep services 2>/dev/null | sed 's/ ipv4=[^ ]* ipv6=[^ ]*//; s/ lifted=.*//'
}

tcp="tcp to=$PROXY_PORT mark=0x4d4b fail="
udp="udp to=$PROXY_PORT mark=0x4d4b fail="
open="${tcp}open"$'\n'"${udp}open"

ok "up" up $UP
is "$(services)" "$open" "up makes the services"

# Those of an older version know nothing of them.
state=$(ls /run/mackeep/br0*.json)
must python3 - "$state" <<-'PY'
	import json, sys
	state = json.load(open(sys.argv[1]))
	state["steps"] = [s for s in state["steps"] if s["do"][:2] != ["mackeep", "services"]]
	json.dump(state, open(sys.argv[1], "w"))
PY
must ns box mackeep services del --mark 0x4d4b -p tcp
must ns box mackeep services del --mark 0x4d4b -p udp
is "$(up $UP --dry-run | grep -c .)" 2 "what an older up left: only the services are missing"
ok "up" up $UP
is "$(services)" "$open" "which up then makes"
is_as up "and all is as if it had made all of it"
is "$(down --dry-run)" "$(cat "$TMP/dry-down")" "down undoes it in the right order"

must ns box mackeep services del --mark 0x4d4b -p udp
ok "one went missing" up $UP
is "$(services)" "$open" "it is put up again"

ok "down" down
is "$(services)" "" "down takes them away"
is_as bare "and nothing is left"

topo_sysctl box net.netfilter.mackeep_lift_mark=5
like "$(up $UP 2>&1)" "frames with this mark are not lifted: see the sysctl net.netfilter.mackeep_lift_mark.*as it was before" \
	"a mark that is not lifted is told"
is_as bare "and nothing is changed"
topo_sysctl box net.netfilter.mackeep_lift_mark=$LIFT_MARK/0xffffffff

ok "up --fail closed" up $UP --fail closed
is "$(services)" "${tcp}closed"$'\n'"${udp}closed" "makes closed ones"
ok "down" down
must ip -n mk-box link set br0 down
ok "up on a bridge that is down" up --bridge br0 --udp 443 --to $PROXY_PORT
is "$(services)" "${udp}open" "has nothing to settle"
ok "down" down
must ip -n mk-box link set br0 up
ok "up on a bridge that is up" up --bridge br0 --udp 443 --tcp 80 --to $PROXY_PORT
like "$(services)" "^${tcp}open"$'\n'"${udp}open settle=(2[5-9]|30)\$" "has UDP settle"
ok "down" down

# --- the file, and what is refused -----------------------------------------------------

mkdir -p /etc/mackeep
cat >/etc/mackeep/br0.conf <<-CONF
	# a comment
	bridge	br0
	tcp	443,8000-8010	# another
	udp	443
	to	$PROXY_PORT
	settle	0
	ipv6
CONF
is "$(up br0 --dry-run)" "$(cat "$TMP/dry")" "/etc/mackeep/br0.conf says the same, ipv6 or not"

# mackeep@br0.service, without the systemd around it
unit() # Start|Stop
{
	local command

	command=$(sed -n "s/^Exec$1=.*\\/mackeep //p" "$(dirname "$0")/../../tools/mackeep@.service")
	ns box mackeep ${command//%I/br0}
}

ok "the unit is started" unit Start
is_as up "and all is there"
ok "the unit is stopped" unit Stop
is_as bare "and nothing is left"

echo "frob 1" >>/etc/mackeep/br0.conf
like "$(up br0 2>&1)" "br0.conf line 8: \"frob\" is not an option of up; see" \
	"a bad line is told"

sed -i 's/^frob.*/bridge br1/' /etc/mackeep/br0.conf
like "$(up br0 2>&1)" "br0.conf: it is for bridge br1, not br0; " "a file for another bridge is told"

refused() # STATUS REGEX OPTION...
{
	local status=$1 regex=$2 said

	shift 2
	said=$(up "$@" 2>&1)
	like "$? $said" "^$status mackeep: up: .*$regex" "refused: up $*"
}

refused 2 "--to: .*; for instance" --bridge br0 --tcp 80
refused 2 "--tcp: nothing is to be proxied; give" --bridge br0 --to 3129
refused 2 "--tcp \"80-70\": it is not ports like" --bridge br0 --tcp 80-70 --to 3129
refused 2 "--vlan \"4095\": it is not a number from 1 to 4094" $UP --vlan 4095
refused 2 "--bridge \"\.\./x\": it is not a name of" --bridge ../x --tcp 80 --to 3129
refused 1 "bridge br9: no such device; make it: ip link add" --bridge br9 --tcp 80 --to 1
refused 1 "bridge port0: it is not a bridge; " --bridge port0 --tcp 80 --to 1
refused 2 "--to \"0\": it is not a number from 1 to 65535" --bridge br0 --tcp 80 --to 0
refused 2 "--settle: with --fail closed" $UP --fail closed --settle 5
must ip -n mk-box link set port0 nomaster
refused 1 "bridge br0: it has no ports; add one: ip link set dev PORT master br0" $UP
is_as bare "and nothing is changed"
ok "unless they come later: --early" up $UP --early
ok "down" down
must ip -n mk-box link set port0 master br0
refused 1 "/etc/mackeep/br9.conf: No such file.*; write one, or give" br9

net_done
