#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The index of modules that tests/vm/run gives to guests follows the kernel's
# modules: they lie elsewhere, or are compressed, when the same kernel has been
# installed on the machine meanwhile. Where nothing has changed it is not made
# again.
#
#  kernel/lib/modules/KVER/kernel/...    the kernel's ---+
#                                                        +--> layer: modules.dep
#  layer/usr/lib/modules/KVER/updates    ours -----------+

. "$(dirname "$0")/../lib/tap.sh" || exit 1
need depmod modinfo nm strip python3

index=$(readlink -f "$(dirname "$0")/../vm/index")
KVER=9.9-test
kernel=$TMP/kernel/lib/modules/$KVER

# As tests/vm/run does it, with a new copy of our installation each time
index_made()
{
	local layer=$TMP/layer/usr/lib/modules/$KVER

	rm -rf "$TMP/layer"
	mkdir -p "$layer/updates"
	cp "$TMP/xt_MACKEEP.ko" "$layer/updates/"
	"$index" "$TMP/layer" "$TMP/kernel" "$KVER" "$TMP/cache" || return
	grep -o '^[^:]*' "$layer/modules.dep" | sort | xargs >"$TMP/listed"
}

indexed() # TITLE FILE
{
	ok "$1: there is an index" index_made
	is "$(cat "$TMP/listed")" "$2 updates/xt_MACKEEP.ko" "$1: it has the modules where they are"
}

ours=$(modinfo -n xt_MACKEEP) || skip_all "no module for this kernel"
# Most of it is for debuggers.
must strip -g -o "$TMP/xt_MACKEEP.ko" "$ours"
mkdir -p "$kernel/kernel/net"
touch "$kernel"/modules.{order,builtin,builtin.modinfo}
# Any module will do as one of the kernel's.
cp "$TMP/xt_MACKEEP.ko" "$kernel/kernel/net/veth.ko"
indexed "first" kernel/net/veth.ko

echo "# still the one from before" >>"$TMP/cache/modules.dep"
indexed "nothing changed" "# still the one from before kernel/net/veth.ko"

mkdir "$kernel/kernel/drivers"
mv "$kernel/kernel/net/veth.ko" "$kernel/kernel/drivers/"
indexed "moved" kernel/drivers/veth.ko

must python3 - "$kernel/kernel/drivers/veth.ko" <<-'CODE'
	import lzma, os, sys
	name = sys.argv[1]
	with lzma.open(name + ".xz", "wb", check=lzma.CHECK_CRC32, preset=0) as out:
	    out.write(open(name, "rb").read())
	os.unlink(name)
CODE
indexed "compressed" kernel/drivers/veth.ko.xz

done_testing
