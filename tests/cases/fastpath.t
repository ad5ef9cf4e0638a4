#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The fast path and the slow one do the same. The same traffic takes either:
# the flows' first packets are slow, and all are while somebody follows
# conntrack's events. Datagrams leave byte for byte alike, fragments and TCP's
# super-packets with the same headers, and the stack counts them alike.
#
#  c1 ..:c1 -- west -- [ port0 br0 port1 ] -- east -- rt ..:f1 -- srv .73
#                         ^ conntrack -E, or nobody; a program at egress, or none

. "$(dirname "$0")/../lib/net.sh" || exit 1
tools udp egress ctinfo

V6=1
N=40
BYTES=2000000
GROUP=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/proxy

# Sockets that are not connected, on the client's port: nothing about their
# datagrams is left to chance.
proxies_up()
{
	local opt

	proxies=()
	for opt in "" -6; do
		must spawn_ready proxy$opt sh -c \
			'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh $GROUP \
			nsenter --net=/run/netns/mk-box -- udp proxy $opt -p -u $PROXY_PORT
		proxies+=("$spawned")
	done
}

proxies_down()
{
	tap_kill ${proxies[0]}
	tap_kill ${proxies[1]}
}

# What the box's stack has counted of what it sent, as NAME VALUE
counted()
{
	ns box awk '
		FILENAME ~ /snmp6$/ { if ($1 ~ /^(Ip6Out|Udp6Out|Ip6Frag)/) print $1, $2; next }
		!($1 in names) { names[$1] = $0; next }
		$1 ~ /^(Ip|Udp|IpExt):$/ {
			n = split(names[$1], name)
			for (i = 2; i <= n; i++)
				if (name[i] ~ /Out|Frag/)
					print $1 name[i], $i
		}' /proc/net/snmp /proc/net/netstat /proc/net/snmp6
}

declare -A stat
stat_begin()
{
	local name

	for name in orig reply slow; do
		stat[$name]=$(mackeep_stat box $name)
	done
}

# What they have grown by, in $sent and $slow
stat_end()
{
	local name

	for name in orig reply slow; do
		stat[$name]=$(($(mackeep_stat box $name) - stat[$name]))
	done
	sent=$((stat[orig] + stat[reply])) slow=${stat[slow]}
}

# Datagrams there and back, as frames and as counts in $TMP/frames-NAME,
# counted-NAME, flows-NAME
datagrams() # NAME TITLE [WIRE OPTION... -- TALK OPTION...]
{
	local name=$1 title=$2 wire=()

	shift 2
	while [ "$1" != -- ]; do
		wire+=("$1")
		shift
	done
	shift
	ns box conntrack -F 2>/dev/null
	proxies_up
	egress=
	[ -z "$program" ] || { must spawn_ready egress egress count $GROUP; egress=$spawned; }
	counted >"$TMP/before"
	wire_both "${wire[@]}"
	ok "$title: to an IPv4 server and back" ns c1 udp talk -b 5000 "$@" $S1
	ok "$title: to an IPv6 server and back" ns c1 udp talk -b 5000 "$@" 2001:db8:2::73
	wire_stop
	# Where the box has an address, it asks for others by multicast, and is in
	# groups; that is not what was sent here.
	counted | paste "$TMP/before" - | awk '
		{ n[$1] = $4 - $2 }
		END {
			n["Ip6OutRequests"] -= n["Ip6OutMcastPkts"]
			n["Ip6OutTransmits"] -= n["Ip6OutMcastPkts"]
			n["Ip6OutOctets"] -= n["Ip6OutMcastOctets"]
			for (name in n)
				if (name !~ /Mcast/)
					print name, n[name]
		}' | sort >"$TMP/counted-$name"
	ns box conntrack -L -p udp 2>/dev/null | grep -o 'packets=[0-9]* bytes=[0-9]*' |
		sort >"$TMP/flows-$name"
	# The rest of an address's life is ARP's and ND's.
	if [ "${wire[0]}" = -H ]; then
		grep -hE '^from (142|162) ' "$TMP/west" "$TMP/east" >"$TMP/frames-$name"
	else
		awk '$1 == "from" && ($8 == "udp" || $8 == "44") { NF = 13; print }' \
			"$TMP/west" "$TMP/east" | sort >"$TMP/frames-$name"
	fi
	[ -z "$egress" ] || { kill $egress; wait $egress; }
	proxies_down
}

same() # WHAT A B DESCRIPTION
{
	ok "$4" diff -u "$TMP/$1-$2" "$TMP/$1-$3"
}

must mkdir $GROUP
defer rmdir $GROUP
must topo_up
topo_sysctl box net.ipv6.auto_flowlabels=0
echo_up srv
must servers_up
program=

# --- control: what the stack does, with the wrong MACs ------------------------------

today_up udp
must ns box conntrack -L >/dev/null 2>&1
topo_sysctl box net.netfilter.nf_conntrack_acct=1
topo_box_remembers
datagrams stock "no module" -p -- -n $N
is "$(awk -v mac=$MAC_BR '{ n[$2 == mac] += $11 } END { print n[1], n[0] + 0 }' "$TMP/frames-stock")" \
	"$((4 * N)) 0" "no module: each has the box's own MAC"
today_down

kept_up
topo_sysctl box net.netfilter.nf_conntrack_acct=1
topo_box_remembers

# --- datagrams -----------------------------------------------------------------------

# Before 5.19 conntrack keeps events for every flow, whether or not anybody follows.
old_events()
{
	! printf '%s\n' 5.19 "$(uname -r)" | sort -CV
}

follow_events()
{
	! old_events || topo_sysctl box net.netfilter.nf_conntrack_events=1
	spawn events ns box conntrack -E
	events=$spawned
	# It says nothing before the first event: have some until it shows one.
	must busywait 20 event_seen
}

event_seen()
{
	printf '%s\n' "create udp 192.0.2.32 203.0.113.74 9 9" "delete udp 192.0.2.32 203.0.113.74 9 9" |
		ns box ctinfo batch >/dev/null
	grep -q 'dport=9 ' "$TMP/events.out"
}

follow_no_more()
{
	tap_kill $events
	! old_events || topo_sysctl box net.netfilter.nf_conntrack_events=0
}

fast() # TITLE
{
	cmp_ok $sent -ge $((4 * N)) "$1: $sent packets have left"
	cmp_ok $slow -le $((sent / 4)) "$1: $slow of them by the slow path"
}

slow() # TITLE
{
	cmp_ok $sent -ge $((4 * N)) "$1: $sent packets have left"
	is $slow $sent "$1: all by the slow path"
}

! old_events || topo_sysctl box net.netfilter.nf_conntrack_events=0

# Learned once, or the first run would show what others need not.
datagrams first "known" -H -- -n 2

for program in "" program; do
	stat_begin
	datagrams fast "fast${program:+, $program}" -H -I -- -n $N
	stat_end
	fast "fast${program:+, $program}"
	saw=${program:+$(tail -n 1 "$TMP/egress.out")}

	follow_events
	stat_begin
	datagrams slow "slow${program:+, $program}" -H -I -- -n $N
	stat_end
	follow_no_more
	slow "slow${program:+, $program}"

	is "$(grep -c . "$TMP/frames-fast")" $((4 * N)) "${program:+$program: }each is on the wire"
	same frames slow fast "${program:+$program: }every frame is the same, byte for byte"
	same counted slow fast "${program:+$program: }the stack counts the same"
	ok "${program:+$program: }as it does without the module, but for its solicitations" \
		diff <(grep -v ^Ip6 "$TMP/counted-stock") <(grep -v ^Ip6 "$TMP/counted-fast")
	same flows slow fast "${program:+$program: }and so does conntrack"
	[ -z "$program" ] ||
		is "$(tail -n 1 "$TMP/egress.out")" "$saw" "and the control group's program: $saw"
done

# --- fragments: each datagram goes the slow way, and its parts as on the stack's ---------

program=
datagrams pieces-fast "fragments, nobody follows" -p -- -n 5 -s 4000
follow_events
datagrams pieces-slow "fragments, somebody does" -p -- -n 5 -s 4000
follow_no_more
cmp_ok "$(wire_sum east 'way == "from" && (proto == "44" || dport == "-")')" -ge 10 \
	"fragments are on the wire"
same frames pieces-slow pieces-fast "fragments: as many, as long, with the same MACs"
same counted pieces-slow pieces-fast "fragments: the stack counts the same"

# --- TCP: super-packets ------------------------------------------------------------------

transfer() # NAME TITLE
{
	wire_both
	stat_begin
	ok "$2: a download, bytes intact" ns c1 load get -s $BYTES $S1
	ok "$2: an upload, bytes intact" ns c1 load get -u $BYTES $S1
	proxy_quiet
	wire_stop
	stat_end
	{ wire_shape west 'way == "from"'; wire_shape east 'way == "from"'; } |
		grep " tcp " >"$TMP/frames-$1"
	cmp_ok "$(wire_longest west tcp)" -gt 1514 "$2: super-packets to the client"
	cmp_ok "$(wire_longest east tcp)" -gt 1514 "$2: super-packets to the server"
	wire_clean "$2"
}

transfers() # TITLE
{
	transfer tcp-fast "$1, fast"
	fast "$1, fast"
	follow_events
	transfer tcp-slow "$1, slow"
	slow "$1, slow"
	follow_no_more
	same frames tcp-slow tcp-fast "$1: the same MACs, addresses and ports"
}

must proxy_up
N=5
for family in 4 6; do
	topo_family $family
	transfers "IPv$family"
done

net_done
