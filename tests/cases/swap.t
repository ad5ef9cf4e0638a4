#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep reload swaps the kernel module under traffic: what the proxy has lives
# on with the same MACs, what begins meanwhile is served, and nothing on either
# wire has a MAC of the box.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy and udp; the module goes and comes
#
# Control: the same by hand breaks what the proxy has.
#
# Seen by others: an upgrade leaves the old module loaded, ntop/PF_RING issue 170;
# who connects while a proxy is loaded again is lost without rules that hold SYNs
# back, openshift/openshift-docs pull request 1987.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep iptables-legacy-restore ip6tables-nft-restore
tools udp

UP="--bridge br0 -6 --tcp 443 --udp 443 --to $PROXY_PORT"
HELD="tcp4 idle4 past4 tcp6 idle6 past6"
KEPT=20 # legs that live through it: 4 of TCP and one of UDP, twice, by IPv4 and IPv6

talks=()
news=()

# c1's, to a server: some that load, some that wait, one of no proxy
flows_start()
{
	must held_start tcp$family c1 -c 2 -s 20000 -w 20 -t 120 $S1
	must held_start idle$family c1 -c 2 -w 3000 -t 120 $S1
	must held_start past$family c1 -s 20000 -w 20 -t 120 $S1 80
}

# A flow of datagrams that waits between two of them, and connections without end
others_start()
{
	spawn talk$family ns c1 udp talk -b $1 -n 2 -w 1 -t 60 $S1
	talks+=("$spawned")
	must busywait 60 grep -q waiting "$TMP/talk$family.out"
	spawn new$family ns c1 load get -o -l -w 30 -t 60 $S1
	news+=("$spawned")
}

others_end() # TITLE
{
	local pid

	kill -USR1 "${echo_pids[@]}"
	for pid in "${talks[@]}"; do
		ok "$1: a flow of datagrams goes on" wait $pid
	done
	kill "${news[@]}"
	for pid in "${news[@]}"; do
		ok "$1: no new connection failed" wait $pid
	done
	talks=()
	news=()
}

all_grow() # TITLE
{
	local name

	for name in $HELD; do
		ok "$1: $name goes on" held_grows $name 3
	done
}

all_end() # TITLE
{
	local name

	for name in $HELD; do
		ok "$1: $name has failed nothing" held_stop $name
	done
	ok "$1: the proxy comes to rest" proxy_quiet
}

# What list and pairs tell, but for what ticks
records()
{
	ns box mackeep list 2>/dev/null |
		sed -n 's/^\([a-z]*\) .* src=\([^ ]*\) dst=\([^ ]*\) sport=\([0-9]*\) dport=\([0-9]*\) .* smac=/\1 \2 \4 \3 \5 smac=/p' |
		sort
}

pairs()
{
	ns box mackeep pairs 2>/dev/null | sed 's/ age=[^ ]*//' | sort
}

# Of the lines of BEFORE, how many are in AFTER
lines_kept() # BEFORE AFTER
{
	comm -12 "$1" "$2" | wc -l
}

# A number that each load of the module has for itself
load_number()
{
	stat -c %i /sys/module/$MODULE
}

reload() # [OPTION...]
{
	ns box mackeep reload "$@"
}

rules_now()
{
	ns box sh -c 'nft list ruleset; iptables-legacy-save -t mangle' 2>/dev/null |
		grep -v '^#' | sed 's/\[[0-9:]*\]//; s/counter packets [0-9]* bytes [0-9]*//'
}

# Under load
swapped() # TITLE UDP-PORT [OPTION of reload...]
{
	local t=$1 port=$2 before

	shift 2
	each_family others_start "" $port
	before=$(load_number)
	wire_both
	records >"$TMP/before"
	pairs >"$TMP/pairs"
	rules_now >"$TMP/rules"
	ok "$t: reload" reload "$@"
	note "$(grep -h 'the gap was' "$TMP/ok.out")"
	like "$(cat "$TMP/ok.out")" "the gap was" "$t: it tells of the gap"
	isnt "$(load_number)" "$before" "$t: the module is another one"
	records >"$TMP/after"
	pairs >"$TMP/pairs-after"
	rules_now >"$TMP/rules-after"
	all_grow "$t"
	others_end "$t"
	wire_stop
	wire_clean "$t"
	for family in 4 6; do
		topo_family $family
		wire_leg west $S1 $C1 $MAC_R $MAC_C1 20 "$t: IPv$family, to the client"
		wire_leg east $C1 $S1 $MAC_C1 $MAC_R 20 "$t: IPv$family, to the server"
	done
	topo_family 4
	ok "$t: the rules are as they were" diff "$TMP/rules" "$TMP/rules-after"
	is "$(lines_kept "$TMP/pairs" "$TMP/pairs-after")" "$(grep -c . "$TMP/pairs")" \
		"$t: the pairs are back"
	cmp_ok "$(lines_kept "$TMP/before" "$TMP/after")" -ge $KEPT "$t: so are the records"
	nothing_left "$t"
}

nothing_left() # TITLE
{
	is "$(ns box nft list tables | grep -c mackeep_reload)" 0 "$1: the curtain is gone"
	is "$(ls /run/mackeep | grep -c reload)" 0 "$1: and nothing is written down"
}

# The box takes them all.
proxied() # COUNT
{
	local before

	before=$(box_opens Passive)
	ns c1 load get -o -n $1 -t 20 $S1 || return
	[ $(($(box_opens Passive) - before)) -ge $1 ]
}

services_add()
{
	local proto

	for proto in tcp udp; do
		must ns box mackeep services add --mark $LIFT_MARK -p $proto --to $PROXY_PORT
	done
}

must topo_up
for family in -4 -6; do
	must ip $family -n mk-box -batch - <<-LINES
		rule del fwmark 1 lookup 100
		route flush table 100
		route del default dev br0
	LINES
done
topo_family 4
services_up
module_needed
topo_box_remembers
must ns box mackeep up $UP
services_add

# --- control: by hand -------------------------------------------------------------------

must held_start hand c1 -c 2 -w 20 -t 3 $S1
must ns box mackeep down br0
must busywait 10 rmmod $MODULE
must modprobe $MODULE
must ns box mackeep up $UP
ok "by hand: what comes then works" held_grows hand
nok "by hand: what the proxy had is broken" held_stop hand
proxy_quiet
services_add

# --- up, and services ---------------------------------------------------------------------

like "$(reload 2>&1)" "nothing to do" "the same module stays"
nothing_left "the same module"

each_family flows_start
swapped "nft" 6000 --force

# The installed one has another version.
ko=$(modinfo -n $MODULE)
must cp "$ko" "$TMP/ko"
must sed -i 's/\(srcversion=\)../\1ZZ/' "$ko"
defer cp "$TMP/ko" "$ko"
swapped "another version" 6001
like "$(cat /sys/module/$MODULE/srcversion)" "^ZZ" "another version: it is the new one"
like "$(reload 2>&1)" "nothing to do" "and now it is the same"
is "$(ns box mackeep services 2>/dev/null | grep -c 'ipv4=open ipv6=open')" 2 \
	"the services are open"
ok "new connections are proxied" proxied 5

# --- refused ----------------------------------------------------------------------------

refused() # TITLE MESSAGE COMMAND...
{
	local t=$1 message=$2 before

	shift 2
	before=$(load_number)
	rules_now >"$TMP/rules"
	nok "$t: refused" "$@"
	like "$(cat "$TMP/ok.out")" "$message" "$t: and it tells why"
	is "$(load_number)" "$before" "$t: the module stays"
	rules_now >"$TMP/rules-after"
	ok "$t: so do the rules" diff "$TMP/rules" "$TMP/rules-after"
	nothing_left "$t"
}

must ns c2 iptables -t mangle -A PREROUTING -j MACKEEP
refused "another namespace" "network namespace mk-c2: it uses the module" reload --force
must ns c2 iptables -t mangle -F
must ns c2 nft -f - <<-RULES
	table ip mk {
		ct helper keep { type "mackeep" protocol tcp; }
	}
RULES
refused "a helper elsewhere" "in use [0-9]+ times" reload --force
must ns c2 nft delete table ip mk

mkdir "$TMP/no-nft"
for program in ip; do
	ln -s "$(command -v $program)" "$TMP/no-nft/"
done
refused "no nft" "nft: .*apt install nftables" \
	ns box env PATH="$TMP/no-nft" "$(command -v mackeep)" reload --force
must truncate -s 1000 "$ko"
refused "half a file" "no module that can be read" reload --force
must cp "$TMP/ko" "$ko"

# --- killed, and finished -----------------------------------------------------------------

conf=/etc/modprobe.d/mackeep-swap-test.conf
defer rm -f $conf
echo "install $MODULE echo \$\$ >$TMP/there; exec sleep 1000" >$conf
spawn killed ns box mackeep reload --force
must busywait 60 [ -s "$TMP/there" ]
kill -9 $spawned $(pgrep -P $spawned) $(cat "$TMP/there")
wait $spawned
rm $conf
nok "killed: the module is away" module_loaded
wire_both
ok "killed: the next reload ends it" reload
all_grow "killed"
wire_stop
wire_clean "killed"
nothing_left "killed"
all_end "nft"
ok "killed: new connections are proxied" proxied 5

# --- a module that cannot be loaded ---------------------------------------------------------

echo "install $MODULE false" >$conf
wire_both
nok "no module: reload fails" reload --force
like "$(cat "$TMP/ok.out")" "cannot be loaded: .*frames pass the bridge.*then: mackeep reload" \
	"no module: and tells what holds now"
ok "no module: new connections pass the bridge" ns c1 load get -o -n 3 $S1
wire_stop
wire_clean "no module"
rm $conf
ok "no module: reload when it is there again" reload
nothing_left "no module"
ok "no module: new connections are proxied" proxied 5
proxy_quiet

# --- rules of iptables, no service -----------------------------------------------------------

must ns box mackeep down br0
for proto in tcp udp; do
	must ns box mackeep services del --mark $LIFT_MARK -p $proto
done
topo_box_bare
topo_box_marks
for family in iptables-legacy ip6tables-nft; do
	must ns box $family-restore <<-RULES
		*mangle
		:DIVERT -
		-A DIVERT -j MARK --set-mark 1
		-A DIVERT -j ACCEPT
		-A PREROUTING -j MACKEEP
		-A PREROUTING -m socket --transparent -j DIVERT
		-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		-A PREROUTING -p udp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
		COMMIT
	RULES
done
each_family flows_start
swapped "iptables" 6002 --force
all_end "iptables"
ok "iptables: new connections are proxied" proxied 5

ns box iptables-legacy -t mangle -F
ns box ip6tables-nft -t mangle -F
net_done
