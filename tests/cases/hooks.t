#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep monitor --services --hooks: each hook is told of each service's state, at
# the start, when it changes and when the service goes. One that hangs, fails or
# cannot be run holds up nobody, and all end up with the last state: through lost
# events, a module that is loaded anew, and the monitor's end.
#
# Control: without --hooks nothing is run.
#
# Seen by others: hooks run in any order, so that the last one told an old state,
# acassen/keepalived issue 1774; one that hangs is never killed, issue 1991; what a
# hook has started outlives it, agentic-os-org/ANOLISA pull request 1585; zombies,
# zorun/kea-hook-runscript issue 6; hooks that have the daemon's descriptors and hold
# it up, christian-moerz/vmstated issue 3.
#
# Its time is long: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep socat

dir=$TMP/hooks.d
log=$TMP/log
must mkdir "$dir"
export log TMP

hook() # NAME <SCRIPT
{
	{ echo "#!/bin/sh"; cat; } >"$TMP/new"
	chmod +x "$TMP/new"
	mv "$TMP/new" "$dir/$1"
}

recorder() # NAME
{
	hook "$1" <<-'SCRIPT'
	echo "$MACKEEP_SERVICE $MACKEEP_FAMILY $MACKEEP_STATE${MACKEEP_REASON:+ $MACKEEP_REASON}" \
		"(${MACKEEP_OLD_STATE:--}${MACKEEP_OLD_REASON:+ $MACKEEP_OLD_REASON})" >>"$log.${0##*/}"
	SCRIPT
}

# What a hook was told of IPv4, since the last call
told() # NAME
{
	grep ' ipv4 ' "$log.$1" 2>/dev/null | sed 's/^tcp.3129 ipv4 //' | paste -sd ,
}

told_is() # NAME TEXT
{
	[ "$(told "$1")" = "$2" ]
}

ends_with() # NAME TEXT
{
	[[ "$(told "$1")" == *"$2" ]]
}

monitor_up() # [OPTION...]
{
	rm -f "$log".*
	spawn monitor ns box mackeep monitor --services "$@"
	monitor=$spawned
	must busywait 20 grep -q "waiting for events" "$TMP/monitor.err"
}

monitor_down()
{
	kill $monitor
	wait $monitor
}

says() # TEXT; so many times
{
	grep -c -- "$1" "$TMP/monitor.err"
}

shows() # TEXT
{
	grep -q "^tcp to=3129 mark=0x4d4b $1\$" "$TMP/monitor.out"
}

service() # add|set|del [OPTION...]
{
	ns box mackeep services "$1" --mark 0x4d4b -p tcp "${@:2}"
}

listen()
{
	spawn listener ns box socat TCP-LISTEN:3129,fork,reuseaddr,ip-transparent /dev/null
	listener=$spawned
}

children()
{
	cat /proc/$monitor/task/$monitor/children
}

must ip -batch - <<<"netns add mk-box"
defer topo_down
must ns box ip link set lo up

# --- before there is a module -----------------------------------------------------------

nok "no module: the monitor says so" ns box mackeep monitor --services
like "$(ns box mackeep monitor --hooks "$dir" 2>&1)" "hooks: .*; add --services" "--hooks alone"
like "$(ns box mackeep monitor --services --hooks "$TMP/none" 2>&1)" "No such file.*; make it" \
	"a directory that is not there"
like "$(ns box mackeep monitor --services --hooks "$dir" --hook-timeout 0 2>&1)" \
	"hook-timeout.*a number from 1 to" "no time at all"

recorder record
monitor_up --hooks "$dir"
is "$(says "not loaded; this goes on when it is")" 1 "with hooks it waits for the module"
module_needed
must service add --to 3129
ok "and goes on with it" busywait 20 told_is record "closed nolistener (-)"
monitor_down

# --- control ----------------------------------------------------------------------------

monitor_up
listen
ok "control: the service opens" busywait 20 shows ipv4=open
nok "control: no hook is run" ls "$log".*
monitor_down
tap_kill $listener

# --- what is told --------------------------------------------------------------------------

recorder second
recorder odd.sh
recorder quiet
must chmod -x "$dir/quiet"
must mkdir "$dir/folder"
recorder .hidden
hook fails <<<'exit 3'
hook signal <<<'kill -9 $$'
monitor_up --hooks "$dir"
ok "start: the present state" busywait 20 told_is record "closed nolistener (-)"
ok "start: of both families" busywait 20 grep -q "^tcp/3129 ipv6 closed nolistener (-)" "$log.record"
ok "to each hook" busywait 20 told_is second "closed nolistener (-)"
nok "start: it is no event" shows ipv4=nolistener
listen
ok "open" busywait 20 ends_with record ",open (closed nolistener)"
must service set --bypass on
ok "closed, by bypass" busywait 20 ends_with record ",closed bypass (open)"
must service set --bypass off
ok "open again" busywait 20 ends_with record ",open (closed bypass)"
tap_kill $listener
ok "closed, by nobody" busywait 20 ends_with record ",closed nolistener (open)"
must service del
ok "gone" busywait 20 ends_with record ",closed gone (closed nolistener)"
ok "the events are shown as well" shows ipv4=gone
for name in record second; do
	ok "$name: all of it, in order" busywait 20 told_is $name "closed nolistener (-),open (closed nolistener),closed bypass (open),open (closed bypass),closed nolistener (open),closed gone (closed nolistener)"
done

is "$(cd "$TMP" && echo log.*)" "log.record log.second" "no other file is run"
is "$(says "odd.sh: it is not run: its name has more than letters")" 1 "an odd name is told once"
is "$(says "quiet: it is not run: it is not executable; run: chmod +x")" 1 "so is a file without x"
is "$(says "folder: it is not run: it is no file")" 1 "and a folder"
is "$(says hidden)" 0 "a hidden file is none"
cmp_ok "$(says "fails: it failed with status 3")" -ge 6 "a hook that fails is told each time"
cmp_ok "$(says "signal: it was killed by signal 9")" -ge 6 "and one that is killed"
ok "none is left, not even as a zombie" busywait 20 eval '[ -z "$(children)" ]'
monitor_down
must rm -r "$dir"/{odd.sh,quiet,folder,.hidden,fails,signal,second}

# --- what a hook has -----------------------------------------------------------------------

hook env <<-'SCRIPT'
[ "$MACKEEP_FAMILY" = ipv4 ] || exit 0
readlink /proc/$$/fd/* >"$log.new"
{
	env | grep ^MACKEEP_ | sort
	echo "stdin $(readlink /proc/self/fd/0)"
	grep SigBlk /proc/$$/status | tr -d '\t'
} >>"$log.new"
echo printed by a hook
mv "$log.new" "$log.env"
SCRIPT
must service add --to 3129 --fail closed
monitor_up --hooks "$dir"
must busywait 20 test -s "$log.env"
is "$(grep -E '_(SERVICE|PROTO|PORT|MARK|FAMILY|FAIL|(OLD_)?(STATE|REASON))=' "$log.env" | sed s/MACKEEP_// | xargs)" \
	"FAIL=closed FAMILY=ipv4 MARK=0x4d4b OLD_REASON= OLD_STATE= PORT=3129 PROTO=tcp REASON=nolistener SERVICE=tcp/3129 STATE=closed" \
	"what it is told, it has in its environment"
is "$(grep stdin "$log.env")" "stdin /dev/null" "it reads nothing"
is "$(find /proc/$monitor/fd -lname 'socket:*' -o -lname '*signalfd*' | grep -c .)" 2 "the monitor has a socket and its signals open"
nok "which a hook has not" grep -E "socket:|anon_inode" "$log.env"
is "$(grep SigBlk "$log.env")" "SigBlk:0000000000000000" "no signal is blocked in it"
ok "what it prints is no event" grep -q "printed by a hook" "$TMP/monitor.err"
is "$(cat "$TMP/monitor.out")" "" "so events have standard output alone"
monitor_down
must rm "$dir/env"
must service del

# --- a hook that hangs ------------------------------------------------------------------------

# A process that takes no SIGTERM, and one that it has started
hook hang <<-'SCRIPT'
trap '' TERM
sleep 1000 &
echo $! >>"$log.hang"
echo $$ >>"$log.hang"
while :; do sleep 1000; done
SCRIPT
must service add --to 3129
monitor_up --hooks "$dir" --hook-timeout 10
must busywait 20 eval '[ "$(grep -c . "$log.hang")" -eq 2 ]'
pids=$(cat "$log.hang")
listen
ok "hang: others are told" busywait 20 ends_with record ",open (closed nolistener)"
ok "hang: and events shown" shows ipv4=open
ok "hang: its time is over" busywait 40 grep -q "hang: it still ran after 10 seconds, and is killed" "$TMP/monitor.err"
hung()
{
	local pid

	for pid in $pids; do
		[ ! -d /proc/$pid ] || echo $pid
	done
}
ok "hang: it is killed, and what it has started" busywait 20 eval '[ -z "$(hung)" ]'
ok "hang: and it is told of the next state" busywait 20 eval '[ "$(grep -c . "$log.hang")" -ge 4 ]'
# Two signals: the first lets hooks finish.
kill $monitor
ok "end: its hook has its time" kill -0 $monitor
kill $monitor
ok "end: but not after a second signal" wait $monitor
pids=$(cat "$log.hang")
ok "end: and nothing is left" busywait 20 eval '[ -z "$(hung)" ]'
must rm "$dir/hang"
must service del

# --- a hook that is slow ---------------------------------------------------------------------

# It waits to be let go, and then is not told what has passed.
hook slow <<-'SCRIPT'
until [ -e "$TMP/go" ]; do sleep 0.1; done
[ "$MACKEEP_FAMILY" = ipv6 ] || echo "tcp/3129 ipv4 $MACKEEP_STATE $MACKEEP_REASON" >>"$log.slow"
SCRIPT
must service add --to 3129
monitor_up --hooks "$dir" --hook-timeout 3600
for round in 1 2 3 4 5; do
	must service set --bypass on
	must busywait 20 ends_with record "closed bypass (open)"
	must service set --bypass off
	must busywait 20 ends_with record ",open (closed bypass)"
done
must service set --bypass on
must busywait 20 ends_with record ",closed bypass (open)"
is "$(told slow)" "" "slow: it has been told nothing yet"
touch "$TMP/go"
ok "slow: it is told the last state" busywait 20 ends_with slow "closed bypass"
cmp_ok "$(grep -c ipv4 "$log.slow")" -le 2 "slow: and none of the $(grep -c ipv4 "$log.record") before that"
must service set --bypass off
ok "slow: and the next one" busywait 20 ends_with slow "open "

# --- the monitor's end ------------------------------------------------------------------------

must service del
kill $monitor
wait $monitor
ok "end: what came before it is told" ends_with record ",closed gone (open)"
ok "end: to all" ends_with slow "closed gone"
must rm "$dir/slow"

# --- events that are lost ---------------------------------------------------------------------

must ns box sysctl -q -w net.netfilter.mackeep_lift_mark=0x4d4b/0xffff
recorder every
must service add --to 3129
monitor_up --hooks "$dir" -b 4096
must busywait 20 ends_with record "open (-)"
kill -STOP $monitor
for ((i = 1; i <= 25; i++)); do
	must ns box mackeep services add --mark $((i << 16 | 0x4d4b)) -p tcp --to $((4000 + i))
done
must busywait 20 eval '[ "$(ns box mackeep services 2>/dev/null | grep -c ipv4=nolistener)" -eq 25 ]'
must service del
# The kernel tells within a tenth of a second, which nobody sees now.
pause 0.5
kill -CONT $monitor
ok "lost: it is told" busywait 20 grep -q "events were lost here.*; the states are asked for again" "$TMP/monitor.err"
ok "lost: what went meanwhile is known to have gone" busywait 90 ends_with record "closed gone (open)"
all_told()
{
	[ "$(grep -c '^tcp/40.* closed nolistener (-)$' "$log.every")" -eq 50 ]
}
ok "lost: each state has been told in the end" busywait 90 all_told
ok "lost: and shown" eval '[ "$(grep -c "nolistener\$" "$TMP/monitor.out")" -ge 50 ]'

# --- the module goes and comes --------------------------------------------------------------

ok "the monitor does not hold the module" busywait 10 rmmod $MODULE
ok "unloaded: the services are gone" busywait 90 eval '[ "$(grep -c "closed gone" "$log.every")" -ge 50 ]'
ok "unloaded: it is said" grep -q "not loaded; this goes on when it is" "$TMP/monitor.err"
must modprobe $MODULE
must service add --to 3129
ok "loaded again: a service is told" busywait 20 ends_with record ",open (closed gone)"
tap_kill $listener
ok "loaded again: and its changes" busywait 20 ends_with record ",closed nolistener (open)"
monitor_down
must service del

net_done
