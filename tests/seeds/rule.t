#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A rule that comes and goes: enough for each of the seeded faults to happen.

. "$(dirname "$0")/../lib/tap.sh" || exit 1

ok "a rule" iptables-legacy -t mangle -A PREROUTING -j MACKEEP --orig-mark 1
ok "and gone" iptables-legacy -t mangle -F
ok "the module as well" busywait 20 rmmod xt_MACKEEP
done_testing
