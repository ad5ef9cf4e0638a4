# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What other programs take away of br0, which is up with $UP, and mackeep repair beside.

STAY=$TMP/stay.err # what it says

FWMARK=0x4d4c TABLE=19788 # of up

stay_start()
{
	spawn stay ns box mackeep repair --stay br0
	stay_pid=$spawned
	must busywait 120 said "br0: it is watched"
}

# Lines of it that match
said_count() # REGEX
{
	grep -cE "$1" "$STAY"
}

said() # REGEX [TIMES]
{
	[ "$(said_count "$1")" -ge "${2:-1}" ]
}

# Nothing is missing.
whole() # [OPTION of up...]
{
	[ -z "$(up $UP "$@" --dry-run)" ]
}

box() # SHELL COMMANDS
{
	ns box sh -c "$1"
}

# What THERE shows is taken away by COMMANDS, and is put back.
heals() # TITLE THERE COMMANDS
{
	local began

	must box "$2" >/dev/null
	began=${EPOCHREALTIME/./}
	must box "$3"
	ok "$1: it is put back" busywait 120 box "$2" || diag "$(cat "$STAY")"
	healed=$(((${EPOCHREALTIME/./} - began) / 1000))
	diag "$1: after $healed ms"
}

heals_rules()
{
	heals "flush ruleset" "nft list table ip mackeep_br0 && nft list table bridge mackeep_br0" \
		"nft flush ruleset"
}

heals_table()
{
	heals "a table, rules of another" \
		"nft list table bridge mackeep_br0 && nft list table ip mackeep_br0 | grep -q tproxy" \
		"nft delete table bridge mackeep_br0; nft flush table ip mackeep_br0"
}

heals_routing()
{
	heals "routing, as networkd does" \
		"ip rule show | grep -q fwmark && ip route show table $TABLE | grep -q local && ip route show default dev br0 | grep -q ." \
		"ip rule del fwmark $FWMARK; ip route flush table $TABLE; ip route del default dev br0"
}

heals_device()
{
	heals "a sysctl, an option of the bridge" \
		"grep -q 0 /proc/sys/net/ipv4/conf/br0/rp_filter && ip -d link show br0 | grep -q 'group_fwd_mask 0x8 '" \
		"echo 1 >/proc/sys/net/ipv4/conf/br0/rp_filter; ip link set br0 type bridge group_fwd_mask 0"
}

heals_sysctl()
{
	heals "a sysctl without events" "grep -q 1 /proc/sys/net/netfilter/mackeep_hooks" \
		"echo 0 >/proc/sys/net/netfilter/mackeep_hooks"
}

# From now on
iptables_is_legacy()
{
	local name

	mkdir "$TMP/legacy"
	for name in iptables iptables-restore ip6tables ip6tables-restore; do
		ln -s /usr/sbin/xtables-legacy-multi "$TMP/legacy/$name"
	done
	ln -s /usr/sbin/ebtables-legacy "$TMP/legacy/ebtables"
	PATH=$TMP/legacy:$PATH
}

heals_iptables()
{
	heals "iptables -F" \
		"iptables -t mangle -S | grep -q TPROXY && iptables -t mangle -S PREROUTING | grep -q mackeep" \
		"iptables -t mangle -F"
	heals "ebtables -F" "ebtables -t nat -L | grep -q mark-set" "ebtables -t nat -F"
}
