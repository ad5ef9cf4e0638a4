#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is written agrees with what is there: the options of mackeep in --help,
# which is the table that is parsed, in mackeep(8) and in the completion; those of
# the iptables plugin in xt_MACKEEP(8), and the module's counters and sysctls. The
# examples of README and of both pages are accepted as they are.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/tap.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need make mackeep man mandoc haproxy nft ebtables

export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
NS=mk-docs
page=$TMP/mackeep.8
xt_page=$TMP/xt_MACKEEP.8
must cp "$top/tools/mackeep.8" "$page"
must make -s -C "$top" BUILD="$TMP" "$xt_page"
completion=/usr/share/bash-completion/completions/mackeep
[ -e $completion ] || completion=$top/tools/mackeep.bash-completion

commands=$(mackeep --help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
is "$(echo $commands | wc -w)" 16 "--help has all commands"

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
is "$(complete_options mackeep pairs -o '')" json "and those of the command"
is "$(complete_options mackeep stat -o p)" prometheus "of each command"

# --- the pages ------------------------------------------------------------------------

shown() # NAME; NAME.shown is what a reader sees, NAME.told that without examples
{
	MANWIDTH=80 man -E ascii --no-hyphenation -l "$TMP/$1" 2>"$TMP/warnings" |
		col -bx >"$TMP/$1.shown"
	sed '/^\.EX/,/^\.EE/d' "$TMP/$1" | MANWIDTH=80 man -E ascii --no-hyphenation -l - 2>/dev/null |
		col -bx >"$TMP/$1.told"
	is "$(cat "$TMP/warnings")" "" "$1: man has nothing to say of it"
	is "$(mandoc -T lint -W warning "$TMP/$1")" "" "$1: nor has mandoc"
}

section() # NAME SECTION [told]
{
	awk -v name="$2" '/^[A-Z]/ { on = $0 == name } on' "$TMP/$1.${3:-shown}"
}

# The options of a file are those of a section, both ways.
same_options() # NAME SECTION FILE
{
	section "$1" "$2" told | grep -oE -- '(^|[ ,|[])--?[a-zA-Z0-9][a-zA-Z0-9-]*' |
		tr -d ' ,|[' | sort -u >"$TMP/in-section"
	is "$(comm -23 "$3" "$TMP/in-section")" "" "$1: $2 has each option"
	is "$(grep -- -- "$TMP/in-section" | comm -13 "$3" -)" "" "$1: and none that is not there"
}

shown mackeep.8
cut -d ' ' -f 2 "$TMP/help" | sort -u >"$TMP/options"
same_options mackeep.8 OPTIONS "$TMP/options"
for command in $commands; do
	like "$(section mackeep.8 SYNOPSIS)" "mackeep ([a-z]*\|)?${command}[ |]" \
		"mackeep.8: SYNOPSIS has $command"
	like "$(section mackeep.8 COMMANDS)" "mackeep $command"$'\n' "mackeep.8: COMMANDS has it"
done

shown xt_MACKEEP.8
sed -n 's/^\t{\.name = "\([a-z-]*\)".*/--\1/p' "$top/xtables-ext/libxt_MACKEEP.c" |
	sort >"$TMP/xt-options"
is "$(grep -c . "$TMP/xt-options")" 7 "the plugin has options"
for part in SYNOPSIS DESCRIPTION; do
	same_options xt_MACKEEP.8 $part "$TMP/xt-options"
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

# What "mackeep up" would do with the options in one line of text
dry_line() # OPTIONS
{
	local words

	read -ra words <<<"$1"
	dry "${words[@]}"
}

dry() # OPTION...
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
ok "README's up works" dry_line "$(sed -n '2s/^mackeep up //p' "$TMP/readme")"
sed -n '/^listen/,/server/p' "$TMP/readme" >"$TMP/haproxy.cfg"
printf 'defaults\n\ttimeout connect 5s\n\ttimeout client 5s\n\ttimeout server 5s\n' |
	cat - "$TMP/haproxy.cfg" >"$TMP/whole.cfg"
ok "README's haproxy.cfg is good" haproxy -c -f "$TMP/whole.cfg"
is "$(grep -o ':[0-9]* transparent' "$TMP/haproxy.cfg" | tr -dc 0-9)" \
	"$(sed -n '2s/.*--to //p' "$TMP/readme")" "and for the port that up is told"

# mackeep(8)
section mackeep.8 EXAMPLE | sed 's/^ *//' >"$TMP/example"
sed -n 's/^mackeep up //p' "$TMP/example" >"$TMP/ups"
is "$(grep -c . "$TMP/ups")" 2 "mackeep.8: it has up with one proxy and with two"
ok "mackeep.8: the first works" dry_line "$(head -n 1 "$TMP/ups")"
sed -n '/^\.\\" .*br0\.conf/,/^\.EE/{/^\./!p}' "$page" >"$TMP/br0.conf"
is "$(dry --config "$TMP/br0.conf")" "$(dry_line "$(tail -n 1 "$TMP/ups")")" \
	"mackeep.8: and its file says the same"
sed -n '/^\.\\" exempt/,/^\.EE/{/^\./!p}' "$page" >"$TMP/exempt"
ok "mackeep.8: its exemptions are some" mackeep exempt load docs "$TMP/exempt"
is "$(mackeep exempt list docs 2>&1 | tail -n 1 | grep -o ': .*')" ": 3 exemptions have been shown." "three"
rm -f /etc/mackeep/docs.exempt
ok "mackeep.8: its flush is one" eval "grep -q '^mackeep flush -m ..:..:..:..:..:..\$' '$TMP/example'"

# mackeep-recipes(7): what its tests do is what a reader sees
must cp "$RECIPES" "$TMP/mackeep-recipes.7"
shown mackeep-recipes.7
sed 's/^ *//' "$TMP/mackeep-recipes.7.shown" | sort -u >"$TMP/seen"
sed -n 's/^\.\\" recipe \([^ ]*\) \(.*\)/\1 \2/p' "$RECIPES" >"$TMP/recipes"
cmp_ok "$(grep -c . "$TMP/recipes")" -ge 10 "mackeep-recipes.7: it has recipes"
while read -r name what; do
	recipe_text "$name" "$what" | expand | sed -E 's/^ *//; /^$/d' | sort -u |
		comm -13 "$TMP/seen" - | sed "s|^|$name $what: |"
done <"$TMP/recipes" >"$TMP/unseen"
is "$(cat "$TMP/unseen")" "" "mackeep-recipes.7: examples are seen as they are run"
while read -r name; do
	ok "mackeep-recipes.7: a test runs $name" \
		grep -qE "recipe(_begin|_files)? $name( |\$)" "$top"/tests/cases/recipes-*.t
	! grep -q "^$name file /etc/mackeep/br0.conf" "$TMP/recipes" || {
		recipe_text "$name" "file /etc/mackeep/br0.conf" >"$TMP/br0.conf"
		ok "mackeep-recipes.7: up takes the file of $name" dry --config "$TMP/br0.conf"
	}
done < <(cut -d ' ' -f 1 "$TMP/recipes" | sort -u)

must cp "$top/tools/mackeep-macs.7" "$TMP"
shown mackeep-macs.7

# --- the module ------------------------------------------------------------------------

in_ns() { nsenter --net=/run/netns/$NS -- "$@"; }

must modprobe mackeep
must ip netns add $NS
defer eval "ip netns del $NS 2>/dev/null"

is "$(sed -n '/^\.TS/,/^\.TE/s/^\([a-z_]*\);.*/\1/p' "$xt_page" | xargs)" \
	"$(head -n 1 /proc/net/stat/mackeep | xargs)" \
	"xt_MACKEEP.8: it has each counter, in order"

sysctls=$(cd /proc/sys/net/netfilter && ls -d mackeep_*)
is "$(sed -n 's/.*net\.netfilter\.\(mackeep_[a-z_]*\).*/\1/p' "$xt_page" | sort)" \
	"$sysctls" "xt_MACKEEP.8: it has each sysctl"
parameters=$(ls /sys/module/xt_MACKEEP/parameters)
is "$parameters" "$(grep -Ev "hooks|steer|feed|lift_vlan" <<<"${sysctls//mackeep_/}")" \
	"each but mackeep_hooks, _steer, _feed_neigh and _lift_vlan is a module parameter"
for parameter in $parameters; do
	like "$(section xt_MACKEEP.8 SYNOPSIS)" "\[$parameter=" \
		"xt_MACKEEP.8: SYNOPSIS has parameter $parameter"
done

section xt_MACKEEP.8 SYSCTLS | xargs -d '\n' | tr -s ' ' >"$TMP/flat"
for sysctl in $sysctls; do
	value=$(in_ns cat "/proc/sys/net/netfilter/$sysctl")
	# That shows what the default comes to.
	[ $sysctl != mackeep_pair_max ] || value=$(cat /sys/module/xt_MACKEEP/parameters/pair_max)
	like "$(cat "$TMP/flat")" "$sysctl .*default is ${value%%/*}[ .]" \
		"xt_MACKEEP.8: it has the default of $sysctl"
done

sed -n '/^\.\\" commands/,/^\.EE/{/^\./!p}' "$xt_page" |
	sed -e 's/\\e$/\\/' -e 's/\\-/-/g' >"$TMP/example"
for port in port0 port1; do
	must in_ns ip link add $port type veth peer name far-$port
done
must in_ns ip link set lo up
ok "xt_MACKEEP.8: its example works" in_ns bash -eux "$TMP/example"
is "$(in_ns iptables -t mangle -S | grep -w MACKEEP)" \
	"-A PREROUTING -i br0 -p tcp -j MACKEEP" "xt_MACKEEP.8: it makes a rule"

must ip netns del $NS
ok "the module goes" busywait 60 rmmod xt_MACKEEP
done_testing
