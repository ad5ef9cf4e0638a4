# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Flows that live on while a firewall is loaded again: c1's to the server, two by
# IPv4 and two by IPv6. What sources this has set V6 and sourced net.sh.

need iptables-legacy-restore iptables-nft-restore

FLOWS="four six"

# The table mangle with these rules
table() # [RULE...]
{
	cat <<-RULES
	*mangle
	:DIVERT -
	-A DIVERT -j MARK --set-mark 1
	-A DIVERT -j ACCEPT
	$(for rule; do echo "-A $rule"; done)
	-A PREROUTING -m socket --transparent -j DIVERT
	-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port $PROXY_PORT --tproxy-mark 1
	COMMIT
	RULES
}

rules() # BACKEND [RULE...]
{
	local backend=$1 family

	shift
	for family in iptables ip6tables; do
		table "$@" | must ns box $family-$backend-restore
	done
}

rules_off()
{
	local family

	for family in iptables ip6tables; do
		must ns box $family-$1 -t mangle -F
		must ns box $family-$1 -t mangle -X
	done
}

flows()
{
	must held_start four c1 -c 2 -w 20 -t 120 203.0.113.73
	must held_start six c1 -c 2 -w 20 -t 120 2001:db8:2::73
}

flows_grow() # [COUNT]
{
	local name

	for name in $FLOWS; do
		held_grows $name ${1:-5} || return
	done
}

flows_end() # TITLE
{
	local name

	for name in $FLOWS; do
		ok "$1: no request of $name failed" held_stop $name
	done
	proxy_quiet
}

# Neither clients nor proxy have anything on their way.
flows_halt()
{
	local name

	for name in $FLOWS; do
		kill -STOP ${held_pid[$name]}
	done
	busywait 20 silent
}

silent()
{
	local before

	before=$(sent)
	pause 0.3
	[ "$(sent)" = "$before" ]
}

sent()
{
	echo $(($(mackeep_stat box orig) + $(mackeep_stat box reply) + $(mackeep_stat box mark)))
}

flows_go()
{
	local name

	for name in $FLOWS; do
		kill -CONT ${held_pid[$name]}
	done
}

# Every frame of the flows as they go on, by its MACs
legs() # TITLE SOURCE-TO-CLIENT SOURCE-TO-SERVER [CLIENT]
{
	local client=${4-$MAC_C1}

	wire_both
	flows_go
	ok "$1: the flows go on" flows_grow 10
	flows_halt
	wire_stop
	wire_leg west 203.0.113.73 192.0.2.31 $2 $client 10 "$1: IPv4, to the client"
	wire_leg east 192.0.2.31 203.0.113.73 $3 $MAC_R 10 "$1: IPv4, to the server"
	wire_leg west 2001:db8:2::73 2001:db8:1::31 $2 $client 10 "$1: IPv6, to the client"
	wire_leg east 2001:db8:1::31 2001:db8:2::73 $3 $MAC_R 10 "$1: IPv6, to the server"
}
