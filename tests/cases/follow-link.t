#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep follow-link: a port that loses its carrier takes the others down, so that
# both ends of the wire see it, and they come back with it: whichever cable is pulled,
# both in any order, through two boxes in a row, when it is killed, and when ports or
# the bridge come and go. What somebody else took down stays down.
#
#  west w0 --- [ port0 br0 port1 ] --- [ m0 br0 m1 ] --- e0 east
#                    box                    mid
#
# Control: without it the far side does not see the loss.
#
# Seen by others: both sides of a filter should have the same link state,
# snabbco/snabb issue 68; ports that were shut down for a failed one stay so when
# whoever did it fails half way, sonic-net/sonic-mgmt pull request 5771; downlinks
# that take minutes to come back, githedgehog/fabric issue 856; a card whose link goes
# up and down by itself in bypass, ntop/PF_RING issue 293.
#
# Its time is long: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/tap.sh" || exit 1
. "$(dirname "$0")/../lib/topo.sh"
need mackeep
tools udp

TOPO_NS="west box mid east"

link() # NS DEVICE
{
	ip -n mk-$1 -o link show dev $2
}

carrier() # NS DEVICE
{
	[[ "$(link $1 $2)" == *LOWER_UP* ]]
}

no_carrier() # NS DEVICE
{
	! carrier $1 $2
}

admin_up() # NS DEVICE
{
	[[ "$(link $1 $2)" =~ [\<,]UP[,\>] ]]
}

admin_down() # NS DEVICE
{
	! admin_up $1 $2
}

# A cable is pulled at its far end, and put in again.
pull() # NS DEVICE
{
	must ip -n mk-$1 link set $2 down
}

plug() # NS DEVICE
{
	must ip -n mk-$1 link set $2 up
}

works()
{
	ns west udp talk -n 1 -t 1 192.0.2.80
}

sees() # TITLE NS DEVICE
{
	ok "$1" busywait 20 no_carrier $2 $3
}

back() # TITLE
{
	ok "$1: both ends have their carrier" busywait 30 eval 'carrier west w0 && carrier east e0'
	ok "$1: and frames pass" busywait 20 works
}

declare -A pid

follow_up() # NS [OPTION...]
{
	spawn follow-$1 ns $1 mackeep follow-link br0 "${@:2}"
	pid[$1]=$spawned
	must busywait 20 grep -q "are followed" "$TMP/follow-$1.err"
}

follow_down() # NS
{
	kill ${pid[$1]}
	wait ${pid[$1]}
}

says() # NS TEXT
{
	grep -q -- "$2" "$TMP/follow-$1.err"
}

# It runs, waits, and does not turn: less than a tenth of a second of time used
idle() # NS
{
	local before after

	before=$(awk '{ print $14 + $15 }' /proc/${pid[$1]}/stat)
	pause 1
	after=$(awk '{ print $14 + $15 }' /proc/${pid[$1]}/stat)
	[ $((after - before)) -le 10 ]
}

state_files()
{
	find /run/mackeep -name '*.link' | grep -c .
}

rm -rf /run/mackeep
must ip -batch - <<<"$(printf 'netns add mk-%s\n' $TOPO_NS)"
defer topo_down
for name in $TOPO_NS; do
	topo_sysctl $name net.ipv6.conf.{all,default}.disable_ipv6=1
done
must ip -batch - <<-LINES
	link add br0 netns mk-box type bridge
	link add br0 netns mk-mid type bridge
	$(topo_link west w0 02:00:00:00:00:c1 box port0 $MAC_PORT0)
	$(topo_link box port1 $MAC_PORT1 mid m0 02:00:00:00:00:d1)
	$(topo_link mid m1 02:00:00:00:00:d2 east e0 $MAC_L1)
LINES
must topo_ports box port0 port1
must topo_ports mid m0 m1
must topo_ip west <<-LINES
	addr add 192.0.2.31/24 dev w0
	link set w0 up
LINES
must topo_ip east <<-LINES
	addr add 192.0.2.80/24 dev e0
	link set e0 up
LINES
must spawn_ready echo ns east udp echo
must busywait 20 works

# --- control ---------------------------------------------------------------------------

pull west w0
must busywait 20 no_carrier box port0
pause 1
ok "control: the other port stays up" admin_up box port1
ok "control: and the far end does not see it" eval 'carrier mid m0 && carrier east e0'
plug west w0
must busywait 20 works

# --- bad input -----------------------------------------------------------------------------

bad() # OPTION...
{
	ns box mackeep follow-link "$@" 2>&1
}

like "$(bad)" "--bridge: which bridge" "no bridge"
like "$(bad br9)" "br9: no such device; " "one that is not there"
like "$(bad port0)" "port0: it is not a bridge; " "a device that is none"
like "$(bad --hold x br0)" "hold.*a number from 0" "a time that is none"
like "$(bad --wait 0 br0)" "wait.*a number from 1" "no time to wait"
like "$(ns box mackeep up --dry-run --bridge br0 --tcp 443 --to 3129 --follow-link 2>&1)" \
	"--follow-link: there is no systemd to run it; .*mackeep follow-link br0" \
	"up without systemd"
like "$(mackeep -n mk-box up --dry-run --bridge br0 --tcp 443 --to 3129 --follow-link 2>&1)" \
	"namespaces; .*mackeep -n mk-box follow-link br0" "up in a namespace"

# --- one box -----------------------------------------------------------------------------------

follow_up box --wait 3
like "$(bad br0)" "br0: it is followed already" "a second one for the same bridge"

pulled() # NS DEVICE OUR-PORT FAR-NS FAR-DEVICE
{
	pull $1 $2
	sees "$2 pulled: $5 sees it" $4 $5
	ok "$2 pulled: by $3, which is down" admin_down box $3
	plug $1 $2
	back "$2 back"
}

pulled west w0 port1 mid m0
pulled mid m0 port0 west w0
ok "it does not turn idly" idle box

# Both: whichever comes back first is taken down again, and waits for the other.
both() # FIRST-NS FIRST SECOND-NS SECOND
{
	pull west w0
	must busywait 20 admin_down box port1
	pull mid m0
	plug $1 $2
	pause 1
	plug $3 $4
	back "both pulled, $2 back first"

	pull mid m0
	must busywait 20 admin_down box port0
	pull west w0
	plug $1 $2
	sees "both pulled, only $2 back: it is told" $1 $2
	plug $3 $4
	back "both pulled, then $2, much later $4"
}

both west w0 mid m0
both mid m0 west w0

# Short losses, one after the other: it ends as the cable does.
for ((i = 0; i < 20; i++)); do
	pull west w0
	plug west w0
done
back "flapping"
ok "flapping: it stays so" eval 'pause 2; works'

# What somebody else does
must ip -n mk-box link set port1 down
ok "taken down by hand: the other one stays up" eval 'pause 1; admin_up box port0'
pull west w0
must busywait 20 no_carrier box port0
plug west w0
ok "taken down by hand: it stays down" eval 'pause 3; admin_down box port1'
must ip -n mk-box link set port1 up
back "set up by hand"

pull west w0
must busywait 20 admin_down box port1
must ip -n mk-box link set port1 up
ok "set up by hand while the other is lost: it goes down again" busywait 20 admin_down box port1
must ip -n mk-box link set port0 down
ok "the lost one is taken down by hand: others come back" busywait 20 admin_up box port1
must ip -n mk-box link set port0 up
ok "and set up: they go down when it has had its time" busywait 20 admin_down box port1
must ip -n mk-box link set port1 nomaster
ok "a port that leaves the bridge is set up" busywait 20 admin_up box port1
must ip -n mk-box link set port1 master br0
ok "and taken down when it comes back" busywait 20 admin_down box port1
plug west w0
back "and all is well"

must ip -n mk-box link add port2 type veth peer name far2
must ip -n mk-box link set port2 master br0 up
sees "a new port without a carrier takes the others down" west w0
must ip -n mk-box link set port2 nomaster
back "which come back without it"
must ip -n mk-box link del port2

# Events that are lost
pull west w0
must busywait 20 admin_down box port1
kill -STOP ${pid[box]}
plug west w0
for ((i = 0; i < 400; i++)); do
	echo "link add d$i type dummy"
	echo "link del d$i"
done | ip -n mk-box -batch -
kill -CONT ${pid[box]}
back "events were lost"

# --- its end ----------------------------------------------------------------------------------

is "$(state_files)" 1 "there is a file of what it did"
pull west w0
must busywait 20 admin_down box port1
ok "SIGTERM: it ends" follow_down box
ok "SIGTERM: its port is up" admin_up box port1
is "$(state_files)" 0 "SIGTERM: its file is gone"

follow_up box --wait 3
ok "started while one is lost: the other goes down" busywait 20 admin_down box port1
kill -KILL ${pid[box]}
wait ${pid[box]} 2>/dev/null
plug west w0
ok "SIGKILL: its port is down" eval 'pause 1; admin_down box port1'
follow_up box --wait 3
back "SIGKILL: the next one sets it up"

pull west w0
must busywait 20 admin_down box port1
kill -KILL ${pid[box]}
wait ${pid[box]} 2>/dev/null
follow_up box --wait 3
ok "SIGKILL, and still lost: the port stays down" eval 'pause 2; admin_down box port1'
ok "and the next one ends" follow_down box
ok "its port is up" admin_up box port1
plug west w0

# --- two boxes ---------------------------------------------------------------------------------

follow_up box --wait 3
follow_up mid --wait 3
must busywait 20 works

chain() # TITLE
{
	pull west w0
	sees "$1: w0 pulled, the far end sees it" east e0
	plug west w0
	back "$1: w0 back"
	pull east e0
	sees "$1: e0 pulled, the near end sees it" west w0
	plug east e0
	back "$1: e0 back"
}

chain "two boxes"

# The end of the cable between them, by hand
pull box port1
sees "two boxes: a port in the middle is down, the far end sees it" east e0
plug box port1
back "two boxes: that is up again"

# Both ends at a time
for order in "west w0 east e0" "east e0 west w0"; do
	pull west w0
	pull east e0
	must busywait 20 eval 'admin_down box port1 || admin_down mid m0'
	pause 2
	plug ${order% * *}
	pause 5
	plug ${order#* * }
	back "two boxes: both ends pulled, back as $order"
done
chain "two boxes, after all that"
ok "they do not turn idly" eval 'idle box && idle mid'

# --- the bridge goes -------------------------------------------------------------------------------

pull east e0
must busywait 20 admin_down mid m0
must ip -n mk-mid link del br0
ok "the bridge is deleted: it ends" wait ${pid[mid]}
ok "and its port is up" admin_up mid m0
follow_down box
is "$(state_files)" 0 "no file is left"
done_testing
