# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Services of the box, and whether new connections of c1 go through its proxy or
# past it.

need mackeep

new() # COUNT [OPTION...]
{
	ns c1 load get -o -n $1 -t 10 "${@:2}" $S1
}

# Connections that the box took since the last call
taken()
{
	local now before=${passive:-0}

	now=$(box_opens Passive)
	passive=$now
	echo $((now - before))
}

# What the service TCP or UDP says of itself
service() # tcp|udp WORD
{
	ns box mackeep services 2>/dev/null | sed -n "/^$1 /s/.* $2=\([^ ]*\).*/\1/p"
}

service_is() # tcp|udp WORD VALUE
{
	[ "$(service $1 $2)" = "$3" ]
}

passes() # TITLE COUNT
{
	taken >/dev/null
	ok "$1: new connections" new $2
	is "$(taken)" 0 "$1: go past the proxy"
}

proxied() # TITLE COUNT
{
	taken >/dev/null
	ok "$1: new connections" new $2
	is "$(taken)" $2 "$1: go through the proxy"
}

service_add() # OPTION...
{
	ns box mackeep services add --mark $LIFT_MARK "$@" 2>&1
}

service_del() # tcp|udp
{
	ns box mackeep services del --mark $LIFT_MARK -p $1
}

# --- a storm: new connections, as many as there is time for ------------------------

declare -A storm_pid

storm_start() # [OPTION of load get...]
{
	spawn storm$family ns c1 load get -o -l -v -c 4 -s 200 -t 30 "$@" $S1
	storm_pid[$family]=$spawned
	storm_grows 40
}

storm_done()
{
	awk '$1 == "done" { n = $2 } END { print n + 0 }' "$TMP/storm$family.out"
}

storm_past() # COUNT
{
	[ "$(storm_done)" -ge "$1" ]
}

# COUNT more are done.
storm_grows() # COUNT
{
	busywait 30 storm_past $(($(storm_done) + $1))
}

storm_stop()
{
	kill "${storm_pid[$family]}"
	wait "${storm_pid[$family]}"
}

# Those that have failed, of all that were opened between two moments, of the clock
# EPOCHREALTIME
storm_failed() # FROM TO
{
	awk -v from="$1" -v to="$2" '
		$1 == "failed" && $2 > from && $2 < to { n++; print "# " $0 >"/dev/stderr" }
		END { print n + 0 }' "$TMP/storm$family.out"
}

storm_fails() # FROM
{
	[ "$(storm_failed $1 1e12 2>/dev/null)" -gt 0 ]
}
