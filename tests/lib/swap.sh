# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box that "mackeep up" set up, with flows that live through a reload of the
# module. What sources this has set V6 and sourced net.sh.

need mackeep iptables-legacy-restore ip6tables-nft-restore
tools udp

UP="--bridge br0 --tcp 443 --udp 443 --to $PROXY_PORT --settle 0"
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
	spawn talk$family ns c1 udp talk -b $1 -n 2 -w 1 -t 200 $S1
	talks+=("$spawned")
	must busywait 60 grep -q waiting "$TMP/talk$family.out"
	spawn new$family ns c1 load get -o -l -w 100 -t 60 $S1
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

# Restoring a table may make chains that have no rules, and change their order.
rules_now()
{
	ns box sh -c 'nft list ruleset | sed -n "/^table [a-z0-9]* mackeep/,/^}/p"
		{ iptables-legacy-save -t mangle; ip6tables-nft-save -t mangle; } |
			grep "^-A" | sort -s -k 2,2' 2>/dev/null |
		sed 's/counter packets [0-9]* bytes [0-9]*//'
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
	others_end "$t"
	all_grow "$t"
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
	is "$(find /run/mackeep -name 'reload*')" "" "$1: and nothing is written down"
}

# The box takes them all.
proxied() # COUNT
{
	local before

	before=$(box_opens Passive)
	ns c1 load get -o -n $1 -t 20 $S1 || return
	[ $(($(box_opens Passive) - before)) -ge $1 ]
}

# The box, with proxies and services
swap_box()
{
	must topo_up
	topo_box_unrouted
	services_up
	module_needed
	topo_sysctl box net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
	must ns box mackeep up $UP
}
