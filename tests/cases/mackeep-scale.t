#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep list with many flows: it keeps none of them in memory. "make bench" compares
# its cost with that of conntrack -L.
#
#  [ box: -j MACKEEP ]  <--- records --- ctinfo
#
#   MACKEEP_FLOWS	how many (20000)
#
# Control: the memory that it takes to list none.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
need mackeep
tools ctinfo

flows=${MACKEEP_FLOWS:-20000}

# The table's size is the same for all namespaces, and set in the first.
table() # MAX BUCKETS
{
	echo $1 >/proc/sys/net/netfilter/nf_conntrack_max &&
		echo $2 >/proc/sys/net/netfilter/nf_conntrack_buckets
}

# mackeep list works in so much address space.
lists_in() # KILOBYTES
{
	(ulimit -v $1 && ns box mackeep list >/dev/null 2>"$TMP/count")
}

must ip netns add mk-box
defer topo_down
module_needed
must ip -n mk-box link add br0 type bridge
index=$(ip -n mk-box -o link show br0 | cut -d : -f 1)
must ns box iptables -t mangle -A PREROUTING -j MACKEEP
max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
buckets=$(cat /proc/sys/net/netfilter/nf_conntrack_buckets)
defer table $max $buckets
must table $((flows + 10000)) $((flows / 2 + 1024))

need=2048
until lists_in $need; do
	need=$((need + 128))
	[ $need -lt 65536 ] || break
done
cmp_ok $need -lt 65536 "none are listed in $need KB of address space"

start=$SECONDS
ok "$flows flows are made" ns box ctinfo fill $flows \
	"$(printf '0103000000000000%02x0000000200000000c10200000000f10000000000000000' $index)"
note "in $((SECONDS - start)) s"

ok "all are listed in no more memory" lists_in $((need + 256))
like "$(cat "$TMP/count")" " $flows flow entries have been shown" "every one"
is "$(ns box mackeep list 2>/dev/null | grep -vc ' smac=')" 0 "each with its MACs"

ns box conntrack -L >/dev/null 2>"$TMP/theirs"
is "$(sed 's/^[^:]*: //' "$TMP/theirs" "$TMP/count" | sort -u)" \
	"$flows flow entries have been shown." "conntrack -L lists the same"

net_done
