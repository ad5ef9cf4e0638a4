#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up and down on a box alone: what is printed is what is done, twice
# changes nothing, and down leaves all as it was, after a crash as well.
#
#  [ box: br0 with an odd rp_filter and group_fwd_mask ]

# shellcheck disable=SC1091,SC2016,SC2086,SC2154 # sourced; one word each
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep

UP="--bridge br0 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT"

# All that "up" could change
snapshot()
{
	ns box sh -c 'ip -4 rule; ip -6 rule; ip -4 route show table all
		ip -6 route show table all | grep -v "^multicast\|^ff00\|^fe80\|^local fe80\|^anycast"
		ip -br link; nft list ruleset
		ip -d link show br0 | grep -o "group_fwd_mask [^ ]*"
		cd /proc/sys/net && cat ipv4/conf/br0/rp_filter netfilter/mackeep_hooks
		exit 0' 2>&1 |
		sed 's/counter packets [0-9]* bytes [0-9]*//; s/ expires [0-9]*sec//'
}

is_as() # NAME DESCRIPTION
{
	snapshot >"$TMP/now"
	ok "$2" diff "$TMP/$1" "$TMP/now"
}

up() # OPTION...
{
	ns box mackeep up "$@"
}

down()
{
	ns box mackeep down br0 "$@"
}

rm -rf /run/mackeep
must ip -batch - <<<"netns add mk-box"
defer topo_down
topo_sysctl box net.ipv6.conf.default.accept_dad=0
must topo_ip box <<-LINES
	link set lo up
	link add br0 address $MAC_BR type bridge group_fwd_mask 0x4000
	link add port0 type dummy
	link set port0 master br0
	link set br0 up
LINES
topo_sysctl box net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br0.rp_filter=1
module_needed
snapshot >"$TMP/bare"

# --- dry run -----------------------------------------------------------------------

up $UP -6 --dry-run >"$TMP/dry"
like "$(cat "$TMP/dry")" "ip -4 rule add fwmark .*nft -f - <<'END'.*meta ibrname" \
	"--dry-run prints the commands"
is_as bare "--dry-run changes nothing"

# --- up, twice ------------------------------------------------------------------------

ok "up" up $UP -6
snapshot >"$TMP/up"
nok "up did something" cmp -s "$TMP/bare" "$TMP/up"
ok "up again" up $UP -6
is_as up "up again changes nothing"
is "$(up $UP -6 --dry-run)" "" "up again --dry-run: nothing is left to do"
ok "what went missing" ns box nft delete table bridge mackeep_br0
ok "is put up again" up $UP -6
is_as up "and all is as it was"
down --dry-run >"$TMP/dry-down"
is_as up "down --dry-run changes nothing"
ok "down" down
is_as bare "down leaves what was there before"
ok "down again" down
is "$(ls /run/mackeep)" lock "no state is left"

# What was printed is what was done.
ok "a shell takes what --dry-run printed" ns box sh -e "$TMP/dry"
is_as up "and it is the same"
ok "up finds all there" up $UP -6
ok "down leaves what it did not make" down
is_as up "all of it"
ok "a shell takes what down --dry-run printed" ns box sh -e "$TMP/dry-down"
is_as bare "and it is down"

# --- a crash, and a failure ----------------------------------------------------------

mkdir "$TMP/fake"
cat >"$TMP/fake/nft" <<-'SH'
	#!/bin/sh
	[ "$1" != -f ] || kill -9 $PPID
	exit 1
SH
chmod +x "$TMP/fake/nft"
crash()
{
	PATH=$TMP/fake:$PATH up $UP -6
}

nok "up is killed half way" crash
nok "and left something" eval 'snapshot | cmp -s "$TMP/bare"'
ok "down after the crash" down
is_as bare "nothing is left of it"
nok "up is killed again" crash
ok "up after the crash" up $UP -6
is_as up "all is there"

# With other options
ok "up with other options" up --bridge br0 --tcp 443 --to $PROXY_PORT
unlike "$(snapshot)" "8000-8010|table ip6 mackeep_br0" "what they do not need is gone"
ok "down" down
is_as bare "and nothing is left"

sed -i 's/kill .*/{ echo "no nft today" >\&2; exit 1; }/' "$TMP/fake/nft"
said=$(crash 2>&1)
like "$? $said" "^1 .*nft -f -.*no nft today.*bridge br0: it is not up, and as it was before; mend" \
	"a command that fails is told, with what it said"
is_as bare "and what was up is undone"

# --- the file, and what is refused -----------------------------------------------------

mkdir -p /etc/mackeep
cat >/etc/mackeep/br0.conf <<-CONF
	# a comment
	bridge	br0
	tcp	443,8000-8010	# another
	udp	443
	to	$PROXY_PORT
	ipv6
CONF
is "$(up br0 --dry-run)" "$(cat "$TMP/dry")" "/etc/mackeep/br0.conf says the same"
echo "frob 1" >>/etc/mackeep/br0.conf
like "$(up br0 2>&1)" "br0.conf line 7: \"frob\" is not an option of up; see" \
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
refused 2 "--strict: nft rules cannot say it; add --backend iptables" $UP --strict
refused 1 "bridge br9: no such device; make it: ip link add" --bridge br9 --tcp 80 --to 1
refused 1 "bridge port0: it is not a bridge; " --bridge port0 --tcp 80 --to 1
refused 1 "/etc/mackeep/br9.conf: No such file.*; write one, or give" br9


topo_down
module_gone
done_testing
