#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What an earlier load of the module knew is put back by generic netlink: pairs and
# records as they were, and nothing that is malformed, too old or one too many.
# What is known by now stays.
#
#  [ box: br0, -j MACKEEP ]  <--- PAIR_NEW, RECORD_NEW --- restore
#
# Control: conntrack itself cannot give a record to an entry that exists.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/record.sh" || exit 1
tools restore
need mackeep

must topo_up
must modprobe nf_conntrack_netlink
module_needed
br0=$(ip -n mk-box -o link show br0 | cut -d : -f 1)
lo=1

put() # LINES on stdin
{
	ns box restore
}

one() # LINE
{
	ns box restore <<<"$1"
}

C=c000021f S=cb007149                   # c1 and srv
PAIR="pair family=2 client=$C server=$S src=0200000000c1 dst=0200000000f1 ifindex=$br0"
ANY="pair family=2 client=$C src=0200000000c1 ifindex=$br0"
RECORD="record family=2 proto=17 client=$C server=$S port=443"

like "$(one "$PAIR age=0")" "^100 there is no MACKEEP rule" "no rule: no pair"
like "$(one "$RECORD cport=1000 info=$(record)")" "^100 there is no MACKEEP rule" "nor a record"

topo_box_rules -j MACKEEP

# --- pairs ------------------------------------------------------------------------

pair_lines()
{
	ns box mackeep pairs 2>/dev/null | sort
}

is "$(put <<-LINES | tr '\n' ' '
	$PAIR age=100000 proven zone=7
	$PAIR age=200000 vlan=0x7005 vlan-proto=0x88a8
	$ANY age=1000 proven
	pair family=10 client=20010db8000100000000000000000031 server=20010db8000200000000000000000073 src=0200000000c1 dst=0200000000f1 ifindex=$br0 age=0
LINES
)" "OK OK OK OK " "pairs are taken"
lines=$(pair_lines)
is "$(wc -l <<<"$lines")" 4 "there are four"
like "$lines" "client=$C1 server=any smac=$MAC_C1 dev=br0 age=[1-9][.0-9]* proven" "for any server"
like "$lines" "client=$C1 server=$S1 smac=$MAC_C1 dmac=$MAC_R dev=br0 zone=7 age=1[0-9][0-9][.][0-9] proven" \
	"of a zone, with its age"
like "$lines" "dmac=$MAC_R dev=br0 vlan=5 tag=802.1ad pcp=3 dei=1 age=2[0-9][0-9][.][0-9] fresh" "of a VLAN, fresh"
like "$lines" "client=2001:db8:1::31 server=2001:db8:2::73" "and of IPv6"

bad() # WHAT MESSAGE LINE
{
	like "$(one "$3")" "^$2" "$1"
}

bad "one that is there" "17 there is a pair" "$PAIR age=0 zone=7"
bad "one that is too old" "62 the pair is older" "$PAIR age=301000 zone=8"
bad "of no age" "22 an attribute is missing" "$PAIR zone=8"
bad "of no client" "22 an attribute is missing" "pair family=2 src=0200000000c1 ifindex=$br0 age=0"
bad "of no family" "22 an attribute is missing" "pair client=$C src=0200000000c1 ifindex=$br0 age=0"
bad "of another family" "22 family is neither" "pair family=1 client=$C src=0200000000c1 ifindex=$br0 age=0"
bad "an address of another family" "22 address is not" "pair family=10 client=$C src=0200000000c1 ifindex=$br0 age=0"
bad "an address of 0" "22 address is all zero" "pair family=2 client=00000000 src=0200000000c1 ifindex=$br0 age=0"
bad "an address that is too short" "(22|34)" "pair family=2 client=c00002 src=0200000000c1 ifindex=$br0 age=0"
bad "a server without MAC" "22 a server without" "$ANY age=0 server=$S"
bad "a MAC without server" "22 a server without" "$ANY age=0 dst=0200000000f1"
bad "a multicast MAC" "22 MAC address is not unicast" "pair family=2 client=$S src=0100000000c1 ifindex=$br0 age=0"
bad "a MAC of 0" "22 MAC address is not unicast" "pair family=2 client=$S src=000000000000 ifindex=$br0 age=0"
bad "a MAC of 5 bytes" "(22|34)" "pair family=2 client=$S src=0200000000 ifindex=$br0 age=0"
bad "no such device" "19 ifindex names no" "pair family=2 client=$S src=0200000000c1 ifindex=9999 age=0"
bad "a device without Ethernet" "19 ifindex names no" "pair family=2 client=$S src=0200000000c1 ifindex=$lo age=0"
bad "device 0" "34" "pair family=2 client=$S src=0200000000c1 ifindex=0 age=0"
bad "VLAN 4095" "22 VLAN or its" "$PAIR age=0 zone=9 vlan=4095"
bad "a tag of VLAN 4095" "22 VLAN or its" "$PAIR age=0 zone=9 vlan=0xffff vlan-proto=0x8100"
bad "a tag of VLAN 0" "22 VLAN or its" "$PAIR age=0 zone=9 vlan=0x6000 vlan-proto=0x8100"
bad "a tag of another kind" "22 VLAN or its" "$PAIR age=0 zone=9 vlan=5 vlan-proto=0x9100"
bad "an attribute of something else" "22" "$PAIR age=0 zone=9 mark=1"
is "$(pair_lines | wc -l)" 4 "none of them is there"

topo_sysctl box net.netfilter.mackeep_pair_max=4
bad "one too many" "28 there are as many pairs" "$PAIR age=0 zone=10"
is "$(pair_lines | wc -l) $(mackeep_stat box pair_evicted)" "4 0" "and none went for it"
topo_sysctl box net.netfilter.mackeep_pair_max=65536

# As the list is by age, the oldest ones expire first, whenever they came.
topo_sysctl box net.netfilter.mackeep_pair_timeout=150
bad "under a shorter timeout" "62 the pair is older" "$PAIR age=160000 zone=11"
topo_sysctl box net.netfilter.mackeep_pair_timeout=300

# --- records ----------------------------------------------------------------------

# Entries that had a record of an earlier load, and one that never had room
good=$(record ifindex=$br0 via=1)
is "$(ctnl <<-LINES | tr '\n' ' '
	create udp $C1 $S1 1000 443 $good
	create udp $C1 $S1 1001 443 $good
	create udp $C1 $S1 1002 443 none
LINES
)" "OK OK OK " "there are entries"
topo_box_rules_off
ok "the module goes" busywait 20 rmmod $MODULE
must ns box conntrack -I -p udp -s $C1 -d $S1 --sport 1003 --dport 443 -t 300
must modprobe $MODULE
topo_box_rules -j MACKEEP
is "$(ns box mackeep list 2>/dev/null | grep -c smac=)" 0 "and their MACs with it"
unlike "$(ctnl <<<"update udp $C1 $S1 1000 443 $good")" "^OK" "conntrack does not put them back"

is "$(put <<-LINES | tr '\n' ' '
	$RECORD cport=1000 info=$good
	$RECORD cport=1001 info=$(record ifindex=$br0 via=2 flags=7)
LINES
)" "OK OK " "records are taken"
is "$(shown 1000)" "2 3 1 0 0 br0 $MAC_C1 $MAC_R" "one reads back as it was"
is "$(shown 1001)" "2 7 2 0 0 br0 $MAC_C1 $MAC_R" "another as well"
is "$(mackeep_stat box restored)" 2 "they are counted"

bad "a flow that has one" "17 the flow has a record" "$RECORD cport=1000 info=$(record dst=0200000000f2 ifindex=$br0)"
is "$(shown 1000)" "2 3 1 0 0 br0 $MAC_C1 $MAC_R" "which stays"
bad "a flow without room" "62 the flow's entry has no room" "$RECORD cport=1003 info=$good"
bad "no such flow" "2 conntrack has no such entry" "$RECORD cport=1009 info=$good"
bad "the other direction" "2 conntrack has no such entry" \
	"record family=2 proto=17 client=$S cport=443 server=$C port=1000 info=$good"
bad "another zone" "2 conntrack has no such entry" "$RECORD cport=1002 zone=3 info=$good"
bad "no ports" "22 an attribute is missing" "record family=2 proto=17 client=$C server=$S info=$good"
bad "neither TCP nor UDP" "22 protocol is neither" "record family=2 proto=1 client=$C cport=1002 server=$S port=443 info=$good"
bad "a record that is short" "22 length is not that of" "$RECORD cport=1002 info=${good:2}"
bad "one that is long" "(22|34)" "$RECORD cport=1002 info=${good}00"
bad "of another version" "93 unknown version" "$RECORD cport=1002 info=$(record version=3)"
bad "a MAC that is none" "99 a MAC address that is not unicast" "$RECORD cport=1002 info=$(record src=010000000001)"
bad "of no device" "19 ifindex names no" "$RECORD cport=1002 info=$(record ifindex=9999)"
is "$(shown 1002)" "-" "none of these is there"
is "$(mackeep_stat box restored)" 2 "nor counted"

# --- who may ------------------------------------------------------------------------

like "$(ns box setpriv --bounding-set -net_admin --inh-caps -net_admin restore <<<"$PAIR age=0 zone=12")" \
	"^1( |$)" "without CAP_NET_ADMIN nobody"

topo_box_rules_off
net_done
