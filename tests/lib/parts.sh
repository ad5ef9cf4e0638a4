# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Downloads that the server sends in parts, the next one when it is told to: in
# between nothing is on its way. The servers are those of web_up.

PART=200000 # bytes

declare -A part_pid

# One of c1's in the family at hand; its lines are in $TMP/getFAMILY.out.
part_start() # PARTS
{
	spawn get$family ns c1 load get -p $1 -s $(($1 * PART)) -t 120 $S1
	part_pid[get$family]=$spawned
}

# One of IPv4 and one of IPv6, until the first part is there
parts_start() # PARTS
{
	for family in 4 6; do
		topo_family $family
		part_start $1
	done
	topo_family 4
	must busywait 30 parts_there 1
	must busywait 30 acknowledged srv box
}

# Each has got COUNT parts.
parts_there() # COUNT
{
	local name

	for name in "${!part_pid[@]}"; do
		[ "$(grep -cx part "$TMP/$name.out")" -ge $1 ] || return
	done
}

# What they sent is acknowledged, and what came was read.
acknowledged() # NAMESPACE...
{
	local name

	for name; do
		ns $name awk 'FNR > 1 && $4 == "01" && $5 != "00000000:00000000" { n++ }
			END { exit !!n }' /proc/net/tcp /proc/net/tcp6 || return
	done
}

next_part()
{
	kill -USR1 "${web_pids[@]}"
}
