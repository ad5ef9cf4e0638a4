#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check on a box that "mackeep up" has set up: what it prints is the command
# that sets up what there is, and does; without, rules with the ports that others have.
# And the mend for --last-hop leaves the way to the box.
#
#  [ box: br0, eth9 where the admin comes from ]
#
# Control: after up, and after each mend, nothing is found.
#
# Seen by others: no more route to the box because of IPv6 forwarding,
# alibaba/hybridnet pull request 367, systemd/systemd issue 27639; the command to be
# told, not what is wrong alone, nsntrace/nsntrace issue 25.
#
# It is about the tool: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep ebtables
tools udp

UP="--bridge br0 --tcp 80 --udp 8443-8450 --to $PROXY_PORT --settle 0"

updown_box
udp_proxy_up
must proxy_up
modprobe -q br_netfilter
topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0

# The commands that the findings have
mends()
{
	sed 's/.*; mend: //' "$TMP/found" | sort -u
}

# What is wrong, and mended by one command that names the set-up
by_up() # WANTED TITLE ID...
{
	look
	finds "${@:3}"
	is "$(mends)" "$1" "$2: by the command that made it"
	unlike "$(cat "$TMP/found")" "\b443\b" "$2: and no port of others"
	ok "$2: which does it" ns box sh -c "$(mends)"
	clean "$2"
}

# --- mackeep up ---------------------------------------------------------------------

again="mackeep up $UP"
must up $UP
clean "up"
must ns box nft flush ruleset
by_up "$again" "no rules" mark tproxy
must ns box ip rule del fwmark 0x4d4c
must ns box ip -6 route flush table 19788
by_up "$again" "policy" policy
must ns box ip route del default dev br0 metric 19788
by_up "$again" "no route" upstream
must ns box nft flush chain bridge mackeep_br0 lift
by_up "$again" "no rule in its chain" mark
# All that up looks for is there.
handle=$(ns box nft -a list chain ip mackeep_br0 proxy | sed -n '/socket transparent/s/.* handle //p')
must ns box nft delete rule ip mackeep_br0 proxy handle $handle
is "$(up $UP --dry-run)" "" "one rule of a chain: nothing is missing for up"
by_up "mackeep down br0 && $again" "one rule of a chain" divert

mkdir -p /etc/mackeep
must down
cat >/etc/mackeep/br0.conf <<-CONF
bridge br0
tcp 80
to $PROXY_PORT
backend iptables
CONF
must up br0
clean "up br0"
for family in iptables ip6tables; do
	must ns box $family -t mangle -F
	must ns box $family -t mangle -X
done
by_up "mackeep up br0" "by a file" tproxy rule
must ns box ebtables -t nat -F
by_up "mackeep up br0" "ebtables" mark
must down
rm -rf /etc/mackeep

# --- by hand ----------------------------------------------------------------------------

# The ports are those of the marks, the proxy's is that of the service.
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
must ns box mackeep silence add -6 br0
must ns box mackeep services add --mark $LIFT_MARK -p tcp --to $PROXY_PORT
must ns box ip route add default dev br0
must ns box nft -f - <<-RULES
table bridge mackeep {
	chain lift {
		type filter hook prerouting priority dstnat; policy accept;
		tcp dport { 80, 8000-8010 } meta mark set $LIFT_MARK
	}
}
RULES
must ns box iptables -t mangle -A PREROUTING -j MACKEEP
look
like "$(grep ^tproxy: "$TMP/found")" "dport 80:80 .*--on-port $PROXY_PORT .*dport 8000:8010 .*--on-port $PROXY_PORT" \
	"tproxy: the ports of the marks"
unlike "$(grep ^tproxy: "$TMP/found")" "443" "tproxy: and no other"
mend
look
finds divert policy
mend
clean "by hand"

# --- --last-hop ---------------------------------------------------------------------------

must ns box iptables -t mangle -F
must topo_ip box <<-LINES
link add eth9 type dummy
link set eth9 up
LINES
topo_sysctl box net.ipv6.conf.all.forwarding=0 net.ipv4.ip_forward=0 \
	net.ipv6.conf.eth9.accept_ra=1
look
finds_not forwarding
for family in iptables ip6tables; do
	must ns box $family -t mangle -A PREROUTING -i br0 -j MACKEEP --last-hop
done
look
finds forwarding
is "$(grep -c ^forwarding: "$TMP/found")" 2 "forwarding: each family"
grep ^forwarding: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
look
finds_not forwarding
is "$(ns box cat /proc/sys/net/ipv6/conf/eth9/accept_ra)" 2 "forwarding: routers are still heard on eth9"
is "$(ns box cat /proc/sys/net/ipv6/conf/br0/accept_ra)" 0 "forwarding: and on br0 not"

net_done
