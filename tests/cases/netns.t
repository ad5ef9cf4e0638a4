#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A namespace without a MACKEEP rule pays nothing: hooks come with the first
# rule and go with the last, in that namespace alone; knobs, counters and pairs
# are each namespace's own.
#
#  [ box: br0, -j MACKEEP ]      [ rt: no rule ]      [ c1: a rule for a while ]

. "$(dirname "$0")/../lib/net.sh" || exit 1

# Whether packets of a namespace meet MACKEEP's hooks: a probe counts the calls
# in the kernel while a datagram passes POST_ROUTING, or frames the bridge.
TRACING=/sys/kernel/tracing

probe_on()
{
	[ -e $TRACING/kprobe_events ] || mount -t tracefs tracefs $TRACING || return
	{
		echo "p:mackeep/output $MODULE:mackeep_fast4"
		echo "p:mackeep/lift $MODULE:mackeep_lift"
	} >$TRACING/kprobe_events || return
	defer probe_off
	echo 1 >$TRACING/events/mackeep/enable
}

probe_off()
{
	[ -e $TRACING/events/mackeep ] || return
	echo 0 >$TRACING/events/mackeep/enable
	echo >$TRACING/kprobe_events
}

probe_hits() # PROBE
{
	awk -v name=$1 '{ sub(/.*\//, "", $1) } $1 == name { print $2 }' \
		$TRACING/kprobe_profile
}

output_hooked() # NAMESPACE
{
	local before

	before=$(probe_hits output)
	ns $1 bash -c 'echo >/dev/udp/127.0.0.1/9'
	if [ "$(probe_hits output)" = "$before" ]; then
		echo no
	else
		echo yes
	fi
}

# Of the box's bridge, by an unproxied request through it
bridge_hooked()
{
	local before

	before=$(probe_hits lift)
	ns c1 load get $S1 80 >/dev/null || echo "no request passed"
	echo $(($(probe_hits lift) > before))
}

must topo_up
must servers_up
web_up srv 80
must proxy_up

# iptables-nft needs nft's compat module to ask which targets there are.
modprobe -q nft_compat
nok "no module: the target is refused" without_autoload \
	ns box iptables -t mangle -A PREROUTING -j MACKEEP
nok "no module: no knob" test -e /proc/sys/net/netfilter/mackeep_pair_max

module_needed
must rmmod $MODULE
ok "a rule loads the module" ns c2 iptables -t mangle -A PREROUTING -j MACKEEP
ok "it is loaded" module_loaded
ok "the rule goes" ns c2 iptables -t mangle -F
must probe_on
is "$(output_hooked box) $(output_hooked rt)" "no no" \
	"loaded: no hook at POST_ROUTING without a rule"
is "$(bridge_hooked)" 0 "loaded: nor on the bridge"

topo_box_marks
topo_box_rules -j MACKEEP
is "$(output_hooked box)" yes "a rule: its namespace has the hook at POST_ROUTING"
is "$(bridge_hooked)" 1 "a rule: and those on the bridge"
is "$(output_hooked rt) $(output_hooked c1)" "no no" \
	"a rule: other namespaces have none"
ns c1 iptables -t mangle -A OUTPUT -j MACKEEP
is "$(output_hooked c1)" yes "a rule in another namespace: a hook there as well"
is "$(output_hooked rt)" no "a rule in another namespace: none in the third"

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
	nok "$knob refuses $value" ns box sh -c "echo $value >/proc/sys/net/netfilter/$knob"
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
is "$(output_hooked box) $(bridge_hooked)" "yes 1" \
	"one of two rules deleted: the hooks stay"
topo_box_rules_off
is "$(output_hooked box) $(bridge_hooked)" "no 0" \
	"the last rule deleted: the hooks are gone"
is "$(output_hooked c1)" yes "the last rule deleted: not elsewhere"
is "$(mackeep_stat box pairs)" 0 "the last rule deleted: the pairs are gone"
ns c1 iptables -t mangle -F
is "$(output_hooked c1)" no "gone there as well, with the last rule"
probe_off

net_done
