#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep monitor: events have MACs from a flow's beginning to its end, and lost
# ones are reported. mackeep stat: the counters, their meanings, and rates.
#
#  c1 192.0.2.31 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt --- srv
#     ..:c1                        box ..:b0,b1,b2               ..:f1  203.0.113.73
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep python3
tools udp ctinfo

declare -A monitor_pid

monitor_start() # NAME OPTION...
{
	local name=$1

	shift
	spawn "$name" ns box mackeep monitor "$@"
	monitor_pid[$name]=$spawned
	must busywait 20 grep -q "waiting for events" "$TMP/$name.err"
}

monitor_stop() # NAME
{
	kill "${monitor_pid[$1]}"
	wait "${monitor_pid[$1]}"
}

# How often, of "NEW" and so on, with this in the line
events() # NAME TYPE TEXT
{
	grep -F "[$2]" "$TMP/$1.out" | grep -c -- "$3"
}

has() # NAME TYPE TEXT
{
	[ "$(events "$@")" -gt 0 ]
}

must topo_up
echo_up srv
udp_proxy_up
like "$(ns box mackeep stat 2>&1)" "stat: counters: .*: No such file.*; run: modprobe mackeep" \
	"no module: stat says so"
kept_up

# --- events -------------------------------------------------------------------------

# By default an entry that was made while nobody listened never reports anything.
topo_sysctl box net.netfilter.nf_conntrack_events=1
topo_box_remembers
ok "a flow from before" ns c1 udp talk $S1
monitor_start plain
monitor_start stamped -o timestamp,id -d $S1
monitor_start json -o json,timestamp
monitor_start other -m 02:00:00:00:00:99
ok "datagrams are answered" ns c1 udp talk -n 2 $S1
ok "NEW: the client's leg, learned" busywait 10 \
	has plain NEW "src=$C1 dst=$S1 .* smac=$MAC_C1 dmac=$MAC_R dev=br0 via=learned\$"
ok "NEW: the proxy's leg, by pair" busywait 10 \
	has plain NEW "src=$C1 dst=$S1 .* smac=$MAC_C1 dmac=$MAC_R dev=br0 via=pair\$"
ns box conntrack -D -p udp >/dev/null 2>&1
ok "DESTROY: has the MACs as well" busywait 10 \
	has plain DESTROY "smac=$MAC_C1 dmac=$MAC_R dev=br0 via=pair\$"
ok "DESTROY: all, also those from before" \
	busywait 10 eval '[ "$(events plain DESTROY smac=)" -eq 4 ]'
ok "as plain lines" monitor_stop plain
ok "with time and id" monitor_stop stamped
ok "as JSON" monitor_stop json
ok "filtered" monitor_stop other
like "$(head -n 1 "$TMP/stamped.out")" $'^\\[[0-9]+ *\\.[0-9]+ *\\]\t +\\[NEW\\] udp .* id=[0-9]+ smac=' \
	"-o timestamp,id: as conntrack -E has them"
is "$(grep -c . "$TMP/other.out")" 0 "-m: of another station there is none"
ok "-o json: an object for each event" python3 - "$TMP/json.out" <<-PYTHON
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
kinds = [e["event"] for e in events]
assert kinds.count("new") == 2 and kinds.count("destroy") == 4, kinds
assert all(e["smac"] == "$MAC_C1" and e["time"] > 1e9 for e in events), events
PYTHON
like "$(tail -n 1 "$TMP/plain.err")" " [0-9]+ flow events have been shown, 0 times some were lost" \
	"what was shown is counted"

# A flush shows with the flow's next datagram.
monitor_start flush
must ns c1 udp talk -n 1 $S1
must ns box mackeep flush 2>/dev/null
must ns c1 udp talk -n 1 $S1
ok "monitor ends on SIGTERM" monitor_stop flush

# --- overrun: it is told ----------------------------------------------------------------

monitor_start small -b 4096
kill -STOP ${monitor_pid[small]}
for ((port = 1000; port < 1200; port++)); do
	echo "create udp $C1 $S1 $port 443 none"
done | ns box ctinfo batch >/dev/null
kill -CONT ${monitor_pid[small]}
ok "events that were lost are told" busywait 10 \
	grep -q "events were lost here: .*; give --buffer-size more" "$TMP/small.err"
ok "and the monitor goes on" monitor_stop small
like "$(tail -n 1 "$TMP/small.err")" "[1-9][0-9]* times some were lost" "and are counted"
must ns box conntrack -F 2>/dev/null

# --- stat --------------------------------------------------------------------------------

ns box mackeep stat >"$TMP/stat"
ok "stat: each counter of the kernel, its value and a meaning" ns box awk '
	FILENAME != ARGV[1] && FNR == 1 { n = NF; for (i = 1; i <= NF; i++) name[i] = $i; next }
	FILENAME != ARGV[1] { for (i = 1; i <= NF; i++) sum[name[i]] += $i; next }
	/^  / { value[$1] = $2; if ($3 ~ /[a-z]/) meaning[$1] = 1 }
	END {
		for (i = 1; i <= n; i++)
			if (value[name[i]] != sum[name[i]] || !meaning[name[i]]) {
				print name[i] ": " value[name[i]] " is " sum[name[i]]
				bad = 1
			}
		exit bad || n < 20
	}' "$TMP/stat" /proc/net/stat/mackeep
is "$(awk 'length > 80' "$TMP/stat")" "" "stat: not wider than 80 columns"
on_terminal()
{
	ns box script -qec "stty cols 80; mackeep stat" /dev/null 2>/dev/null </dev/null | tr -d '\r'
}

esc=$'\e'
like "$(on_terminal)" "saved +$esc\\[[0-9]+m +[1-9][0-9]*$esc\\[m  [a-z]" "stat: in colour on a terminal"
unlike "$(NO_COLOR=1 on_terminal)" "$esc" "stat: NO_COLOR is respected"
is "$(NO_COLOR=1 on_terminal | awk '/^  / { print index($0, $3) }' | sort -u | wc -l)" 1 \
	"stat: aligned"
is "$(ns box mackeep stat -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["saved"])')" \
	"$(mackeep_stat box saved)" "stat -o json"

spawn watch ns box mackeep stat -w 0.2 -o json
ok "stat -w: again and again" busywait 10 eval '[ "$(grep -c rates "$TMP/watch.out")" -ge 1 ]'
must ns c1 udp talk -n 20 $S1
ok "stat -w: a rate while there is traffic" busywait 10 \
	grep -q '"rates":.*"reply":[0-9.]*[1-9]' "$TMP/watch.out"
kill $spawned
spawn rates ns box mackeep stat -w 0.2
ok "stat -w: rates in text" busywait 10 grep -q '/s  ' "$TMP/rates.out"
kill $spawned

net_done
