# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What mackeep check finds on the box, and that its remedies mend it.

look() # [OPTION...]
{
	ns box mackeep check "$@" >"$TMP/found" 2>"$TMP/count"
	look_status=$?
}

finds() # ID...
{
	local id

	for id; do
		ok "found: $id" grep -q "^$id: .*; mend: " "$TMP/found" ||
			diag "$(cat "$TMP/found")"
	done
}

finds_not() # ID...
{
	local id

	for id; do
		nok "not found: $id" grep "^$id: " "$TMP/found"
	done
}

# Does what the findings say. For the proxy that is no command, but start_proxy.
mend()
{
	local line proxy=

	while IFS= read -r line; do
		case $line in
		listener:*) proxy=1 ;;
		*) ok "mends: ${line%%:*}" ns box sh -c "${line#*; mend: }" ;;
		esac
	done <"$TMP/found"
	[ -z "$proxy" ] || must start_proxy
}

clean() # TITLE
{
	look
	is "$look_status $(cat "$TMP/found")" "0 " "$1: nothing is found"
	like "$(cat "$TMP/count")" " 0 findings\.$" "$1: and that is counted"
}

ADMIN=198.51.100.1

# A network of the admin's, in NAMESPACE, where the box is $ADMIN
admin_network() # NAMESPACE
{
	must topo_ip box <<-LINES
	link add mgmt0 type veth peer name mgmt0 netns mk-$1
	addr add $ADMIN/24 dev mgmt0
	link set mgmt0 up
	LINES
	must topo_ip $1 <<-LINES
	addr add 198.51.100.2/24 dev mgmt0
	link set mgmt0 up
	LINES
}
