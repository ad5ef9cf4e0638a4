#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A flood of forged source addresses neither grows the pair cache past its
# limit nor pushes out what the running client needs, for the connection it has
# and for new ones.
#
#  c1 ..:c1, a client like any other ---+
#                                       west --- w0 [ port0 br0 port1 ] e0 --- rt
#  200,000 addresses from c2's MAC -----+             pair_max 20000
#
# In a slow kernel there are fewer of them, and the limit is lower.
#
# Control: with a limit higher than the flood the cache does grow by it.
#
# It runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools frame

N=$((200000 / ${MACKEEP_PATIENCE:-1}))
MAX=$((N / 10))

# The pair count, sampled while a command runs; the highest in $top
sampled() # COMMAND...
{
	local pid now

	top=0
	"$@" >"$TMP/sampled" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		now=$(mackeep_stat box pairs)
		[ $now -le $top ] || top=$now
		samples=$((samples + 1))
		pause 0.5
	done
	wait $pid
}

flood() # N KIND
{
	# At the box's own cable, so that no switch slows it.
	ns west frame flood -i w0 -n $1 $2 $MAC_C2 $MAC_R $S1 443
}

must topo_up
must servers_up
must proxy_up
module_needed
# A half-open connection keeps the listener alive, and that the namespace.
must ns box sysctl -qw net.ipv4.tcp_synack_retries=1
topo_box_marks
topo_box_rules -j MACKEEP
set_max() # PAIRS
{
	must ns box sysctl -qw net.netfilter.mackeep_pair_max=$1
}

# The proxy takes no UDP: TPROXY drops it before conntrack keeps an entry, so the
# flood fills the pair cache and nothing else. Each source makes two pairs, one for
# the server and one for any.
set_max 1000000
ok "control: a small flood under a high limit" flood 5000 udp
cmp_ok "$(mackeep_stat box pairs)" -ge 9900 "control: the cache grows by it"
is "$(mackeep_stat box pair_evicted)" 0 "control: and nothing is pushed out"
cmp_ok "$(ns box conntrack -C)" -lt 100 "control: conntrack keeps none of it"

set_max $MAX
wire_both -a $C1
held_start client c1 -w 20 $S1
samples=0
ok "a flood of $N sources" sampled flood $N udp
cmp_ok $samples -ge 3 "the cache was looked at during the flood"
cmp_ok $top -le $MAX "it was never larger than its limit"
cmp_ok $top -ge $((MAX * 9 / 10)) "though the flood filled it"
cmp_ok "$(mackeep_stat box pair_evicted)" -ge $((2 * N - MAX)) \
	"what the flood brought pushed itself out"
is "$(mackeep_stat box pair_full)" 0 "there was always room for a new one"
is "$(mackeep_stat box nomem)" 0 "and memory"

ok "the running connection goes on" held_grows client
ok "new connections of that client" ns c1 load get -o -c 2 -n 10 $S1
ok "to another server" ns c1 load get -o -n 4 $S2

# The same with connections, which the proxy answers up to its own limits.
held_grows client
ok "a flood of SYNs" sampled flood 3000 syn
cmp_ok $top -le $MAX "SYNs: the cache was never larger than its limit"
ok "SYNs: the running connection goes on" held_grows client
ok "SYNs: new connections of that client" ns c1 load get -o -c 2 -n 10 $S1
ok "no request of the client failed in all this" held_stop client
proxy_quiet
wire_stop

wire_leg west $S1 $C1 $MAC_R $MAC_C1 100 "the client's frames, $S1 to c1"
wire_leg east $C1 $S1 $MAC_C1 $MAC_R 100 "the client's frames, c1 to $S1"
wire_leg west $S2 $C1 $MAC_R $MAC_C1 12 "the client's frames, $S2 to c1"
wire_leg east $C1 $S2 $MAC_C1 $MAC_R 12 "the client's frames, c1 to $S2"
wire_clean "the client's frames"

net_done
