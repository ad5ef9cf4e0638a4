#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Removal under load: rules are deleted and replaced, entries flushed, the module
# unloaded, the namespace destroyed, each with flows alive and traffic running. No
# more breaks than has to, and nothing is left behind.
#
#  c1 ..:c1 --+
#             +-- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv .73
#  c2 ..:c2 --+               ..:b0
#   load without end                                      answers
#
# The suite judges the kernel's log. The control is part of each: while the module
# is away, no frame is lifted.

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools ctinfo

refs()
{
	cat /sys/module/$MODULE/refcnt
}

load_on()
{
	held_start few c1 -c 4 -w 20 -s 5000 -t 5 $S1
	# Connections that come and go
	held_start many c2 -o -c 4 -w 20 -s 100 -t 5 $S1
}

# Requests may have failed while there were no rules. An end that does not know that
# the other has gone would retry for minutes: so the sockets are closed. Those without
# a process go after a few retries.
load_off()
{
	held_stop few >/dev/null
	held_stop many >/dev/null
	tcp_close box $proxy_pid
	proxy_quiet
	# The stack may still be resolving a neighbour.
	ns box ip neigh flush dev br0 nud all
}

# New connections go through the proxy and are kept.
works() # TITLE
{
	wire_both
	ok "$1: a new connection works" ns c1 load get -o -n 4 $S1
	ok "$1: the proxy comes to rest" proxy_quiet
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 12 "$1: its client leg is kept"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 12 "$1: its upstream leg is kept"
	wire_clean "$1"
}

# Runs COMMAND under load. No request is lost, and no frame has a MAC of the box.
unharmed() # TITLE COMMAND...
{
	local title=$1

	shift
	load_on
	wire_both
	"$@"
	ok "$title: long connections go on" held_grows few
	ok "$title: new connections go on" held_grows many
	ok "$title: no request of the long ones failed" held_stop few
	ok "$title: nor of the new ones" held_stop many
	proxy_quiet
	wire_stop
	wire_clean "$title"
	cmp_ok "$(wire_sum west 'way == "from" && proto == "tcp"')" -ge 40 \
		"$title: there was traffic all the while"
}

restore_over()
{
	ns box iptables-save -t mangle >"$TMP/rules"
	for _ in 1 2 3 4 5; do
		must ns box iptables-restore <"$TMP/rules"
	done
}

flush_entries()
{
	for _ in 1 2 3 4 5 6 7 8; do
		ns box conntrack -F 2>/dev/null
		pause 0.2
	done
}

must topo_up
must servers_up
must proxy_up
must ns box sysctl -qw net.ipv4.tcp_orphan_retries=1 net.ipv4.tcp_retries2=5
slab_before=$(slab nf_conntrack)
slab_before=${slab_before:-0} # nothing has used conntrack yet
module_needed
topo_box_marks
topo_box_rules -j MACKEEP
works "before"

# --- what flows do not notice ---------------------------------------------------

unharmed "iptables-restore over the rules" restore_over
unharmed "conntrack -F under load" flush_entries

# --- what takes MACKEEP away ------------------------------------------------------

nok "a rule holds the module" modprobe -qr $MODULE

load_on
ok "the rule is deleted under load" \
	ns box iptables -t mangle -D PREROUTING -j MACKEEP
is "$(refs)" 0 "rule deleted: no reference on the module is left"
lifted=$(mackeep_stat box lifted)
pause 0.5
is "$(mackeep_stat box lifted)" "$lifted" "rule deleted: no frame is lifted any more"
is "$(mackeep_stat box pairs)" 0 "rule deleted: the pair cache is empty"
load_off
topo_box_rules -j MACKEEP
works "rule deleted, then back"

load_on
ok "the table is flushed under load" ns box iptables -t mangle -F
is "$(refs)" 0 "table flushed: no reference on the module is left"
load_off
topo_box_rules_off
topo_box_rules -j MACKEEP
works "table flushed, then back"

load_on
topo_box_rules_off
ok "rmmod with flows alive and traffic running" rmmod $MODULE
records_gone "rmmod"
for _ in 1 2 3; do
	ok "loaded again under load" modprobe $MODULE
	topo_box_rules -j MACKEEP
	topo_box_rules_off
	ok "and unloaded" rmmod $MODULE
done
must modprobe $MODULE
topo_box_rules -j MACKEEP
load_off
works "rmmod, then back"

# --- the namespace goes -----------------------------------------------------------

load_on
kill -9 $proxy_pid
wait $proxy_pid 2>/dev/null
ok "the namespace is destroyed with flows alive" ip netns del mk-box
ok "netns destroyed: no reference on the module is left" \
	busywait 30 eval '[ "$(refs)" = 0 ]'
held_stop few >/dev/null
held_stop many >/dev/null
topo_down
module_gone
ok "the conntrack entries are all freed" \
	busywait 30 slab_back nf_conntrack "$slab_before"
is "$(slab mackeep_pair)" "" "no cache of the module is left"
done_testing
