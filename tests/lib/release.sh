# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A copy of a release's root directory with the packages of "make deb", for
# those who have a mount namespace of their own.
#
#   $R		bullseye, bookworm, trixie, sid
#   $root	the copy, mounted as long as the namespace lives
#   $debs	where the packages are

release_up() # NAME of the copy
{
	local dir=$PWD/build/$R/$1 lower

	lower=$(tests/vm/root "$R") && tests/vm/deps deb || return
	rm -rf "$dir"
	root=$dir/root
	debs=build/$R/$1/debs
	mkdir -p "$dir"/{upper,work,root,debs}
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$root"
}

run() # CMD... in there without a network; its output stays in $TMP/log
{
	unshare --net tests/vm/in-root "$root" "$@" >"$TMP/log" 2>&1 </dev/null && return
	tail -n 15 "$TMP/log"
	return 1
}

apt() { run apt-get -y "$@"; }

# The package of the module is the same for all releases, and built here. The rest
# depends on a release's libraries.
build_debs()
{
	make -s deb DEB_ARGS=-A && mv build/deb/mackeep-dkms_*.deb "$debs/" &&
		run make -s deb BUILD="build/$R" DEB_ARGS="-B -d" &&
		mv "build/$R"/deb/mackeep_*.deb "$debs/"
}
