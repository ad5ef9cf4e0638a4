#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# When the packages swap the module: if the user wants it, another version is
# installed than loaded, and both packages are of one version, whichever comes
# last. Else they say what to do.
#
# dpkg, DKMS and modinfo are told what to say; the module is loaded.
#
# Seen by others: what needs the new module starts before DKMS has built it,
# ntop/PF_RING issue 529.

. "$(dirname "$0")/../lib/net.sh" || exit 1

top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir "$TMP/bin2"
PATH=$TMP/bin2:$PATH

stub() # NAME COMMAND
{
	printf '#!/bin/sh\n%s\n' "$2" >"$TMP/bin2/$1"
	chmod +x "$TMP/bin2/$1"
}

# Each package's version and state are in a file.
# shellcheck disable=SC2016 # for the stub
stub dpkg-query 'for name; do :; done; case $* in
*Status*) cat '"$TMP"'/state-$name ;; *) cut -d " " -f 1 '"$TMP"'/state-$name ;; esac'
stub modinfo "cat $TMP/installed"
stub dkms "echo installed"
stub dpkg "echo amd64"
stub dpkg-trigger "echo triggered \$2"
stub mackeep "echo \"ran \$*\"; exit \$(cat $TMP/exit)"

state() # OURS DKMS
{
	echo "$1" >"$TMP/state-mackeep"
	echo "$2" >"$TMP/state-mackeep-dkms"
}

wants() # yes|no
{
	echo "RELOAD=$1" >/etc/default/mackeep
}

ours()
{
	sh "$top/debian/mackeep.postinst" "$@" 2>&1
}

theirs()
{
	sh "$top/debian/mackeep-dkms.postinst" "$@" 2>&1
}

[ ! -e /etc/default/mackeep ] || skip_all "the package is installed here"
defer rm -f /etc/default/mackeep
module_needed
loaded=$(cat /sys/module/$MODULE/srcversion)
echo 0 >"$TMP/exit"
echo 0000 >"$TMP/installed"

wants no
state "2 installed" "2 installed"
is "$(ours configure 1)" "" "RELOAD=no: it does nothing"
like "$(theirs configure 1)" "stays at work.*run: mackeep reload" "and mackeep-dkms says what to do"

wants yes
is "$(theirs configure 1)" "triggered mackeep-reload" "RELOAD=yes: mackeep-dkms calls the other"
is "$(ours triggered mackeep-reload)" "ran reload" "which swaps the module"
state "2 half-configured" "2 installed"
is "$(ours configure 1)" "ran reload" "so it does when it comes last"
state "2 half-configured" "2 unpacked"
is "$(ours configure 1)" "" "but not when it comes first"
state "1 installed" "2 installed"
is "$(ours triggered mackeep-reload)" "" "nor when one of them is older"
state "2 installed" "2 installed"
is "$(ours abort-upgrade 1)" "" "nor when an upgrade fails"
echo "$loaded" >"$TMP/installed"
is "$(ours configure 1)" "" "nor when it is the same module"
is "$(theirs configure 1)" "" "of which mackeep-dkms says nothing"
: >"$TMP/installed"
is "$(ours configure 1)" "" "nor when none is built"

echo 0000 >"$TMP/installed"
echo 1 >"$TMP/exit"
like "$(ours configure 1)" "ran reload.*was not swapped.*mackeep reload" "a swap that fails is told"
ok "and the package is configured" ours configure 1

rm /etc/default/mackeep
is "$(ours configure 1)" "" "without the file it does nothing"

module_gone
done_testing
