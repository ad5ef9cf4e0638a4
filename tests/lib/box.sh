# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The box that tests/vm/boot makes, and its services.

service() # NAME NAMESPACE COMMAND...; lives longer than this
{
	local name=$1 space=$2

	shift 2
	systemd-run -q --unit="$name" -p "StandardOutput=file:/run/$name.out" \
		nsenter --net="/run/netns/mk-$space" -- "$(readlink -f "$(command -v "$1")")" "${@:2}"
}

states() # STATES UNIT...
{
	[ "$(systemctl is-active "${@:2}" | xargs)" = "$1" ]
}

bridging()
{
	[ "$(bridge link show | grep -c "master br0 state forwarding")" -eq 2 ]
}

captured() # COMMAND...
{
	wire_start west c1 eth0
	wire_start east l1 eth0
	"$@"
	proxy_quiet
	wire_stop
}

kept() # TITLE
{
	wire_leg west $L1 $C1 $MAC_L1 $MAC_C1 3 "$1: to the client"
	wire_leg east $C1 $L1 $MAC_C1 $MAC_L1 3 "$1: to the server"
	# Before Linux 5.16 what programs send on a port leaves.
	case $(uname -r) in
	5.10.*) wire_clean "$1" 'type != "88cc" && dport != 67' ;;
	*) wire_clean "$1" ;;
	esac
}
