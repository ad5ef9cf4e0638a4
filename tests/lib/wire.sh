# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Captures at the far ends of the box's cables, and questions about them.

declare -A wire_pid

wire_start() # NAME NAMESPACE INTERFACE [wire OPTION...]
{
	local name=$1 space=$2 iface=$3

	shift 3
	rm -f "$TMP/$name"
	must spawn_ready "wire-$name" ns "$space" wire -i "$iface" "$@" \
		"$TMP/$name"
	wire_pid[$name]=$spawned
}

# Both sides of the box: "west" and "east"
wire_both() # [wire OPTION...]
{
	wire_start west west w0 "$@"
	wire_start east east e0 "$@"
}

# Ends the captures, or those named, once their wires are quiet. The test fails if
# a frame was lost.
wire_stop() # [NAME...]
{
	local name rc=0

	[ $# -gt 0 ] || set -- "${!wire_pid[@]}"
	for name; do
		kill "${wire_pid[$name]}" 2>/dev/null
	done
	for name; do
		wait "${wire_pid[$name]}" || {
			rc=1
			diag "$(cat "$TMP/wire-$name.err")"
		}
		unset "wire_pid[$name]"
	done
	[ $rc -eq 0 ] || fail "capture: every frame was seen"
	return $rc
}

# Frames for which CONDITION holds, an awk expression of: way src dst vlan type
# saddr daddr proto sport dport bytes flags
wire_sum() # NAME CONDITION [FIELD, frames unless given]
{
	awk "{
		way = \$1; src = \$2; dst = \$3; vlan = \$4; type = \$5
		saddr = \$6; daddr = \$7; proto = \$8; sport = \$9
		dport = \$10; frames = \$11; bytes = \$12; flags = \$14
	}
	/^#/ { seen = 1; next }
	$2 { n += ${3:-frames} }
	END { printf \"%d\\n\", seen ? n : -1 }" "$TMP/$1"
}

# The capture, which goes on, has frames for which CONDITION holds.
wire_has() # NAME CONDITION
{
	kill -USR1 "${wire_pid[$1]}"
	[ -e "$TMP/$1" ] && [ "$(wire_sum "$1" "$2")" -gt 0 ]
}

# The box's frames of one leg, from SADDR to DADDR: all of them carry SOURCE and
# DEST, and there are at least MINIMUM.
wire_leg() # NAME SADDR DADDR SOURCE DEST MINIMUM DESCRIPTION
{
	local good bad rc

	read -r good bad < <(awk -v saddr="$2" -v daddr="$3" -v macs="$4 $5" '
		$1 == "from" && $5 ~ /^ip/ && $6 == saddr && $7 == daddr {
			if ($2 " " $3 == macs) good += $11; else bad += $11
		}
		END { printf "%d %d\n", good, bad }' "$TMP/$1")
	[ "$bad" -eq 0 ] && [ "$good" -ge "$6" ]
	rc=$?
	tap_report $rc "$7 ($good frames)" && return
	diag "$1, $2 to $3: $good frames with $4 to $5 (wanted $6), $bad others"
	wire_show "$1"
}

# Frames that the box sent with a MAC of its own, on either side
wire_own() # [CONDITION]
{
	local west east

	west=$(wire_sum west "way == \"from\" && src ~ /:b[012]\$/ && (${1:-1})")
	east=$(wire_sum east "way == \"from\" && src ~ /:b[012]\$/ && (${1:-1})")
	# -1: no such capture
	[ "$west" -ge 0 ] && [ "$east" -ge 0 ] && echo $((west + east))
}

# As a test: the captures of wire_both have no such frame.
wire_clean() # TITLE [CONDITION]
{
	local own

	own=$(wire_own "${2:-1}")
	is "$own" 0 "$1: no ${2:+such }frame with a MAC of the box" && return
	diag "$(grep -h '^from [^ ]*:b[012] ' "$TMP/west" "$TMP/east" | sort | head -n 20)"
	return 1
}

wire_show() # NAME
{
	diag "$1:"
	diag "$(sort "$TMP/$1" | head -n 40)"
}

# Bytes of the longest frame that the box sent of an L4 protocol
wire_longest() # NAME PROTO
{
	awk -v proto="$2" '
		$1 == "from" && $8 == proto && $13 > n { n = $13 }
		END { print n + 0 }' "$TMP/$1"
}

# When the first or last frame was for which CONDITION holds, seconds since the
# capture began; nothing when there was none
wire_time() # NAME first|last CONDITION
{
	awk -v what="$2" "{
		way = \$1; src = \$2; dst = \$3; type = \$5; saddr = \$6
		daddr = \$7; proto = \$8; sport = \$9; dport = \$10
	}
	!/^#/ && ($3) {
		t = what == \"first\" ? \$15 : \$16
		if (!n++ || (what == \"first\" ? t < at : t > at)) at = t
	}
	END { if (n) print at }" "$TMP/$1"
}

# What the frames look like, without their number, so that two runs can be compared
wire_shape() # NAME [CONDITION]
{
	awk "{
		way = \$1; src = \$2; dst = \$3; vlan = \$4; type = \$5
		saddr = \$6; daddr = \$7; proto = \$8; sport = \$9
		dport = \$10
	}
	!/^#/ && (${2:-1}) {
		print way, src, dst, vlan, type, saddr, daddr, proto, sport, dport
	}" "$TMP/$1" | sort -u
}

# All TCP flags of what the box sent on a leg, as letters in the order FSRPAUEC
wire_flags() # NAME SADDR DADDR
{
	awk -v saddr="$2" -v daddr="$3" '
		$1 == "from" && $6 == saddr && $7 == daddr { all = all $14 }
		END { n = split("F S R P A U E C", f, " ")
		      for (i = 1; i <= n; i++) if (index(all, f[i])) s = s f[i]
		      print s }' "$TMP/$1"
}
