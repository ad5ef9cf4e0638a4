#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The options of mackeep: what --help says, which is the table that is parsed,
# the manual page and the completion agree. The examples of README and page are
# accepted as they are.

# shellcheck disable=SC1091,SC2016,SC2046,SC2086,SC2154 # sourced; words
. "$(dirname "$0")/../lib/tap.sh" || exit 1
need mackeep man mandoc haproxy

top=$(cd "$(dirname "$0")/../.." && pwd)
page=/usr/share/man/man8/mackeep.8
[ -e $page ] || page=$top/tools/mackeep.8
completion=/usr/share/bash-completion/completions/mackeep
[ -e $completion ] || completion=$top/tools/mackeep.bash-completion

commands=$(mackeep --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
is "$(echo $commands | wc -w)" 8 "--help has eight commands"

# "COMMAND OPTION" lines
for command in $commands; do
	mackeep "$command" --help | sed -n 's/^  //p' | grep -oE -- '^(-[a-zA-Z0-9], )?  *--[a-z0-9-]+|^-[a-zA-Z0-9], --[a-z0-9-]+' |
		tr -s ' ,' '\n' | grep . | sed "s/^/$command /"
done | sort >"$TMP/help"
cmp_ok "$(grep -c . "$TMP/help")" -gt 60 "--help has options"

# --- completion ----------------------------------------------------------------------

complete_options() # WORD...
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_mackeep
	printf '%s\n' "${COMPREPLY[@]}"
}

# shellcheck source=/dev/null
. "$completion"
is "$(complete_options mackeep "" | grep -v '^-' | sort | tr '\n' ' ')" \
	"$(printf '%s\n' $commands | sort | tr '\n' ' ')" "completion has the commands"
for command in $commands; do
	complete_options mackeep "$command" - | sed "s/^/$command /"
done | sort >"$TMP/completion"
ok "completion has the options of --help" diff "$TMP/help" "$TMP/completion"
is "$(complete_options mackeep -n one pa)" pairs "completion has them after -n NETNS"
is "$(complete_options mackeep --netns one up --backend n)" nft "and what comes then"
is "$(complete_options mackeep up --backend i)" iptables "completion has values"
is "$(complete_options mackeep stat -o '')" json "and those of the command"

# --- the page -------------------------------------------------------------------------

MANWIDTH=80 man -l "$page" 2>"$TMP/warnings" | col -b >"$TMP/page"
is "$(cat "$TMP/warnings")" "" "man has nothing to say of the page"
is "$(mandoc -T lint -W warning "$page")" "" "nor has mandoc"
grep -oE -- '(^|[ ,])--?[a-zA-Z0-9][a-z0-9-]*' "$TMP/page" | tr -d ' ,' |
	sort -u >"$TMP/in-page"
cut -d ' ' -f 2 "$TMP/help" | sort -u >"$TMP/options"
is "$(comm -23 "$TMP/options" "$TMP/in-page")" "" "the page has each option"
is "$(sed -n '/^OPTIONS/,/^FILES/p' "$TMP/page" | grep -oE -- '(^ *|[ ,])--[a-z][a-z0-9-]*' |
	tr -d ' ,' | sort -u | comm -13 "$TMP/options" -)" "" "and none that is not there"
for command in $commands; do
	like "$(cat "$TMP/page")" "mackeep $command"$'\n' "the page has $command"
done

# Findings: those of the source are those of the page.
is "$(grep -oE 'found\((BROKEN|WRONG|DOUBTFUL), "[a-z0-9_-]+"' "$top"/tools/check*.c |
	cut -d '"' -f 2 | sort -u | tr '\n' ' ')" \
	"$(awk '/^\.SS/ { check = $3 == "check" } /^\.nf/ { on = check } /^\.fi/ { on = 0 }
		on && !/^\./ {
			gsub(/\\/, ""); $0 = substr($0, 1, 16); gsub(/ *$/, "")
			sub(/bridge-nf\[6\]/, "bridge-nf, bridge-nf6"); gsub(/, /, "\n"); print
		}' "$page" | sort -u | tr '\n' ' ')" \
	"the page has each finding"

# --- help and version ---------------------------------------------------------------------

is "$(mackeep --help | awk 'length > 80')$(for c in $commands; do mackeep "$c" --help; done | awk 'length > 80')" \
	"" "--help fits on 80 columns"
mackeep >"$TMP/out"
is $? 2 "no command: exit 2"
is "$(mackeep --version)" \
	"mackeep $(sed -n 's/^#define MACKEEP_VERSION[[:space:]]*"\(.*\)"/\1/p' "$top/include/linux/mackeep.h") (module not loaded)" \
	"--version is the header's"

# --- examples ----------------------------------------------------------------------------

# What up would do, for its words
dry() # WORD...
{
	unshare -n sh -c 'ip link add br0 type bridge && mackeep up --dry-run "$@"' sh "$@"
}

mkdir -p /etc/mackeep
ok "the example of /etc/mackeep/br0.conf" dry --config "$top/tools/br0.conf"

# README: three lines, of which the last starts the proxy
sed -n '/^## A whole example/,/^## /s/^    //p' "$top/README.md" >"$TMP/readme"
is "$(sed -n 1p "$TMP/readme")" "modprobe mackeep" "README begins with modprobe"
like "$(sed -n 2p "$TMP/readme")" "^mackeep up " "then up"
like "$(sed -n 3p "$TMP/readme")" "^haproxy .*haproxy.cfg$" "then the proxy"
is "$(sed -n '4,5p' "$TMP/readme" | head -c 7)" "listen " "and nothing else"
ok "README's up works" dry $(sed -n '2s/^mackeep up //p' "$TMP/readme")
sed -n '/^listen/,/server/p' "$TMP/readme" >"$TMP/haproxy.cfg"
printf 'defaults\n\ttimeout connect 5s\n\ttimeout client 5s\n\ttimeout server 5s\n' |
	cat - "$TMP/haproxy.cfg" >"$TMP/whole.cfg"
ok "README's haproxy.cfg is good" haproxy -c -f "$TMP/whole.cfg"
is "$(grep -o ':[0-9]* transparent' "$TMP/haproxy.cfg" | tr -dc 0-9)" \
	"$(sed -n '2s/.*--to //p' "$TMP/readme")" "and for the port that up is told"

# The page
sed -n '/^EXAMPLE/,/^SEE/p' "$TMP/page" | sed 's/^ *//' >"$TMP/example"
ok "the page's up works" dry $(sed -n 's/^mackeep up //p' "$TMP/example")
grep -E '^(bridge|tcp|to) ' "$TMP/example" >"$TMP/br0.conf"
is "$(dry --config "$TMP/br0.conf")" "$(dry $(sed -n 's/^mackeep up //p' "$TMP/example"))" \
	"and its file says the same"
ok "the page's flush is one" eval "grep -q '^mackeep flush -m ..:..:..:..:..:..\$' '$TMP/example'"
like "$(sed "s/\\\\//g" "$top/xtables-ext/xt_MACKEEP.8.in")" "nft add rule bridge .*iptables -t mangle .*ip rule add " \
	"the long way is in xt_MACKEEP(8)"

done_testing
