# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What every test uses: TAP on stdout, waiting with a deadline, cleaning up.
# It leaves $TMP, a directory that is gone afterwards.

set -u -o pipefail

tap_count=0
tap_failed=0
tap_done=
tap_deferred=()

TMP=$(mktemp -d "${TMPDIR:-/tmp}/mackeep-test.XXXXXX") || exit 1

# Runs the command when the test ends, however it ends; the last one first.
defer() # COMMAND [ARG...]
{
	tap_deferred+=("$(printf '%q ' "$@")")
}

tap_cleanup()
{
	local rc=$? i

	trap - EXIT
	for ((i = ${#tap_deferred[@]} - 1; i >= 0; i--)); do
		eval "${tap_deferred[i]}"
	done
	[ -n "$tap_done" ] || diag "ended before done_testing (status $rc)"
	[ -n "$tap_done" ] && [ "$tap_failed" -eq 0 ] || exit 1
	exit 0
}
trap tap_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
defer rm -rf "$TMP"

diag() # TEXT...
{
	local line

	while IFS= read -r line; do
		printf '# %s\n' "$line" >&2
	done <<<"$*"
}

note() # TEXT...
{
	local line

	while IFS= read -r line; do
		printf '# %s\n' "$line"
	done <<<"$*"
}

tap_report() # STATUS DESCRIPTION
{
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $2"
	diag "failed: $2 (${BASH_SOURCE[2]##*/} line ${BASH_LINENO[1]})"
	return 1
}

pass() # DESCRIPTION
{
	tap_report 0 "$1"
}

fail() # DESCRIPTION [WHY]
{
	tap_report 1 "$1"
	[ $# -lt 2 ] || diag "$2"
	return 1
}

is() # GOT WANTED DESCRIPTION
{
	[ "$1" = "$2" ]
	tap_report $? "$3" || { diag "got:    $1"; diag "wanted: $2"; return 1; }
}

isnt() # GOT UNWANTED DESCRIPTION
{
	[ "$1" != "$2" ]
	tap_report $? "$3" || { diag "got what it must not be: $1"; return 1; }
}

like() # GOT REGEX DESCRIPTION
{
	[[ $1 =~ $2 ]]
	tap_report $? "$3" || { diag "got:      $1"; diag "no match: $2"; return 1; }
}

unlike() # GOT REGEX DESCRIPTION
{
	! [[ $1 =~ $2 ]]
	tap_report $? "$3" || { diag "got:     $1"; diag "matches: $2"; return 1; }
}

# OP is -eq, -ge and so on
cmp_ok() # A OP B DESCRIPTION
{
	test "$1" "$2" "$3"
	tap_report $? "$4" || { diag "not true: $1 $2 $3"; return 1; }
}

# The command succeeds. If it fails, its output is shown.
ok() # DESCRIPTION COMMAND [ARG...]
{
	local what=$1 rc

	shift
	# Not in $( ): it may be a function that waits for our children.
	"$@" >"$TMP/ok.out" 2>&1
	rc=$?
	tap_report $rc "$what" && return
	diag "$* (status $rc)"
	diag "$(cat "$TMP/ok.out")"
	return 1
}

nok() # DESCRIPTION COMMAND [ARG...]
{
	local what=$1 rc

	shift
	"$@" >"$TMP/ok.out" 2>&1
	rc=$?
	[ $rc -ne 0 ]
	tap_report $? "$what" && return
	diag "worked: $*"
	diag "$(cat "$TMP/ok.out")"
	return 1
}

skip() # WHY
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count # SKIP $1"
}

skip_all() # WHY
{
	echo "1..0 # SKIP $1"
	tap_done=1
	exit 0
}

done_testing()
{
	echo "1..$tap_count"
	tap_done=1
	exit $((tap_failed > 0))
}

# Ends a script that uses this file but is no test.
leave() # STATUS
{
	tap_done=1
	tap_failed=$1
	exit "$1"
}

# A setup step that has to work for the rest to make sense.
must() # COMMAND [ARG...]
{
	"$@" && return
	diag "needed, but failed: $*"
	echo "Bail out! $*"
	exit 1
}

need() # PROGRAM...
{
	local prog

	for prog; do
		command -v "$prog" >/dev/null || skip_all "$prog is not there"
	done
}

# --- time -----------------------------------------------------------------

# sleep(1) without a process: nothing is ever written to this pipe.
exec {tap_idle}<> <(:)
pause() # SECONDS
{
	read -r -t "$1" -u "$tap_idle"
	return 0
}

# Repeats the command until it succeeds. Returns 1 when it still fails after SECONDS,
# which MACKEEP_PATIENCE multiplies for slow kernels.
busywait() # SECONDS COMMAND [ARG...]
{
	local deadline=$((SECONDS + $1 * ${MACKEEP_PATIENCE:-1}))

	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		pause 0.05
	done
}

# Whether the input has a line that grep finds. grep -q ends at the first one: who writes
# to it may die of that, and pipefail takes it for a failure.
has() # GREP-ARG...
{
	local found

	found=$(grep "$@")
	[ -n "$found" ]
}

# --- processes ------------------------------------------------------------

# Run in the background, output to $TMP/NAME.out and .err, its number in
# $spawned. It ends with the test at the latest.
spawn() # NAME COMMAND [ARG...]
{
	local name=$1

	shift
	# A function would leave a shell between us and the program.
	: >"$TMP/$name.out" # ready() reads it
	[ "$1" != ns ] || set -- nsenter --net="/run/netns/$TOPO-$2" -- "${@:3}"
	"$@" >"$TMP/$name.out" 2>"$TMP/$name.err" </dev/null &
	spawned=$!
	defer tap_kill "$spawned"
}

# As spawn, and wait for it to say "ready".
spawn_ready() # NAME COMMAND [ARG...]
{
	spawn "$@"
	ready "$1" "$spawned"
}

ready() # NAME PID
{
	busywait 20 tap_ready "$1" "$2" && return
	diag "$1: not ready"
	diag "$(cat "$TMP/$1.err")"
	return 1
}

tap_ready() # NAME PID
{
	local line

	# By the shell: starting a program takes longer than this.
	while IFS= read -r line; do
		[ "$line" != ready ] || return 0
	done <"$TMP/$1.out"
	kill -0 "$2" 2>/dev/null || { diag "$1 is gone"; exit 1; }
	return 1
}

tap_kill() # PID
{
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# --- tools ----------------------------------------------------------------

tap_lib=$(cd "${BASH_SOURCE[0]%/*}" && pwd)

# The programs of tests/tools: from MACKEEP_TOOLS or where make puts them; one
# that is not there, or older than its source, is built here and now.
tools() # NAME...
{
	local dir=${MACKEEP_TOOLS:-$tap_lib/../../build/test-tools} tool src

	mkdir -p "$TMP/bin"
	PATH=$TMP/bin:$PATH
	for tool; do
		src=$tap_lib/../tools/$tool.c
		if [ -x "$dir/$tool" ] && ! [ "$src" -nt "$dir/$tool" ]; then
			ln -sf "$dir/$tool" "$TMP/bin/$tool"
			continue
		fi
		must cc -O2 -o "$TMP/bin/$tool" "$src" \
			-I"$tap_lib/../../include" -lmnl -lnetfilter_conntrack
	done
}
