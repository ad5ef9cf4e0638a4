# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What frames of the flow that a test holds do: go past the bridge, which the counter
# $past tells of, or through it.

past= # the test sets it

# Since 5.13 a bridge says where it would send a frame.
printf '%s\n' 5.13 "$(uname -r)" | sort -CV || skip_all "the bridge cannot be asked there"

went_past()
{
	mackeep_stat box $past
}

# ... is not what frames are any more, or is again. Frames may be on their way.
goes() # past|through
{
	local before

	before=$(went_past)
	held_grows flow 2 || return
	if [ $1 = past ]; then
		[ "$(went_past)" -gt $before ]
	else
		[ "$(went_past)" -eq $before ]
	fi
}

# What COMMAND prints grows with each request by two, one for the server and one for c1.
counts() # COMMAND...
{
	local before

	before=$("$@")
	held_grows flow 10 || return
	cmp_ok $(($("$@") - before)) -ge 20 "$title: it is given the frames"
}

seen_by_nft()
{
	ns box nft list chain $chain | grep -o 'packets [0-9]*' | cut -d ' ' -f 2
}

# While that is there, frames go through the bridge; then past it once more.
while_there() # TITLE COUNTER UNDO...
{
	local title=$1

	ok "$title: frames go through the bridge" busywait 60 goes through
	counts $2
	is "$(goes through && echo so)" so "$title: all of them"
	"${@:3}"
	ok "$title: past it when it is gone" busywait 60 goes past
}

chain_up() # FAMILY HOOK
{
	chain="$1 seen out"
	must ns box nft -f - <<-RULES
	table $1 seen {
		chain out {
			type filter hook $2 priority 0
			counter
		}
	}
	RULES
}

chain_down()
{
	must ns box nft delete table ${chain% out}
}

packets_of() # DEVICE FIELD
{
	ns box awk -v dev="$1:" -v field=$2 '$1 == dev { print $field }' /proc/net/dev
}

got_by() # DEVICE
{
	packets_of $1 3
}

sent_by() # DEVICE
{
	packets_of $1 11
}

# What COMMAND prints grows by no less than the wires have seen go that WAY, seen from the
# box; of these frames at least so many went past the bridge.
counted() # TITLE LEAST to|from COMMAND...
{
	local before went

	before=$("${@:4}")
	went=$(went_past)
	wire_both
	must held_start flow c1 -s 3000 -w 5 $S1
	must held_grows flow 20
	must held_stop flow
	proxy_quiet
	wire_stop
	went=$(($(went_past) - went))
	cmp_ok $went -ge $2 "$1: $went frames went past the bridge"
	cmp_ok $(($("${@:4}") - before)) -ge \
		"$(($(wire_sum west "way == \"$3\" && proto == \"tcp\"") +
		    $(wire_sum east "way == \"$3\" && proto == \"tcp\"")))" \
		"$1: it counts them as its own"
	wire_clean "$1"
}
