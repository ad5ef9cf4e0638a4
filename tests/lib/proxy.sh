# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module, the proxy and the servers of the tests.

MODULE=xt_MACKEEP

module_loaded()
{
	[ -d /sys/module/$MODULE ]
}

module_load()
{
	modprobe $MODULE 2>"$TMP/modprobe" || return
	defer module_unload
}

module_unload()
{
	! module_loaded || busywait 10 rmmod $MODULE 2>"$TMP/modprobe"
}

# Unloads the other modules that hold the bridge's.
bridge_unheld()
{
	local holder

	for holder in /sys/module/bridge/holders/*; do
		[ -e "$holder" ] || continue # the pattern itself: there is none
		holder=${holder##*/}
		[ "$holder" = $MODULE ] || busywait 10 rmmod "$holder" || return
	done
}

# Naming the target or the helper loads the module. This runs a command without.
without_autoload() # COMMAND...
{
	local modprobe rc

	modprobe=$(cat /proc/sys/kernel/modprobe) || return
	echo /bin/false >/proc/sys/kernel/modprobe || return
	"$@"
	rc=$?
	echo "$modprobe" >/proc/sys/kernel/modprobe
	return $rc
}

# The control is done and the rest is about the module.
# A bridge is silent then. With TALK=1 it has no guard: the test looks at packets
# that leave as the stack sends them.
module_needed()
{
	if module_load; then
		[ ! -e "/run/netns/$TOPO-box" ] || box_silent br0
		return
	fi
	diag "$(cat "$TMP/modprobe")"
	skip "no module $MODULE for this kernel"
	done_testing
}

# As an admin does it who has no bridge up yet. One with an address is a host.
box_silent() # BRIDGE...
{
	local bridge

	for bridge; do
		ns box ip -o link show dev $bridge >/dev/null 2>&1 || continue
		[ -z "$(ns box ip -o addr show dev $bridge scope global)" ] || continue
		must ns box mackeep silence add ${V6:+-6} $bridge
		[ -z "${TALK-}" ] || must ns box mackeep silence del $bridge
	done
}

# At the end of a test nothing holds the module. Namespaces take a while to go.
module_gone()
{
	ok "the module can be unloaded" busywait 20 modprobe -qr $MODULE
}

# The control is done. From here on the module takes the frames of the bridge for
# port 443, and keeps their flows.
kept_up() # [OPTION of the rule...]
{
	module_needed
	topo_box_marks
	topo_box_rules -j MACKEEP "$@"
}

# The end of a test. A proxy would hold the box's namespace, and its rules would
# hold the module.
net_done()
{
	[ -z "${proxy_pid-}" ] || proxy_down
	udp_proxy_down
	topo_down
	module_gone
	done_testing
}

# The box's flows have no record any more when the module has gone. On Linux 7 they
# keep the helper's name to their end, on others not.
records_gone() # TITLE
{
	local list

	list=$(ns box mackeep list 2>&1)
	like "$list" "flow entries have been shown" "$1: the flows are there to see"
	unlike "$list" "smac=" "$1: no flow has MACs any more"
	if [ "$(uname -r | cut -d . -f 1)" -lt 7 ]; then
		unlike "$(ns box conntrack -L 2>/dev/null)" "helper=" "$1: nor the helper"
	fi
}

# How many objects of a slab cache are in use, without those that a processor's
# list only keeps
slab() # NAME
{
	[ ! -e "/sys/kernel/slab/$1" ] || echo 1 >"/sys/kernel/slab/$1/shrink"
	awk -v name="$1" '$1 == name { print $2 }' /proc/slabinfo
}

slab_back() # NAME COUNT
{
	[ "$(slab "$1")" -le "$2" ]
}

# A counter of a namespace, summed over all CPUs
mackeep_stat() # NAMESPACE COUNTER
{
	ns "$1" awk -v name="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) col = i; next }
		{ sum += $col }
		END { if (col) printf "%d\n", sum; else print "no-such-counter" }
	' /proc/net/stat/mackeep
}

# HAProxy on the box, "tcp" or "http"; "client" instead of "clientip" also
# takes the client's port. With interfaces one proxy for each, bound to it.
proxy_up() # [MODE [USESRC [INTERFACE...]]]
{
	local mode=${1:-tcp} usesrc=${2:-clientip} dev

	shift $(($# < 2 ? $# : 2))
	[ $# -gt 0 ] || set -- ""

	cat >"$TMP/haproxy.cfg" <<-CFG
	global
		nbthread 1
		maxconn 1000
		stats socket $TMP/haproxy.sock
	defaults
		mode $mode
		timeout connect 20s
		timeout client 60s
		timeout server 60s
		# A retry would come a second after a test has closed its sockets.
		retries 0
	CFG
	for dev; do
		cat <<-CFG
		listen proxy$dev
			bind :$PROXY_PORT transparent ${dev:+interface $dev}
			source 0.0.0.0 usesrc $usesrc ${dev:+interface $dev}
			server origin 0.0.0.0:0
		CFG
		[ -z "${V6-}" ] || cat <<-CFG
		listen proxy6$dev
			bind :::$PROXY_PORT v6only transparent ${dev:+interface $dev}
			source [::] usesrc $usesrc ${dev:+interface $dev}
			server origin [::]:0
		CFG
	done >>"$TMP/haproxy.cfg"
	spawn haproxy ns box haproxy -db -f "$TMP/haproxy.cfg"
	proxy_pid=$spawned
	busywait 20 listening box $PROXY_PORT && return
	diag "$(cat "$TMP/haproxy.err")"
	return 1
}

proxy_down()
{
	tap_kill "$proxy_pid"
	proxy_pid=
}

# A proxy for datagrams on the box; one for each family where there is IPv6
udp_proxies=()
udp_proxy_up() # [OPTION of udp proxy...]
{
	local v6

	for v6 in "" ${V6:+-6}; do
		must spawn_ready proxy$v6 ns box udp proxy $v6 "$@" $PROXY_PORT
		udp_proxies+=("$spawned")
	done
}

udp_proxy_down()
{
	local pid

	for pid in "${udp_proxies[@]}"; do
		tap_kill $pid
	done
	udp_proxies=()
}

listening() # NAMESPACE PORT
{
	local port

	printf -v port %04X "$2"
	ns "$1" grep -q ":$port 00000000:0000 0A" /proc/net/tcp &&
		{ [ -z "${V6-}" ] || ns "$1" grep -q ":$port 0\{32\}:0000 0A" /proc/net/tcp6; }
}

# There are TCP sockets that still send, or wait for the other end.
tcp_busy() # NAMESPACE
{
	# 06 TIME_WAIT, 0A LISTEN
	ns "$1" awk 'FNR > 1 && $4 != "06" && $4 != "0A" { n++ }
		END { exit !n }' /proc/net/tcp ${V6:+/proc/net/tcp6}
}

tcp_idle() # NAMESPACE
{
	! tcp_busy "$1"
}

# Closes connections by ss -K, while their process PID is stopped. Linux 5.10 never
# frees a connection that no process has any more when it is closed in this way:
# those are left to their timers.
tcp_close() # NAMESPACE [PID]
{
	[ $# -lt 2 ] || kill -STOP "$2"
	ns "$1" ss -K -t state connected exclude fin-wait-1 exclude closing \
		exclude last-ack >/dev/null
	[ $# -lt 2 ] || kill -CONT "$2"
}

# Proxy and stack of the box are done with all connections.
proxy_quiet()
{
	busywait 30 tcp_idle box
}

# TCP connections the box took (Passive) and made (Active) until now
box_opens() # Passive|Active
{
	ns box awk -v name="$1Opens" '
		/^Tcp:/ && !col { for (i = 2; i <= NF; i++) if ($i == name) col = i; next }
		/^Tcp:/ { print $col }' /proc/net/snmp
}

# Servers of HTTP, of srv, l1 and l2 at port 443
servers_up()
{
	local name

	for name in srv l1 l2; do
		web_start $name
	done
	must web_ready
}

# One more, in NAMESPACE
web_up() # NAMESPACE [PORT]
{
	web_start "$@"
	must web_ready
}

web_pids=()
web_wanted=()
web_start() # NAMESPACE [PORT]
{
	local any name

	for any in 0.0.0.0 ${V6:+::}; do
		name=web-$1-${2-443}-$any
		spawn $name ns $1 load serve -b $any ${2-443}
		web_pids+=("$spawned")
		web_wanted+=("$name $spawned")
	done
}

web_ready()
{
	local server

	for server in "${web_wanted[@]}"; do
		ready $server || return
	done
	web_wanted=()
}

# What answers each datagram with itself, in NAMESPACE
echo_pids=()
echo_up() # NAMESPACE [PORT]
{
	local v6

	for v6 in "" ${V6:+-6}; do
		must spawn_ready echo-$1-${2-443}$v6 ns $1 udp echo $v6 ${2-443}
		echo_pids+=("$spawned")
	done
}

# All of these, and the proxies. Port 80 of srv and l1 is not proxied.
services_up()
{
	servers_up
	web_up srv 80
	web_up l1 80
	echo_up srv
	echo_up srv 80
	must proxy_up
	udp_proxy_up
}

# --- flows that go on ---------------------------------------------------------

declare -A held_pid

# A client that asks without end; ARGS for load get
held_start() # NAME NAMESPACE ARGS...
{
	local name=$1 space=$2

	shift 2
	spawn "held-$name" ns "$space" load get -l "$@"
	held_pid[$name]=$spawned
	held_grows "$name"
}

# Requests done|failed until now
held_count() # NAME done|failed
{
	awk -v what="$2" '{ n = what == "done" ? $2 : $4 }
		END { print n + 0 }' "$TMP/held-$1.out"
}

held_past() # NAME COUNT
{
	[ "$(held_count "$1" "done")" -ge "$2" ]
}

# It still gets answers: COUNT (5) more. All but the first are to requests that it
# made after the call.
held_grows() # NAME [COUNT]
{
	busywait 60 held_past "$1" $(($(held_count "$1" "done") + ${2:-5}))
}

# 0 when nothing failed
held_stop() # NAME
{
	kill "${held_pid[$1]}"
	wait "${held_pid[$1]}"
}
