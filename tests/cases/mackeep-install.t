#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make install puts the tool, its page, its completion and its units where they
# are looked for, and make uninstall takes all of it away.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/tap.sh" || exit 1
need make pkg-config man

top=$(cd "$(dirname "$0")/../.." && pwd)
root=$TMP/root
build=${BUILD:-$top/build}
KVER=${KVER:-$(uname -r)}

# Installs what is built already: in a guest the sources are read-only.
run_make() # TARGET [VARIABLE...]
{
	make -s -C "$top" -o all "$@" BUILD="$build" KVER="$KVER" DESTDIR="$root"
}

files()
{
	(cd "$root" 2>/dev/null && find . -type f -o -type l | sort)
}

[ -e "$build/$KVER/kmod/xt_MACKEEP.ko" ] || skip_all "nothing is built for $KVER"

ok "make install" run_make install
for file in sbin/mackeep share/man/man8/mackeep.8 share/man/man8/xt_MACKEEP.8 \
	share/man/man7/mackeep-macs.7 share/man/man7/mackeep-recipes.7 \
	share/bash-completion/completions/mackeep lib/systemd/system/mackeep@.service \
	lib/systemd/system/mackeep-repair@.service \
	lib/systemd/system/mackeep-link@.service lib/systemd/system/mackeep-hooks.service \
	include/linux/mackeep.h include/linux/netfilter/xt_MACKEEP.h; do
	ok "it installs $file" test -s "$root/usr/$file"
done
ok "the module" test -s "$root/lib/modules/$KVER/updates/xt_MACKEEP.ko"
ok "the end of modprobe -r" test -s "$root/usr/lib/modprobe.d/mackeep.conf"
ok "a place for hooks" test -d "$root/etc/mackeep/hooks.d"
is "$(ls "$root/etc/mackeep/hooks.d")" "" "which is empty, or the unit would run for nothing"
ok "an example for br0" test -s "$root/etc/mackeep/br0.conf"

like "$("$root/usr/sbin/mackeep" --version)" "^mackeep [0-9]" "the tool runs"
is "$(man -M "$root/usr/share/man" -w 8 mackeep)" "$root/usr/share/man/man8/mackeep.8" \
	"man finds its page"
like "$(bash --norc -c '. "$1" && complete -p mackeep' - \
	"$root/usr/share/bash-completion/completions/mackeep")" "complete -F .* mackeep" \
	"the completion is for it"

# The units
started()
{
	sed -n 's/^Exec[A-Za-z]*=\([^ ]*\) .*/\1/p' \
		"$root/$1"/lib/systemd/system/mackeep*.service | sort -u
}

is "$(started usr)" /usr/sbin/mackeep "the units start the tool"
ruled()
{
	sed -n 's/.*PROGRAM="\([^ ]*\) silence --udev .*/\1/p' \
		"$root/$1/lib/udev/rules.d/90-mackeep.rules"
}

is "$(ruled usr)" /usr/sbin/mackeep "and so does the udev rule"
if command -v udevadm >/dev/null && udevadm verify --help >/dev/null 2>&1; then
	ok "udev has nothing to say of it" udevadm verify --resolve-names=never \
		"$root/usr/lib/udev/rules.d/90-mackeep.rules"
fi
if command -v systemd-analyze >/dev/null; then
	mkdir -p "$TMP/units"
	for unit in mackeep@ mackeep-repair@ mackeep-link@ mackeep-hooks; do
		sed "s|/usr/sbin|$root/usr/sbin|" "$root/usr/lib/systemd/system/$unit.service" \
			>"$TMP/units/$unit.service"
		ok "systemd has nothing to say of $unit" eval \
			'said=$(systemd-analyze verify --man=no "$TMP/units/${unit/@/@br0}.service" 2>&1 |
				grep -F "$unit"); echo "$said"; [ -z "$said" ]'
	done
fi

# A file that was changed belongs to the user.
echo "udp 443" >>"$root/etc/mackeep/br0.conf"
ok "make install again" run_make install
is "$(tail -n 1 "$root/etc/mackeep/br0.conf")" "udp 443" "it leaves a changed br0.conf"
echo "#!/bin/sh" >"$root/etc/mackeep/hooks.d/own"
ok "make uninstall" run_make uninstall
is "$(files | xargs)" "./etc/mackeep/br0.conf ./etc/mackeep/hooks.d/own" \
	"and so does make uninstall, which leaves that and hooks, and nothing else"
rm -r "$root"

ok "make install PREFIX=/usr/local" run_make install PREFIX=/usr/local
is "$(started usr/local) $(ruled usr/local)" "/usr/local/sbin/mackeep /usr/local/sbin/mackeep" \
	"units and rule start the tool from there"
ok "make uninstall PREFIX=/usr/local" run_make uninstall PREFIX=/usr/local
is "$(files)" "" "nothing is left"
nok "nor an empty directory of ours" test -d "$root/etc/mackeep"

done_testing
