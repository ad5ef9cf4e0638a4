#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep up is killed before or after a step of each kind, or one of its commands
# fails, or it runs again with other options: down leaves all as it was before the
# first up.
#
#  [ box: br0 with an odd rp_filter and group_fwd_mask ]
#
# Control: what was killed left something.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/updown.sh" || exit 1
need mackeep

updown_box
ok "up" up $UP
snapshot >"$TMP/up"
ok "down" down
is_as bare "down leaves what was there before"

# --- a crash -------------------------------------------------------------------------

# Stands in for ip, nft and sysctl. It runs them, but kills its caller at a command
# like $KILL: before that, or after it when $AFTER is set.
mkdir "$TMP/fake"
cat >"$TMP/fake/ip" <<-'SH'
	#!/bin/sh
	PATH=${PATH#*:}
	case "${0##*/} $*" in
	$KILL)
		[ -z "$AFTER" ] || "${0##*/}" "$@"
		kill -9 $PPID
		exit
	esac
	exec "${0##*/}" "$@"
SH
chmod +x "$TMP/fake/ip"
ln -s ip "$TMP/fake/nft"
ln -s ip "$TMP/fake/sysctl"

crash() # KILL [AFTER]
{
	KILL=$1 AFTER=${2-} PATH=$TMP/fake:$PATH up $UP
}

while read -r after kill; do
	[ "$after" = after ] || after=
	what="killed ${after:-before} $kill"
	nok "$what" crash "$kill" $after
	snapshot >"$TMP/now"
	nok "$what: something is left" cmp -s "$TMP/bare" "$TMP/now"
	ok "$what: down" down
	is_as bare "$what: nothing is left"
done <<-'CASES'
	after ip link set*group_fwd_mask*
	before ip -6 rule add*
CASES
nok "killed after the first table of nft" crash "nft -f*" after
ok "up after that" up $UP
is_as up "all is there"

# With other options
ok "up with other options" up -4 --bridge br0 --tcp 443 --to $PROXY_PORT
unlike "$(snapshot)" "8000-8010|table ip6 mackeep_br0" "what they do not need is gone"
# down that is killed
KILL="ip*rule del*" AFTER='' PATH=$TMP/fake:$PATH down
ok "down again after one that was killed" down
is_as bare "and nothing is left"
is "$(ls /run/mackeep)" lock "no state either"

# --- a command that fails ---------------------------------------------------------------

rm "$TMP/fake/nft"
cat >"$TMP/fake/nft" <<-'SH'
	#!/bin/sh
	echo "no nft today" >&2
	exit 1
SH
chmod +x "$TMP/fake/nft"
said=$(crash none 2>&1)
like "$? $said" "^1 .*nft -f -.*no nft today.*bridge br0: it is not up, and as it was before; mend" \
	"a command that fails is told, with what it said"
is_as bare "and what was up is undone"
is "$(ls /run/mackeep)" lock "and no state is left"

net_done
