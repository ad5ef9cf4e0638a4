#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep policy shows and changes the default policy of a namespace, the kernel
# refuses what is malformed, and up sets it for nft and puts it back.
#
#  [ box: br0 with port0, br1 with port9 ]
#
# It is about the tool: it runs on one kernel in turn.
#
# Seen by others: a service that sets a value for all leaves it behind, or takes
# away what the admin had set, perfsonar/project issue 657.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
need mackeep python3
tools restore

NONE="keep=both refresh=last next-hop=learned last-hop=no strict=no orig-mark=any reply-mark=any"

policy() # [ARG...]
{
	ns box mackeep policy "$@" 2>&1
}

refused() # REGEX COMMAND...
{
	local regex=$1 said

	shift
	said=$("$@" 2>&1)
	like "$? $said" "^$regex" "refused: $*"
}

# A key of the options in br0's state
config() # KEY
{
	python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["config"].get(sys.argv[2], "none"))' /run/mackeep/br0*.json $1
}

like "$(mackeep policy 2>&1)" "module: it is not loaded; run: modprobe mackeep" "no module: it says so"
updown_box
must topo_ip box <<-LINES
	link add br1 type bridge
	link add port9 type dummy
	link set port9 master br1
	link set port9 up
	link set br1 up
LINES
must busywait 10 eval 'ns box ip -br link show br1 | has "^br1 *UP "'
snapshot >"$TMP/bare"

# --- show, set, reset ---------------------------------------------------------------

is "$(policy)" "$NONE" "at first it has no options"
is "$(policy -o json)" '{"strict":false,"last_hop":false,"keep":"both","refresh":"last"}' "in JSON"
is "$(policy reset)" "" "nothing is to be reset"
like "$(policy set --keep dst --refresh first --last-hop --strict --orig-mark 0x10/0xf0 --reply-mark 7)" \
	"mackeep_hooks is 0: no flow is under this policy; set it to 1" "set, and no flow is under it"
ns box sysctl -qw net.netfilter.mackeep_hooks=1
ALL="keep=dst refresh=first next-hop=learned last-hop=yes strict=yes orig-mark=0x10/0xf0 reply-mark=0x7/0xffffffff"
is "$(policy show)" "$ALL" "all of it is shown"
is "$(policy -o json)" '{"strict":true,"last_hop":true,"keep":"dst","refresh":"first","orig_mark":"0x10/0xf0","reply_mark":"0x7/0xffffffff"}' \
	"in JSON"
ok "set again" policy set --keep src
is "$(policy)" "${NONE/both/src}" "set replaces all of it"

refused "2 .*--keep \"all\": it is not both, src or dst" policy set --keep all
refused "2 .*--refresh \"never\": it is not last or first" policy set --refresh never
refused "2 .*--next-hop \"gateway\": it is not learned or route" policy set --next-hop gateway
refused "2 .*--orig-mark \"0/0\": mask 0 compares no bit, every packet would match; leave the option out" \
	policy set --orig-mark 0/0
refused "2 .*--reply-mark \"3/1\": the value has bits outside the mask .*; give 0x1/0x1 or 0x3/0x3" \
	policy set --reply-mark 3/1
refused "2 .*--orig-mark \"-1\": it is not a number from 0 to 4294967295" policy set --orig-mark -1
refused "2 .*--orig-mark \"0x100000000\": it is not a number" policy set --orig-mark 0x100000000
refused "2 .*--last-hop: .* --keep src .*; leave one of the two out" policy set --last-hop --keep src
refused "2 .*policy set: nothing is to be set; give" policy set
refused "2 .*policy reset: it takes no options" policy reset --strict
refused "2 .*policy frob: it is show, set or reset" policy frob
refused "2 .*strict: an argument too many" policy set --strict strict

unprivileged()
{
	ns box setpriv --reuid 65534 --regid 65534 --clear-groups \
		--bounding-set -all -- mackeep policy "$@"
}

refused "1 .*permission denied; run it as root" unprivileged
refused "1 .*permission denied; run it as root" unprivileged set --strict

# --- malformed ----------------------------------------------------------------------

one() # LINE
{
	ns box restore <<<"$1"
}

like "$(one "set keep=3")" "^34 " "no such addresses to keep"
like "$(one "set refresh=2")" "^34 " "no such refresh"
like "$(one "set next-hop=2")" "^34 " "no such next hop"
like "$(one "set orig=1")" "^22 a mark without its mask" "a mark alone"
like "$(one "set reply-mask=1")" "^22 .*a mask without its mark" "a mask alone"
like "$(one "set orig=0 orig-mask=0")" "^22 mask 0 compares no bit" "a mask of 0"
like "$(one "set reply=3 reply-mask=1")" "^22 .*bits outside its mask" "a mark that never matches"
like "$(one "set keep=1 last-hop")" "^22 --last-hop and --keep src want another destination" "options that do not go together"
like "$(one "set short=01 orig-mask=1")" "^(22|34) " "a mark of one byte"
like "$(one "set strict zone=1")" "^22 " "an attribute that is of something else"
is "$(policy)" "${NONE/both/src}" "nothing of that has changed it"
is "$(one "set keep=0 refresh=0")" "OK" "all as at first"
is "$(policy)" "$NONE" "is no policy"

# --- no room ------------------------------------------------------------------------

others()
{
	local i

	echo '*mangle'
	for ((i = 1; i <= 255; i++)); do
		echo "-A OUTPUT -p udp --dport 9 -j MACKEEP --reply-mark $i"
	done
	echo COMMIT
}

must ns box iptables-legacy-restore -n < <(others)
refused "1 .*No space left on device: there are as many rules with different options" policy set --strict
is "$(policy)" "$NONE" "no room: it is as before"
ok "no room: what a rule has is there" policy set --reply-mark 255
must ns box sysctl -qw net.netfilter.mackeep_hooks=0
policy set --strict >/dev/null
nok "no room: mackeep_hooks cannot be 1" ns box sh -c "echo 1 >/proc/sys/net/netfilter/mackeep_hooks"
is "$(ns box cat /proc/sys/net/netfilter/mackeep_hooks)" 0 "and is 0"
must ns box iptables-legacy -t mangle -F
ok "room again" ns box sysctl -qw net.netfilter.mackeep_hooks=1
must ns box sysctl -qw net.netfilter.mackeep_hooks=0
policy reset >/dev/null

# --- up -----------------------------------------------------------------------------

each() # LINE OPTION...
{
	local line=$1

	shift
	ok "up $*" up $UP "$@"
	is "$(policy)" "$line" "$*: it is set"
}

each "$NONE"
each "keep=src refresh=first next-hop=learned last-hop=no strict=no orig-mark=any reply-mark=any" --keep src --refresh first
each "keep=both refresh=last next-hop=learned last-hop=yes strict=no orig-mark=0x10/0xf0 reply-mark=any" --last-hop --orig-mark 0x10/0xf0
each "keep=both refresh=last next-hop=learned last-hop=no strict=yes orig-mark=any reply-mark=0x7/0xffffffff" --strict --reply-mark 7
each "keep=both refresh=last next-hop=route last-hop=no strict=no orig-mark=any reply-mark=any" --next-hop route
each "$ALL" --keep dst --refresh first --last-hop --strict --orig-mark 0x10/0xf0 --reply-mark 7
is "$(up $UP --keep dst --refresh first --last-hop --strict --orig-mark 0x10/0xf0 --reply-mark 7 --dry-run)" "" \
	"nothing is left to do"
is "$(config keep) $(config strict) $(config orig_mark)" "dst True 0x10/0xf0" "the state says so"
policy reset >/dev/null
ok "what went missing" up $UP --keep dst --refresh first --last-hop --strict --orig-mark 0x10/0xf0 --reply-mark 7
is "$(policy)" "$ALL" "is set again"
each "$NONE"
is "$(config keep) $(config refresh) $(config orig_mark)" "none none none" "without options the state has none, as of older versions"
ok "down" down
is_as bare "down leaves what was there before"
refused "2 .*--last-hop: .* --keep src" up $UP --keep src --last-hop
refused "2 .*--orig-mark \"1/0\": mask 0" up $UP --orig-mark 1/0

policy set --refresh first >/dev/null
ok "up over an admin's own" up $UP --strict
is "$(policy)" "${NONE/strict=no/strict=yes}" "its options count"
ok "down" down
like "$(policy)" "^${NONE/last /first }"$'\n' "the admin's are back"
ok "up without options" up $UP
is "$(policy)" "${NONE/last /first }" "leaves them alone"
ok "down" down
policy reset >/dev/null

# --- iptables -----------------------------------------------------------------------

ok "up by iptables" up $UP --backend iptables --keep dst --refresh first --last-hop --strict --orig-mark 0x10/0xf0 --reply-mark 7
is "$(ns box iptables -t mangle -S mackeep_br0 | grep -c -- "-j MACKEEP --orig-mark 0x10/0xf0 --reply-mark 0x7 --keep dst --refresh first --last-hop --strict")" \
	2 "its rules have them all"
is "$(policy)" "$NONE" "and the default policy has none"
ok "down" down

# --- two bridges --------------------------------------------------------------------

other() # OPTION...
{
	ns box mackeep up --bridge br1 --tcp 443,8000-8010 --udp 443 --to $PROXY_PORT --settle 0 "$@"
}

ok "up with --strict" up $UP --strict
snapshot >"$TMP/one"
refused "1 .*bridge br1: bridge br0 is up with other options, .* \(br1: .*strict=no .*; br0: .*strict=yes" other
refused "1 .*bridge br1: bridge br0 is up with other options" other --strict --keep dst --dry-run
is_as one "nothing is changed"
ok "the same options" other --strict
refused "1 .*bridge br0: bridge br1 is up with other options" up $UP
is "$(policy)" "${NONE/strict=no/strict=yes}" "nor can the first have others now"
ok "the first goes" down
is "$(policy)" "${NONE/strict=no/strict=yes}" "the policy stays for the other"
ok "other options by iptables" up $UP --keep dst --backend iptables
ok "down" down
ok "the other goes" ns box mackeep down br1
is "$(policy)" "$NONE" "with the last one it is as it was"

net_done
