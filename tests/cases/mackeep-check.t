#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep check: who does what the findings say gets from a bare bridge without the
# module to one that keeps MACs. mackeep-findings.t provokes the other findings.
#
#  c1 192.0.2.31 --+                                      +-- l1 192.0.2.80
#     ..:c1        +-- west -- [ port0 br0 port1 ] -- east     ..:80
#  c2 ..:c2 -------+               ..:b0,b1,b2            +-- rt ..:f1 -- srv
#
# Controls: before a provocation the finding is not there.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/doctor.sh" || exit 1
need mackeep python3

start_proxy()
{
	proxy_up
}

must topo_up
topo_box_unrouted
must spawn_ready serve ns l1 load serve
must proxy_up

# --- the module --------------------------------------------------------------------

look
is $look_status 1 "a finding: exit 1"
finds module
no_module() # COMMAND...; mackeep check, where this kernel has none
{
	unshare -m sh -c 'mount -t tmpfs none /lib/modules && mount -t tmpfs none /usr/src &&
		"$@" && exec mackeep check' sh "$@" 2>/dev/null
}

headers="apt install linux-headers-$(uname -r)"
is "$(no_module true)" "module: there is no kernel module for the kernel that runs, $(uname -r); mend: $headers && make install" \
	"nor one for this kernel"
is "$(no_module mkdir /usr/src/mackeep-0.1)" \
	"module: there is no kernel module for the kernel that runs, $(uname -r); mend: $headers && dkms autoinstall" \
	"for DKMS when it has the source, of any version"
if ! module_load; then
	diag "$(cat "$TMP/modprobe")"
	skip "no module $MODULE for this kernel"
	done_testing
fi
# modprobe -r would take the bridge's module along, and br0 with it.
must rmmod $MODULE
mend
look
finds_not module version

must rmmod $MODULE
for dep in $(modinfo -F depends $MODULE | tr , ' '); do
	must modprobe "$dep"
done
version=$(mackeep --version | cut -d ' ' -f 2)
sed "s/\<${version//./\\.}\>/9${version#?}/g" "$(modinfo -n $MODULE)" >"$TMP/other.ko"
must insmod "$TMP/other.ko"
is "$(ns box mackeep -V)" "mackeep $version (module 9${version#?})" "-V tells both versions"
look
finds version
grep '^version:' "$TMP/found" >"$TMP/one" && mv "$TMP/one" "$TMP/found"
mend
look
finds_not version

# --- from nothing to a box that keeps -------------------------------------------------

finds rule mark tproxy upstream noisy eapol
finds_not unmatched divert policy listener
is "$(sed 's/:.*//' "$TMP/found" | tail -n 1)" eapol "the worst comes first"
look -o json
ok "as JSON" python3 -c '
import json, sys
found = json.load(open(sys.argv[1]))
assert {f["id"] for f in found} == {"rule", "mark", "tproxy", "upstream", "noisy", "eapol"}, found
assert all(f["text"] and f["remedy"] and f["rank"] for f in found)' "$TMP/found"
look
mend
look
finds divert policy
mend
clean "mended"

# A rule that does not match: nothing is kept.
must ns box iptables -t mangle -D PREROUTING -i br0 -j MACKEEP
must ns box iptables -t mangle -A PREROUTING -p udp -j MACKEEP
ns c1 load get -t 3 $L1 >"$TMP/out" 2>&1
look
finds unmatched
finds_not rule nexthop
mend
opens=$(box_opens Passive)
wire_both
ok "mended: a request is answered" ns c1 load get $L1
ok "mended: the proxy comes to rest" proxy_quiet
wire_stop
is "$(box_opens Passive)" $((opens + 1)) "mended: through the proxy"
wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 3 "mended: with the server's MAC to the client"
wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 3 "mended: with the client's MAC to the server"
look # packets that left before
clean "mended"

# --- what it takes ---------------------------------------------------------------------

like "$(ns box setpriv --reuid 65534 --clear-groups mackeep check 2>&1)" \
	"only root sees them all; run it as root" "it is for root"
like "$(ns box mackeep check br9 2>&1)" "bridge br9: no such device; " "a bridge that is not there"

net_done
