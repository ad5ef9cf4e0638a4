#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The iptables plugin against the kernel, in every variant of iptables, and its
# help. mackeep-docs.t has the manual page.
#
# Root in a guest, one namespace; no packet is sent.
#
# Its time is long: it runs on one kernel in turn.

cd "$(dirname "$(readlink -f "$0")")/../.." || exit
. tests/lib/tap.sh

export LC_ALL=C
NS=mk-xtables

in_ns() { nsenter --net=/run/netns/$NS -- "$@"; }

# Takes over the lines of another TAP producer, whose plan must hold.
adopt() # DESCRIPTION COMMAND...
{
	local what=$1 line lines=0 plan=none

	shift
	while IFS= read -r line; do
		case $line in
		'ok '*)
			pass "${line#ok * - }"
			lines=$((lines + 1))
			;;
		'not ok '*)
			fail "${line#not ok * - }"
			lines=$((lines + 1))
			;;
		1..*)
			plan=${line#1..}
			;;
		*)
			echo "$line"
			;;
		esac
	done < <("$@" 2>&1)
	is $lines "$plan" "$what: as many as planned"
}

# Where iptables has its plugins, and ours should be
stock=$(find /usr/lib* -path '*/xtables/libxt_TPROXY.so' -printf '%h' -quit)
[ -e "$stock/libxt_MACKEEP.so" ] ||
	export XTABLES_LIBDIR=${BUILD:-$PWD/build}:$stock

# --- the module, rules taken and refused -----------------------------------

must modprobe mackeep
must ip netns add $NS
defer eval "ip netns del $NS 2>/dev/null"

adopt "libxt_MACKEEP.t" tests/lib/xtables-run xtables-ext/libxt_MACKEEP.t

# The runner has to notice when what a line says is not so.
cat >"$TMP/libxt_MACKEEP.t" <<'END'
*mangle
:PREROUTING
-j MACKEEP --orig-mark 1;=;OK
-j MACKEEP;;FAIL;Invalid argument
-j MACKEEP --orig-mark x;;FAIL;never said
-j MACKEEP;=;maybe
:FORWARD
-j MACKEEP;=;OK
-j MACKEEP;;FAIL;Invalid argument;never logged
END
for variant in iptables-legacy ip6tables-nft; do
	got=$(XTABLES_RUN_PATIENCE=1 tests/lib/xtables-run \
	      "$TMP/libxt_MACKEEP.t" $variant 2>/dev/null)
	is $? 1 "$variant: wrong lines make the runner fail"
	is "$(sed -n 's/^not ok [0-9]* - //p' <<<"$got")" \
"$variant -t mangle -A PREROUTING -j MACKEEP, FAIL
$variant -t mangle -A PREROUTING -j MACKEEP --orig-mark x, FAIL
$variant -t mangle -A PREROUTING -j MACKEEP, maybe
$variant -t mangle -A FORWARD -j MACKEEP, OK
$variant -t mangle -A FORWARD -j MACKEEP, FAIL
$variant -t mangle: -A PREROUTING -j MACKEEP --orig-mark 1, as saved
$variant -t mangle: nothing more is there
$variant -t mangle: deleted by their saved forms" \
		"$variant: by each of the lines, and the rule left over"
done

# --- printing --------------------------------------------------------------

rule() { in_ns "$1" -t mangle -A PREROUTING -j MACKEEP "${@:2}"; }

for variant in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
	ok "$variant: a rule with both marks" \
		rule $variant --orig-mark 1/255 --reply-mark 2
	like "$(in_ns $variant -t mangle -n -L PREROUTING)" \
		"MACKEEP .* orig-mark 0x1/0xff reply-mark 0x2" \
		"$variant: -L shows them"
	ok "$variant: flush" in_ns $variant -t mangle -F
done

like "$(iptables-translate -t mangle -A PREROUTING -j MACKEEP --orig-mark 1)" \
	"^nft # -t mangle -A PREROUTING -j MACKEEP --orig-mark 1 *$" \
	"iptables-translate leaves a comment"

# --- how many marks --------------------------------------------------------

marks() # N
{
	local i

	echo '*mangle'
	for ((i = 1; i <= $1; i++)); do
		echo "-A PREROUTING -j MACKEEP --orig-mark $i"
	done
	echo COMMIT
}

for variant in iptables-legacy ip6tables-nft; do
	ok "$variant: 255 different marks" \
		in_ns $variant-restore < <(marks 255)
	got=$(rule $variant --orig-mark 256 2>&1)
	isnt $? 0 "$variant: one more is refused"
	like "$got" "No space left on device" "$variant: for want of room"
	ok "$variant: one of them again" rule $variant --orig-mark 255
	ok "$variant: none as well" rule $variant
	is "$(in_ns $variant-save -t mangle | grep -c MACKEEP)" 257 \
		"$variant: that many rules"
	ok "$variant: flush" in_ns $variant -t mangle -F
	ok "$variant: room again" rule $variant --orig-mark 256
	ok "$variant: flush" in_ns $variant -t mangle -F
done

# --- rules that no plugin makes --------------------------------------------

# What the kernel gives back of a rule with these six fields, each as 8 hex
# digits of a number; nothing when it refuses. The pointer of the kernel's own,
# behind the fields, is sent as rubbish and must come back as 0.
blob() # VARIANT ORIG_MARK ORIG_MASK REPLY_MARK REPLY_MASK FLAGS RESERVED
{
	local variant=$1 field hex=

	shift
	for field; do
		printf -v field %08x "$field"
		hex+=${field:6:2}${field:4:2}${field:2:2}${field:0:2}
	done
	sent="--blob ${hex}0000000000000000"
	(
		export XTABLES_LIBDIR=$TMP/blob:$stock
		in_ns "$variant" -t mangle -A PREROUTING -j MACKEEP \
			--blob "${hex}efbeaddeefbeadde" &&
			in_ns "$variant-save" -t mangle 2>/dev/null |
			grep -o -e '--blob.*' &&
			in_ns "$variant" -t mangle -F
	) 2>&1
}

refused() # WHAT FIELDS...
{
	local what=$1 variant got

	shift
	for variant in iptables-legacy ip6tables-nft; do
		got=$(blob $variant "$@")
		isnt $? 0 "$variant: $what is refused"
		like "$got" "Invalid argument" "$variant: by the kernel"
	done
}

number() { number=$((RANDOM << 17 ^ RANDOM << 15 ^ RANDOM)); }

# A mark and its mask, good ones and bad ones, at the end of $fields
add_mark()
{
	local mask

	number
	mask=$number
	number
	case $((RANDOM % 4)) in
	0) fields+=(0 0) ;;
	1) fields+=("$number" "$mask") ;;
	*) fields+=($((number & mask)) "$mask") ;;
	esac
}

# What the contract says, include/linux/netfilter/xt_MACKEEP.h
valid() # FIELDS
{
	[ $(($1 & ~$2 | $3 & ~$4 | $5 & ~0x7f | $6)) -eq 0 ] &&
		[ $(($5 & 0xc)) -ne $((0xc)) ] && [ $(($5 & 0x44)) -ne $((0x44)) ] &&
		[ $(($5 & 1 ? 0 : $2)) -eq 0 ] && [ $(($5 & 2 ? 0 : $4)) -eq 0 ]
}

# Counts in $taken and $not_taken what went as it should; prints what did not.
fuzz() # VARIANT TIMES
{
	local i fields

	RANDOM=4711
	taken=0
	not_taken=0
	for ((i = 0; i < $2; i++)); do
		fields=()
		add_mark
		add_mark
		number
		case $((RANDOM % 4)) in
		0) fields+=("$number" 0) ;;
		1) fields+=($((RANDOM % 128)) $((RANDOM % 2))) ;;
		*) fields+=($((!!fields[1] | !!fields[3] << 1 |
			       RANDOM % 32 << 2)) 0) ;;
		esac
		# An option with a mask of 0 is not the contract's concern.
		[ $((fields[4] & 1 && !fields[1] ||
		     fields[4] & 2 && !fields[3])) -eq 0 ] || continue

		blob "$1" "${fields[@]}" >"$TMP/got"
		if valid "${fields[@]}"; then
			taken=$((taken + 1))
			grep -qxF -e "$sent" "$TMP/got" && continue
		else
			not_taken=$((not_taken + 1))
			grep -q "Invalid argument" "$TMP/got" && continue
		fi
		printf '%#x ' "${fields[@]}"
		echo "sent as $sent:"
		cat "$TMP/got"
	done
}

if ! command -v cc >/dev/null; then
	skip "rules that no plugin makes: cc is not there"
else
	mkdir "$TMP/blob"
	must cc -shared -fPIC -Iinclude -o "$TMP/blob/libxt_MACKEEP.so" tests/tools/blob.c

	for variant in iptables-legacy ip6tables-nft; do
		blob $variant 0x12 0xff 0 0 1 0 >"$TMP/got"
		is "$(cat "$TMP/got")" "$sent" \
			"$variant: a sound rule, and no pointer, comes back"
	done
	refused "an unknown flag" 0 0 0 0 0x100 0
	refused "both halves of --keep" 0 0 0 0 0xc 0
	refused "--last-hop with --keep src" 0 0 0 0 0x44 0
	refused "the highest flag" 0 0 0 0 0x80000000 0
	refused "a reserved field" 0 0 0 0 0 1
	refused "an original mark outside its mask" 0x11 0xf0 0 0 1 0
	refused "a reply mark outside its mask" 0 0 1 0xf0 2 0
	refused "an original mark with its flag clear" 1 1 0 0 2 0
	refused "a reply mask with its flag clear" 0 0 0 1 1 0

	for variant in iptables-legacy ip6tables-nft; do
		fuzz $variant 12 >"$TMP/fuzz"
		is "$(cat "$TMP/fuzz")" "" "$variant: rules of random fields"
		cmp_ok $taken -ge 3 "$variant: some of them taken"
		cmp_ok $not_taken -ge 3 "$variant: some of them refused"
	done
fi

# --- help ------------------------------------------------------------------

options=$(sed -n 's/^\t{\.name = "\([a-z-]*\)".*/\1/p' xtables-ext/libxt_MACKEEP.c)
iptables-legacy -j MACKEEP -h >"$TMP/help4" 2>&1
ip6tables-nft -j MACKEEP -h >"$TMP/help6" 2>&1
for option in $options; do
	for file in "$TMP"/{help4,help6} xtables-ext/libxt_MACKEEP.t; do
		ok "--$option is in ${file##*/}" grep -qwF -e "--$option" "$file"
	done
done

# --- and away --------------------------------------------------------------

for variant in iptables-legacy ip6tables-legacy ip6tables-nft; do
	ok "$variant: a rule to leave behind" rule $variant --orig-mark 1
done
nok "rules hold the module" rmmod xt_MACKEEP
ok "the namespace goes with its rules" ip netns del $NS
ok "the module goes" busywait 60 rmmod xt_MACKEEP

done_testing
