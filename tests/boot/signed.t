#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A kernel that enforces module signatures, and what mackeep check says of a
# module that it refuses. tests/vm/boot starts it with module.sig_enforce.
#
# Control: the kernel loads modules of its own, so that it is not for them.

. "$(dirname "$0")/../lib/tap.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1

NAME=xt_MACKEEP
file=$(modinfo -n $NAME)
key=/var/lib/dkms/mok.key

ns() { shift; "$@"; }

refused() # TITLE
{
	nok "$1: is refused" modprobe mackeep
	like "$(mackeep pairs 2>&1)" "it is not loaded" "$1: is not loaded"
	look
	finds signature
	finds_not module
}

is "$(systemctl is-failed mackeep@br0)" failed "nothing is set up without the module"
is "$(cat /sys/module/module/parameters/sig_enforce)" Y "signatures are enforced"
ok "control: a module of the kernel's is loaded" modprobe nf_conntrack

unpack=cat pack=cat
case $file in *.xz) unpack="xz -dc" pack="xz -c --check=crc32" ;; esac
must $unpack "$file" >"$TMP/signed.ko"
must objcopy "$TMP/signed.ko" "$TMP/plain.ko"
must $pack "$TMP/plain.ko" >"$file"
is "$(modinfo -F signer $NAME)" "" "a module without a signature"
rm -f $key
refused "no signature"
like "$(cat "$TMP/found")" "has no signature; mend: .*sign-file" "no signature: that is found"
like "$(cat "$TMP/found")" "openssl req .* -keyout $key " "no signature: nor is there a key"
mend
is "$(modinfo -F signer $NAME)" "DKMS module signing key" "it is signed now"

must $pack "$TMP/plain.ko" >"$file"
refused "no signature again"
unlike "$(cat "$TMP/found")" "openssl req" "no signature again: DKMS's key is taken"
mend
is "$(modinfo -F signer $NAME)" "DKMS module signing key" "it is signed with that"

refused "unknown key"
like "$(cat "$TMP/found")" "is signed with \"DKMS module signing key\"; mend: sed .*grub" \
	"unknown key: without UEFI the kernel has to ask for none"
like "$(unshare -m sh -c 'mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi &&
	exec mackeep check' 2>/dev/null)" \
	"mend: apt install mokutil && mokutil --import /var/lib/dkms/mok.pub && reboot" \
	"unknown key: with UEFI it is enrolled"
done_testing
