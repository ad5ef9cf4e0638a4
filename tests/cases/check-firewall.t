#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Firewalls of the box that drop what is lifted: mackeep check finds each, what it
# prints lets exactly that pass, and so does "mackeep up --firewall". iptables of
# both kinds, nft, ufw, and the rules of Docker with br_netfilter; firewalld.t has
# firewalld. The test runs on one kernel in turn.
#
#  c1 192.0.2.31 --- west --- [ port0 br0 port1 ] --- east --- l1 192.0.2.80
#     ..:c1                     box ..:b0  mgmt0                  ..:80
#                                            |
#  c2 ---------------------- the admin, 198.51.100.1:22
#
# Controls: with the firewall nothing is answered; no rule opens the box's own port
# 8080, and an admin's connection goes on all the time.
#
# Seen by others: zfl9/ss-tproxy issue 199, ufw drops what TPROXY takes, in its
# chain ufw-not-local; ushan0v/forkop pull request 107, an accept in a chain of
# one's own is not enough; seapath/ansible issue 909, Docker loads
# br_netfilter and FORWARD drops what a bridge only passes.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/firewall.sh" || exit 1
need mackeep
tools udp

firewall_up

# --- iptables, nft ------------------------------------------------------------------

for program in iptables-legacy ip6tables-nft; do
	case $program in
	ip6*) ip=6 other=2001:db8:9::/48 ;;
	*) ip=4 other=198.51.100.0/24 ;;
	esac
	ns box $program -A INPUT -i mgmt0 -p tcp --dport 22 -j ACCEPT 2>/dev/null || continue
	if [ $program != ip6tables-nft ]; then
		must ns box $program -P INPUT DROP
		walled "$program, policy" $ip
		must ns box $program -P INPUT ACCEPT
		must ns box $program -F INPUT
		continue
	fi
	must ns box $program -F INPUT
	must ns box $program -N WALL
	must ns box $program -A WALL -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
	must ns box $program -A WALL -s $other -j ACCEPT
	must ns box $program -A WALL -j REJECT
	must ns box $program -t mangle -A INPUT -p tcp --dport 1:1023 -i mgmt0 -j ACCEPT
	must ns box $program -A INPUT -i br+ -g WALL
	walled "$program, a chain" $ip
	must ns box $program -F
	must ns box $program -X
	must ns box $program -t mangle -F INPUT
done
clean "iptables is open"

rules <<-RULES
	table inet wall {
		chain input {
			type filter hook input priority 0; policy drop;
			ct state vmap { established : accept, related : accept, invalid : drop }
			iifname mgmt0 tcp dport { 22, 80 } accept
			ip6 nexthdr icmpv6 accept
			meta l4proto vmap { icmp : accept, tcp : jump in-tcp, udp : goto in-udp }
		}
		chain in-tcp {
			ip saddr 198.51.100.0/24 accept
			tcp dport 8000-9000 drop
		}
		chain in-udp {
			meta mark & 0xff == 0x7 accept
			reject
		}
	}
	table ip also {
		chain input {
			type filter hook input priority 10; policy accept;
			iifname != { lo, mgmt0 } ct state new drop
		}
	}
RULES
walled "nft" 4 6
must ns box nft delete table inet wall
must ns box nft delete table ip also
clean "nft is open"

# --- the bridge's own chains ------------------------------------------------------------

must ns box ebtables-nft -P INPUT DROP
must ns box ebtables-nft -A INPUT -p ARP -j ACCEPT
rules <<-RULES
	table bridge wall {
		chain input {
			type filter hook input priority 0; policy drop;
			ether type arp accept
			meta mark $LIFT_MARK accept
		}
	}
RULES
walled "bridge" 4 6
must ns box nft delete table bridge wall
must ns box ebtables-nft -P INPUT ACCEPT
must ns box ebtables-nft -F INPUT
clean "the bridge is open"

# --- ufw: each load takes long ----------------------------------------------------------

with_ufw()
{
	must ns box ufw allow 22/tcp
	must ns box ufw --force enable
	must ns box iptables-save >"$TMP/before"
	like "$(ns box mackeep up $UP 2>&1)" "drops what is lifted off br0 .*; \"firewall\" lets it pass, or: sed .* && ufw reload" \
		"ufw: up says it"
	no_answer "ufw, up without --firewall"
	ok "ufw, up --firewall" ns box mackeep up $UP --firewall
	must ns box ufw reload
	works "ufw, up --firewall, loaded again"
	shut "ufw, up --firewall"
	must ns box mackeep up $UP
	must ns box iptables-save >"$TMP/after"
	ok "ufw, up: without --firewall it takes the rule away" \
		diff <(grep -v '^[#:]' "$TMP/before") <(grep -v '^[#:]' "$TMP/after")
	walled "ufw" 4 6
}

if command -v ufw >/dev/null; then
	with_ufw
else
	skip "no ufw"
fi
for program in iptables-nft ip6tables-nft; do
	ns box $program -F
	ns box $program -X
	must ns box $program -P INPUT ACCEPT
	must ns box $program -P FORWARD ACCEPT
done

# --- Docker: FORWARD drops, and br_netfilter comes later ---------------------------------

passes() # TITLE
{
	ok "$1: what is not proxied passes the bridge" ns c1 load get -t 5 $L1 80
}

must ns box mackeep up $UP
for program in iptables-nft ip6tables-nft; do
	must ns box $program-restore <"${0%/*}/../lib/docker.rules"
done
passes "Docker"
look
finds forward-drop
like "$(grep ^forward-drop: "$TMP/found")" "if br_netfilter is loaded" "Docker: before it drops"
must modprobe br_netfilter
topo_sysctl box net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
look
finds_not forward-drop
topo_sysctl box net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
nok "Docker and br_netfilter: nothing passes" ns c1 load get -t 0.5 $L1 80
look
finds forward-drop bridge-nf bridge-nf6
grep ^forward-drop: "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
each_family passes "Docker, mended"
look
finds_not forward-drop
mend
clean "Docker"
each_family passes "Docker"
works "Docker"

firewall_done
net_done
