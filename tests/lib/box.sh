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

proxied() # TITLE
{
	opens=$(box_opens Passive)
	captured ok "$1: a connection" ns c1 load get $L1
	is "$(box_opens Passive)" $((opens + 1)) "$1: through the proxy"
	kept "$1"
}

# The user's last step with NetworkManager, which may be at it itself.
port_joins()
{
	nmcli connection add type ethernet con-name port1 ifname port1 master br0 &&
		busywait 60 nmcli connection up port1
}

join()
{
	ok "NetworkManager asks for an address at port1" busywait 60 eval \
		'nmcli -g DEVICE connection show --active | grep -x port1'
	ok "port1 becomes a port of the bridge" port_joins
}

# The bridge forwards, and there is a server.
wires_up()
{
	ok "the bridge forwards" busywait 60 bridging || {
		diag "$(ip -brief link; bridge link; journalctl -b --no-pager -o short-monotonic)"
		exit
	}
	must service serve l1 load serve
	must busywait 20 listening l1 443
}

runs() # UNIT...
{
	ok "running: $*" busywait 60 states "$(printf 'active %.0s' "$@" | xargs)" "$@"
}

# Nothing of what mackeep up does is missing.
whole()
{
	[ -z "$(mackeep up --dry-run br0)" ]
}
