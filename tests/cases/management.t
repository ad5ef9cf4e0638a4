#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The box has a management network, and the default route is that one's. What the
# proxy sends in the name of others leaves by the bridge all the same, with the
# right MACs, and nothing of it by the management network, on which an admin is
# connected all the time. Likewise with default routes in both, with none, and with
# the rules of Docker and of wg-quick.
#
#  c1 ..:c1 --- west --- w0 [ port0 br0 port1 ] e0 --- east --- rt ..:f1 --- srv .73
#                                  box
#                              mgmt 198.51.100.5
#                               |
#                              eth0 198.51.100.1 admin
#
# Control: without the sysctl mackeep_steer nothing is answered, and packets from
# the client's address are in the management network.
#
# Seen by others: GoSecure/pyrdp issue 204, a proxy between two ports, with a third
# for its management; systemd/systemd issue 19106, "systemd-networkd removes fwmark
# rules (created by iproute2 command) on restart"; zfl9/ss-tproxy issue 104, TPROXY
# and Docker on one machine.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep socat wg wg-quick
tools udp

TOPO_NS="$TOPO_NS admin"
ADMIN=198.51.100.1 ADMIN6=2001:db8:9::1
UP="--bridge br0 --tcp 443 --udp 443 --to $PROXY_PORT --settle 0"
foreign='way == "from" && type ~ /^ip/ && saddr !~ /^(198\.51\.100\.|2001:db8:9:|fe80:|::)/'

management_up()
{
	must ip -batch - <<-LINES
	$(topo_link box mgmt 02:00:00:00:00:b9 admin eth0 02:00:00:00:00:ad)
	LINES
	must topo_ip admin <<-LINES
	addr add $ADMIN/24 dev eth0
	addr add $ADMIN6/64 dev eth0 nodad
	link set eth0 up
	LINES
	must topo_ip box <<-LINES
	addr add 198.51.100.5/24 dev mgmt
	addr add 2001:db8:9::5/64 dev mgmt nodad
	link set mgmt up
	LINES
	defaults
}

defaults()
{
	must topo_ip box <<-LINES
	route replace default via $ADMIN dev mgmt
	route replace ::/0 via $ADMIN6 dev mgmt
	LINES
}

# The admin's connection is no business of the proxy.
proxied_gone()
{
	[ -z "$(ns box ss -Htn state connected exclude time-wait \
		"( sport = :443 or dport = :443 )")" ]
}

requests() # TITLE
{
	ok "$1: requests" ns c1 load get -t 3 -c 2 -n 4 $S1
	ok "$1: datagrams" ns c1 udp talk -t 3 -n 3 $S1
}

legs() # TITLE
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 8 "$1: $S1 to c1"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R 8 "$1: c1 to $S1"
}

kept() # TITLE
{
	wire_both
	wire_start mgmt admin eth0
	each_family requests "$1"
	ok "$1: the proxy comes to rest" busywait 30 proxied_gone
	wire_stop
	each_family legs "$1"
	wire_clean "$1" 'proto == "tcp" || proto == "udp"'
	is "$(wire_sum mgmt "$foreign")" 0 "$1: nothing of it in the management network"
}

lost() # TITLE
{
	wire_start mgmt admin eth0
	nok "$1: no answer" ns c1 load get -t 1 $S1
	wire_stop
	cmp_ok "$(wire_sum mgmt "way == \"from\" && saddr == \"$S1\"")" -ge 1 \
		"$1: the server's address is in the management network"
}

# What INPUT rejects is answered without a socket.
rejected() # TITLE
{
	local tables=iptables

	[ $family = 4 ] || tables=ip6tables
	must ns box $tables -A INPUT -i br0 -p tcp --dport 443 -j REJECT --reject-with tcp-reset
	wire_both
	wire_start mgmt admin eth0
	nok "$1: a connection is reset" ns c1 load get $S1
	wire_stop
	must ns box $tables -F INPUT
	cmp_ok "$(wire_sum west "way == \"from\" && saddr == \"$S1\" && flags ~ /R/ && src == \"$MAC_R\" && dst == \"$MAC_C1\"")" \
		-ge 1 "$1: with the router's MAC"
	wire_clean "$1"
	is "$(wire_sum mgmt "$foreign")" 0 "$1: nothing of it in the management network"
}

# Rules and routes of the box, without what up adds
admins_routes()
{
	ns box sh -c 'ip -4 rule; ip -6 rule; ip -4 route; ip -6 route' |
		grep -v "metric 19788\|lookup 19788\|^multicast\|^fe80\|^unreachable" |
		sed 's/^[0-9]*://; s/ expires [0-9]*sec//'
}

admin_there() # TITLE
{
	ok "$1: the admin is still connected" held_grows admin 2
	ok "$1: likewise over IPv6" held_grows admin6 2
}

must topo_up
topo_box_unrouted
management_up
web_up srv
echo_up srv
web_up box 22
must proxy_up
udp_proxy_up
module_needed
held_start admin admin 198.51.100.5 22 || fail "an admin is connected"
held_start admin6 admin 2001:db8:9::5 22 || fail "an admin is connected over IPv6"

# --- the default route is that of the management network ----------------------------

admins_routes >"$TMP/routes"
ok "up" ns box mackeep up $UP
is "$(ns box sysctl -n net.netfilter.mackeep_steer)" 1 "up: packets are steered"
ok "up: routes and rules are the admin's" diff "$TMP/routes" <(admins_routes)
must ns box sysctl -qw net.netfilter.mackeep_steer=0
each_family lost "without the sysctl"
look
is "$(sed 's/.* mend: //' "$TMP/found" | sort -u)" "mackeep up $UP" \
	"without the sysctl: found, and the mend leaves the admin's routes alone"
is "$(grep -c ^upstream: "$TMP/found")" 2 "without the sysctl: for both families"
mend
look
finds_not upstream
steered=$(mackeep_stat box steered)
kept "management"
cmp_ok "$(mackeep_stat box steered)" -gt "$steered" "management: counted"
each_family rejected "rejected"
admin_there "management"

# --- rules of others ----------------------------------------------------------------

# As its manual has them, with an empty network
docker_up()
{
	must topo_ip box <<-LINES
	link add docker0 type bridge
	addr add 172.17.0.1/16 dev docker0
	link set docker0 up
	LINES
	must ns box iptables-restore -n <"${0%/*}/../lib/docker.rules"
	must ns box iptables-restore -n <<-RULES
	*nat
	:DOCKER -
	-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
	-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
	-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
	-A DOCKER -i docker0 -j RETURN
	COMMIT
	RULES
	topo_sysctl box net.ipv4.ip_forward=1
}

docker_up
# A hardened box; the bridge has no address, and is the best way to no source.
topo_sysctl box net.ipv4.conf.all.rp_filter=2
cat >"$TMP/wg0.conf" <<-CONF
[Interface]
PrivateKey = $(wg genkey)
Address = 198.51.100.9/32, 2001:db8:10::2/128
[Peer]
PublicKey = $(wg genkey | wg pubkey)
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = $ADMIN:51820
CONF
ok "wg-quick up" ns box wg-quick up "$TMP/wg0.conf"
look
finds policy
is "$(grep -c "^policy: the rule for all packets without mark 0xca6c " "$TMP/found")" 2 \
	"wg-quick after up: its rules are in front"
mend
look
finds_not policy upstream
kept "Docker and wg-quick"
admin_there "wg-quick"
ok "wg-quick down" ns box wg-quick down "$TMP/wg0.conf"

# systemd-networkd, when it starts, takes away rules that it does not know.
must topo_ip box <<<"rule del fwmark 0x4d4c lookup 19788"
must ip -6 -n mk-box rule del fwmark 0x4d4c lookup 19788
mkdir "$TMP/fake"
printf '#!/bin/sh\nexit 0\n' >"$TMP/fake/systemctl"
printf '#!/bin/sh\necho "[Network]"\n' >"$TMP/fake/systemd-analyze"
chmod +x "$TMP/fake/"*
PATH=$TMP/fake:$PATH look
like "$(grep ^policy: "$TMP/found")" "ManageForeignRoutingPolicyRules=no.*mend: mackeep up $UP" \
	"networkd: named"
mend
kept "networkd"
admin_there "networkd"

topo_sysctl box net.ipv4.conf.all.rp_filter=0

# --- other routes ---------------------------------------------------------------------

must topo_ip box <<-LINES
	route del default dev mgmt
	route del ::/0 dev mgmt
LINES
kept "no default route"
defaults

# Both networks have one. A connection to a server that the client has not spoken
# to goes by the gateway of the client's network.
must topo_ip box <<-LINES
	addr add 192.0.2.5/24 dev br0
	route add default via 192.0.2.1 dev br0 metric 200
	neigh replace 192.0.2.1 lladdr $MAC_R dev br0 nud permanent
	addr add 2001:db8:1::5/64 dev br0 nodad
	route add ::/0 via 2001:db8:1::1 dev br0 metric 2000
	neigh replace 2001:db8:1::1 lladdr $MAC_R dev br0 nud permanent
LINES

# From the address of the client, as the proxy would
ask() # ADDRESS CLIENT
{
	printf 'GET /10/1 HTTP/1.0\r\n\r\n' |
		ns box socat -t 2 - "TCP$family:$1:443,bind=$2,ip-transparent"
}

other_server() # TITLE
{
	wire_both
	wire_start mgmt admin eth0
	if [ $family = 4 ]; then
		ok "$1: another server" ask $S2 $C1
	else
		ok "$1: another server" ask "[$S2]" "[$C1]"
	fi
	wire_stop
	wire_leg east $C1 $S2 $MAC_C1 $MAC_R 2 "$1: by the gateway"
	is "$(wire_sum mgmt "$foreign")" 0 "$1: nothing of it in the management network"
}

kept "two default routes"
each_family other_server "two default routes"
must topo_ip box <<-LINES
	addr del 192.0.2.5/24 dev br0
	addr del 2001:db8:1::5/64 dev br0
LINES

# --- the bridge goes, and comes back ---------------------------------------------------

held_start c1 c1 -w 20 -t 300 $S1 || fail "a connection of c1"
must ip -n mk-box link set br0 down
dropped()
{
	ns box socat -u - "UDP4-SENDTO:$S1:9,bind=$C1,ip-transparent" <<<boo 2>/dev/null
	[ "$(mackeep_stat box nosteer)" -gt 0 ]
}
wire_start mgmt admin eth0
ok "down: what is sent in others' names is dropped" busywait 20 dropped
wire_stop
is "$(wire_sum mgmt "$foreign")" 0 "down: and does not leave elsewhere"
must ip -n mk-box link set br0 up
ok "up again: the connection goes on" held_grows c1
must ip -n mk-box link del br0
must ip -batch - <<<"$(topo_bridge box $MAC_BR)"
must topo_ports box port0 port1
ok "made again: the connection goes on" held_grows c1
wire_both
held_grows c1
wire_stop
wire_clean "made again" 'proto == "tcp"'
ok "made again: the connection never broke" held_stop c1
admin_there "the bridge"

# --- down -------------------------------------------------------------------------------

ok "down" ns box mackeep down br0
is "$(ns box sysctl -n net.netfilter.mackeep_steer)" 0 "down: nothing is steered"
admin_there "down"
ok "the admin's connection never broke" held_stop admin
ok "nor that over IPv6" held_stop admin6
tap_kill ${web_pids[-1]}
tap_kill ${web_pids[-2]}
tcp_close box $proxy_pid
net_done
