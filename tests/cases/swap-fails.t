#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep reload when it cannot do what it should: it changes nothing, or what was
# begun is finished by the next one, or frames pass the bridge.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#                            ^ HAProxy and udp
#
# Control: swap.t, where the same flows break when the module is swapped by hand.
#
# Its time is long: it runs on one kernel in turn.
#
# Seen by others: a module in use is not unloaded by an upgrade, and the package
# is half configured then, ntop/PF_RING issue 170.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/swap.sh" || exit 1

swap_box
each_family flows_start
ko=$(modinfo -n $MODULE)
must cp "$ko" "$TMP/ko"
defer cp "$TMP/ko" "$ko"

# --- refused ----------------------------------------------------------------------------

refused() # TITLE MESSAGE COMMAND...
{
	local t=$1 message=$2 before

	shift 2
	before=$(load_number)
	rules_now >"$TMP/rules"
	nok "$t: refused" "$@"
	like "$(cat "$TMP/ok.out")" "$message" "$t: and it tells why"
	is "$(load_number)" "$before" "$t: the module stays"
	rules_now >"$TMP/rules-after"
	ok "$t: so do the rules" diff "$TMP/rules" "$TMP/rules-after"
	nothing_left "$t"
}

must ns c2 iptables -t mangle -A PREROUTING -j MACKEEP
refused "another namespace" "network namespace mk-c2: it uses the module" reload --force
must ns c2 iptables -t mangle -F
must ns c2 nft -f - <<-RULES
	table ip mk {
		ct helper keep { type "mackeep" protocol tcp; }
	}
RULES
refused "a helper elsewhere" "in use [0-9]+ times" reload --force
must ns c2 nft delete table ip mk

mkdir "$TMP/no-nft"
ln -s "$(command -v ip)" "$TMP/no-nft/"
refused "no nft" "nft: .*apt install nftables" \
	ns box env PATH="$TMP/no-nft" "$(command -v mackeep)" reload --force
must truncate -s 1000 "$ko"
refused "half a file" "no module that can be read" reload --force
must cp "$TMP/ko" "$ko"

# --- killed, and finished -----------------------------------------------------------------

conf=/etc/modprobe.d/mackeep-swap-test.conf
defer rm -f $conf
echo "install $MODULE echo \$\$ >$TMP/there; exec sleep 1000" >$conf
spawn killed ns box mackeep reload --force
must busywait 60 [ -s "$TMP/there" ]
kill -9 $spawned $(pgrep -P $spawned) "$(cat "$TMP/there")"
wait $spawned
rm $conf
nok "killed: the module is away" module_loaded
wire_both
ok "killed: the next reload ends it" reload
all_grow "killed"
wire_stop
wire_clean "killed"
nothing_left "killed"
all_end "killed"
ok "killed: new connections are proxied" proxied 5

# --- a module that cannot be loaded ---------------------------------------------------------

echo "install $MODULE false" >$conf
wire_both
nok "no module: reload fails" reload --force
like "$(cat "$TMP/ok.out")" "cannot be loaded: .*frames pass the bridge.*then: mackeep reload" \
	"no module: and tells what holds now"
ok "no module: new connections pass the bridge" ns c1 load get -o -n 3 $S1
wire_stop
wire_clean "no module"
rm $conf
ok "no module: reload when it is there again" reload
nothing_left "no module"
ok "no module: new connections are proxied" proxied 5
proxy_quiet

must ns box mackeep down br0
net_done
