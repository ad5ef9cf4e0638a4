# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a test of the network sources: all the others.

net_lib=${BASH_SOURCE[0]%/*}
. "$net_lib/tap.sh" || exit 1
. "$net_lib/topo.sh" || exit 1
. "$net_lib/wire.sh" || exit 1
. "$net_lib/proxy.sh" || exit 1
need nft haproxy conntrack
tools wire load
