#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A namespace without a MACKEEP rule pays nothing: hooks come with the first
# rule and go with the last, in that namespace alone; knobs, counters and pairs
# are each namespace's own.
#
#  [ box: br0, -j MACKEEP ]      [ rt: no rule ]      [ c1: a rule for a while ]

# shellcheck disable=SC1091,SC2016,SC2086,SC2154 # sourced; one word each
. "$(dirname "$0")/../lib/net.sh" || exit 1

# MACKEEP's hooks of a namespace
hooks() # NAMESPACE
{
	ns "$1" nft list hooks 2>&1 | grep -o 'mackeep_[a-z0-9_]*' | sort | tr '\n' ' '
}

# Debian's 6.1 is built without what lists them.
modprobe -q nfnetlink_hook && listed=1 || listed=

hooks_are() # NAMESPACE HOOKS DESCRIPTION
{
	if [ -n "$listed" ]; then
		is "$(hooks $1)" "$2" "$3"
	else
		skip "$3: this kernel does not list hooks"
	fi
}

ALL="mackeep_lift_begin mackeep_lift_forward mackeep_output4 mackeep_output6 "

must topo_up
must servers_up
must proxy_up

# iptables-nft asks for what the kernel has by way of nft's compat module.
modprobe -q nft_compat
nok "no module: the target is refused" without_autoload \
	ns box iptables -t mangle -A PREROUTING -j MACKEEP
nok "no module: no knob" test -e /proc/sys/net/netfilter/mackeep_pair_max

module_needed
must modprobe -r $MODULE
ok "a rule loads the module" ns c2 iptables -t mangle -A PREROUTING -j MACKEEP
ok "it is loaded" module_loaded
ok "the rule goes" ns c2 iptables -t mangle -F
hooks_are box "" "loaded: no hook without a rule"
hooks_are rt "" "loaded: nor elsewhere"

topo_box_marks
topo_box_rules -j MACKEEP
hooks_are box "$ALL" "a rule: its namespace has the hooks"
hooks_are rt "" "a rule: another namespace has none"
ns c1 iptables -t mangle -A OUTPUT -j MACKEEP
hooks_are c1 "$ALL" "a rule in another namespace: hooks there as well"
hooks_are rt "" "a rule in another namespace: none in the third"

ok "requests" ns c1 load get -o -n 5 $S1
proxy_quiet
cmp_ok "$(mackeep_stat box saved)" -ge 5 "counters: the box has counted"
cmp_ok "$(mackeep_stat box pairs)" -ge 1 "counters: and has pairs"
is "$(ns rt awk 'NR > 1 { for (i = 1; i <= NF; i++) n += $i } END { print n + 0 }' \
	/proc/net/stat/mackeep)" 0 "counters: all 0 where there is no rule"
is "$(mackeep_stat c1 saved) $(mackeep_stat c1 pairs) $(mackeep_stat c1 lifted)" \
	"0 0 0" "counters: the client's are its own"

# Knobs: a write in one namespace is not seen in another.
for knob in mackeep_pair_max:1000 mackeep_pair_timeout:60 mackeep_lift_mark:0x10/0xff; do
	value=${knob#*:} knob=${knob%:*}
	default=$(ns rt cat /proc/sys/net/netfilter/$knob)
	ok "$knob can be set" ns box sysctl -qw net.netfilter.$knob=$value
	is "$(ns box cat /proc/sys/net/netfilter/$knob)" $value "$knob is what was set"
	is "$(ns rt cat /proc/sys/net/netfilter/$knob)" "$default" \
		"$knob elsewhere is as before"
	isnt "$default" $value "$knob had another default"
done
for bad in mackeep_pair_max:-1 mackeep_pair_max:x mackeep_pair_timeout:-1 \
	   mackeep_lift_mark:0x100/0xff mackeep_lift_mark:x mackeep_lift_mark:0x1ffffffff; do
	value=${bad#*:} knob=${bad%:*}
	before=$(ns box cat /proc/sys/net/netfilter/$knob)
	nok "$knob refuses $value" ns box sysctl -qw net.netfilter.$knob=$value
	is "$(ns box cat /proc/sys/net/netfilter/$knob)" "$before" \
		"$knob is as before"
done

# With another lift mark the frames pass by the proxy.
passive=$(box_opens Passive)
ok "other lift mark: requests" ns c1 load get -o -n 5 $S1
is $(($(box_opens Passive) - passive)) 0 "other lift mark: none came to the proxy"
ok "the lift mark as it was" ns box sysctl -qw net.netfilter.mackeep_lift_mark=0x4d4b
is "$(ns box cat /proc/sys/net/netfilter/mackeep_lift_mark)" \
	"0x4d4b/0xffffffff" "a mark without mask means all bits"
ok "lift mark again: requests" ns c1 load get -o -n 5 $S1
is $(($(box_opens Passive) - passive)) 5 "lift mark again: all came to the proxy"
proxy_quiet

ns box iptables -t mangle -A PREROUTING -j MACKEEP
ns box iptables -t mangle -D PREROUTING -j MACKEEP
hooks_are box "$ALL" "one of two rules deleted: the hooks stay"
topo_box_rules_off
hooks_are box "" "the last rule deleted: the hooks are gone"
hooks_are c1 "$ALL" "the last rule deleted: not elsewhere"
is "$(mackeep_stat box pairs)" 0 "the last rule deleted: the pairs are gone"
ns c1 iptables -t mangle -F
hooks_are c1 "" "gone there as well, with the last rule"

proxy_down
topo_down
module_gone
done_testing
