#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check: each finding is provoked, and gone after the command that it
# prints. mackeep-check.t has those of a box where nothing is set up, and
# mackeep-marks.t some that come with the mark and the own MAC.
#
#  c1 192.0.2.31 --+                                      +-- l1 192.0.2.80
#     ..:c1        +-- west -- [ port0 br0 port1 ] -- east     ..:80
#  c2 ..:c2 -------+               ..:b0,b1,b2            +-- rt ..:f1 -- srv
#
# Control: before it is provoked nothing is found.
#
# It is about the tool: it runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep socat
tools ctinfo udp

GHOST=192.0.2.99

start_proxy()
{
	proxy_up && udp_proxy_up
}

must topo_up
must spawn_ready serve ns l1 load serve
must start_proxy
kept_up
must ip -n mk-box link set br0 type bridge group_fwd_mask 8
clean "set up by hand"

# Who lets somebody pass TPROXY by hand
must ns box iptables -t mangle -I PREROUTING -s $C1 -j ACCEPT
must ns box ip6tables -t mangle -I PREROUTING -d 2001:db8:2::/64 -j RETURN
look
finds exempt
is "$(grep -c "^exempt: .*; mend: nft insert rule bridge mackeep lift" "$TMP/found")" 2 \
	"exempt: by a rule in front of the one that marks"
mend
clean "exempt"
must ns box nft flush chain bridge mackeep lift
must ns box nft add rule bridge mackeep lift "meta l4proto { tcp, udp } th dport 443 meta mark set $LIFT_MARK"

# A helper of its own, by a rule
must ns box iptables -t raw -A PREROUTING -p tcp -s $C2 --dport 443 -j CT --helper ftp
ok "a flow with another helper" ns c2 load get $L1
must proxy_quiet

# --- many things at once ------------------------------------------------------------

proxy_down
udp_proxy_down
must spawn listener ns box socat TCP-LISTEN:$PROXY_PORT,reuseaddr,fork /dev/null
listener=$spawned
modprobe -q br_netfilter
topo_sysctl box net.ipv4.conf.all.rp_filter=1 net.netfilter.mackeep_neigh=0 \
	net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
must topo_ip box <<-LINES
	rule del fwmark 1 lookup 100
	link set dev br0 type bridge group_fwd_mask 0
	link add gone type dummy
	link add eth9 type dummy
	link set eth9 up
	route replace default dev eth9
	route add default dev br0 metric 19788
	route del ::/0 dev br0
	route add ::/0 dev eth9
	route add ::/0 dev br0 metric 19788
LINES
must ip -6 -n mk-box route flush table 100
must ns box mackeep silence del br0
must ns box nft -f - <<-RULES
	table ip fast {
		flowtable ft { hook ingress priority 0; devices = { port0, port1 }; }
		chain forwarding {
			type filter hook forward priority 0; policy accept;
			ip protocol tcp ct state established flow add @ft
			ip protocol udp ct state established flow add @ft
		}
	}
	table bridge other {
		chain pre {
			type filter hook prerouting priority -100; policy accept;
			tcp dport 8443 ether daddr set $MAC_BR
		}
	}
	insert rule bridge mackeep lift counter return
	table bridge walls {
		chain passing {
			type filter hook forward priority 0; policy accept;
			ip daddr $L2 tcp dport 443 counter drop
		}
	}
RULES
index=$(ip -n mk-box -o link show gone | cut -d : -f 1)
printf -v index '%02x%02x0000' $((index & 255)) $((index >> 8))
is "$(ns box ctinfo batch <<<"create udp $C1 $S1 1000 443 010300000000""0000${index}0200000000c10200000000f10000000000000000")" \
	OK "a record for a device"
must ip -n mk-box link del gone

# From an address that no frame came from
must ns box ip route add $L1 dev br0
must ip -n mk-box neigh replace $L1 lladdr $MAC_L1 dev br0
ns box socat -u - "UDP4-SENDTO:$L1:9,bind=$GHOST,ip-transparent" <<<boo
must ns box ip route del $L1 dev br0

look
finds shadowed forward redirect listener policy upstream rp_filter bridge-nf bridge-nf6 \
	flowtable helper own-mac device-gone eapol noisy
like "$(grep ^listener: "$TMP/found" | head -n 1)" "has not set IP_TRANSPARENT" \
	"listener: not the one that it takes"
is "$(grep -c ^upstream: "$TMP/found") $(grep -c ^policy: "$TMP/found")" "2 2" \
	"IPv4 and IPv6 are looked at"
is "$(grep -c ^flowtable: "$TMP/found")" 2 "and each rule"
tap_kill $listener
look
like "$(grep ^listener: "$TMP/found" | head -n 1)" "nobody listens on TCP port $PROXY_PORT" \
	"listener: or none"
is "$(grep -c ^listener: "$TMP/found")" 4 "listener: TCP and UDP, IPv4 and IPv6"
grep -v ^own-mac: "$TMP/found" >"$TMP/rest" # told once; its own below
mv "$TMP/rest" "$TMP/found"
mend
clean "mended"

# --- services -------------------------------------------------------------------------

ranks() # ID
{
	ns box mackeep check -o json 2>/dev/null | grep -o "\"id\":\"$1\",\"rank\":\"[a-z]*\"" |
		cut -d '"' -f 8 | sort -u | xargs
}

for proto in tcp udp; do
	must ns box mackeep services add --mark $LIFT_MARK -p $proto --to $PROXY_PORT
done
clean "services"
proxy_down
udp_proxy_down
look
finds listener
is "$(grep -c "^listener: nobody listens .* so new connections are bridged past it; mend" "$TMP/found")" 4 \
	"listener: a service fails open"
is "$(ranks listener)" wrong "listener: which is not the worst"
for proto in tcp udp; do
	must ns box mackeep services set --mark $LIFT_MARK -p $proto --fail closed
done
look
is "$(grep -c "^listener: nobody listens .* so new connections are dropped; mend" "$TMP/found")" 4 \
	"listener: or closed"
is "$(ranks listener)" broken "listener: which is"
must start_proxy
must ns box mackeep services set --mark $LIFT_MARK -p tcp --bypass on
look
finds bypass
is "$(ranks bypass)" doubtful "bypass: may be wanted"
mend
clean "services"

# --- silence ------------------------------------------------------------------------

topo_sysctl box net.ipv6.conf.br0.accept_ra=1
look
like "$(grep ^noisy: "$TMP/found")" "br0 takes an address from any router" "noisy: with a guard"
mend
clean "takes none"
must ns box mackeep silence del br0
must ip -n mk-box addr add 192.0.2.5/24 dev br0
look
finds_not noisy
must ip -n mk-box addr del 192.0.2.5/24 dev br0
look
finds noisy
mend
clean "silent again"

net_done
