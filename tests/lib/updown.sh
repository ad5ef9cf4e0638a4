# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A box alone, what mackeep up could change there, and up and down.

UP="--bridge br0 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT --settle 0"

# All that "up" could change
snapshot()
{
	ns box bash -c 'ip -4 rule; ip -6 rule; ip -4 route show table all
		ip -6 route show table all | grep -v "^multicast\|^ff00\|^fe80\|^local fe80\|^anycast"
		ip -br link; nft list ruleset
		ip -d link show br0 | grep -oE "(group_fwd_mask|stp_state|mcast_snooping) [^ ]*"
		mackeep silence 2>/dev/null | sed "s/ .*//"
		grep . /proc/sys/net/ipv6/conf/{br0,port0}/{disable_ipv6,accept_ra,autoconf,addr_gen_mode,accept_dad,router_solicitations}
		cd /proc/sys/net && cat ipv4/conf/br0/rp_filter netfilter/mackeep_{hooks,steer,lift_vlan,feed_neigh}
		cat ipv6/conf/br0/disable_ipv6 bridge/bridge-nf-call-ip*tables
		mackeep services 2>/dev/null | sed "s/ ipv4=.* fail=/ fail=/; s/ lifted=.*//"
		exit 0' 2>&1 |
		sed 's/counter packets [0-9]* bytes [0-9]*//; s/ expires [0-9]*sec//'
}

is_as() # NAME DESCRIPTION
{
	snapshot >"$TMP/now"
	ok "$2" diff "$TMP/$1" "$TMP/now"
}

up() # OPTION...
{
	ns box mackeep up "$@"
}

down()
{
	ns box mackeep down br0 "$@"
}

# With an odd rp_filter and group_fwd_mask, as a snapshot named bare
updown_box()
{
	rm -rf /run/mackeep
	must ip -batch - <<<"netns add mk-box"
	defer topo_down
	must topo_ip box <<-LINES
		link set lo up
		link add br0 address $MAC_BR type bridge group_fwd_mask 0x4000
		link add port0 type dummy
		link set port0 master br0
		link set br0 up
	LINES
	topo_sysctl box net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br0.rp_filter=1
	module_needed
	snapshot >"$TMP/bare"
}
