# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The recipes of mackeep-recipes(7), done as the page says. An example of it, from
# .EX to .EE, begins with one of
#
#	.\" recipe NAME file PATH
#	.\" recipe NAME commands [PLACE]
#
# PLACE is where they are to be run, when that is not the box.

RECIPES=${BASH_SOURCE[0]%/*}/../../tools/mackeep-recipes.7

# The examples of a recipe as a reader sees them: file PATH, or commands [PLACE]
recipe_text() # NAME WHAT
{
	awk -v head=".\\\\\" recipe $1 $2" '
		$0 == head { on = found = 1; next }
		/^\.EE/ { on = 0 }
		on { print }
		END { exit !found }' "$RECIPES" |
		sed -e "s/\\\\(aq/'/g" -e 's/\\-/-/g' -e 's/\\(dq/"/g' -e 's/\\(ha/^/g' \
			-e 's/\\(ti/~/g' -e 's/\\&//g' -e 's/\\e/\\/g'
}

recipe_paths() # NAME
{
	sed -n "s/^\\.\\\\\" recipe $1 file //p" "$RECIPES"
}

# The files, until the test ends
recipe_files() # NAME
{
	local path

	for path in $(recipe_paths "$1"); do
		if [ ! -e "$path" ]; then
			defer rm -f "$path"
		elif [ ! -e "$TMP/recipe$path" ]; then
			mkdir -p "$TMP/recipe"
			cp -a --parents "$path" "$TMP/recipe"
			defer cp -a "$TMP/recipe$path" "$path"
		fi
		mkdir -p "${path%/*}"
		recipe_text "$1" "file $path" >"$path" || return
		[ "$(head -c 2 "$path")" != '#!' ] || chmod 755 "$path"
	done
}

recipe_commands() # NAME [NAMESPACE PLACE]
{
	recipe_text "$1" "commands${3:+ $3}" >"$TMP/commands" &&
		ns ${2:-box} bash -eux "$TMP/commands"
}

# The whole recipe on the box. Its daemons end with recipe_end.
recipe() # NAME
{
	ok "$1: the files of the page" recipe_files "$1"
	ok "$1: its commands" recipe_commands "$1"
}

# As well, and its proxy takes connections
recipe_begin() # NAME
{
	recipe "$1"
	ok "$1: the proxy is there for both families" busywait 60 recipe_open || {
		diag "$(ns box mackeep services 2>&1)"
		diag "$(ns box ss -tulnp 2>&1)"
	}
	ok "$1: check has nothing to say" ns box mackeep check br0
}

# Lets all pass by the proxy, which lives on until recipe_undo
recipe_down() # NAME
{
	ok "$1: down" ns box mackeep down br0
}

recipe_end() # NAME
{
	recipe_down "$1"
	ok "$1: its programs end" recipe_undo
}

# What a recipe has started in the box
recipe_processes()
{
	ip netns pids $TOPO-box
}

recipe_ended()
{
	[ -z "$(recipe_processes)" ]
}

# At once: Squid would take half a minute to leave.
recipe_undo()
{
	local pids

	mapfile -t pids < <(recipe_processes)
	[ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}"
	busywait 20 recipe_ended
}

# The services that mackeep up br0 has made are open for TCP, in both families.
recipe_open()
{
	local list

	list=$(ns box mackeep services 2>/dev/null | grep ^tcp) &&
		! grep -qv "ipv4=open ipv6=open" <<<"$list"
}

# --- the network around it ---------------------------------------------------------------

MAC_MGMT=02:00:00:00:00:b5
MGMT=198.51.100.5

# A management network, whose other end is the router's or that of NAMESPACE; after
# topo_up
mgmt_up() # [NAMESPACE]
{
	local other=${1:-rt}

	must ip -batch - <<<"$(topo_link box mgmt0 $MAC_MGMT $other mgmt 02:00:00:00:00:f5)"
	must topo_ip $other <<-LINES
	addr add 198.51.100.1/24 dev mgmt
	addr add 198.51.100.2/24 dev mgmt
	addr add 198.51.100.53/24 dev mgmt
	addr add 2001:db8:3::1/64 dev mgmt nodad
	link set mgmt up
	LINES
	must topo_ip box <<-LINES
	addr add $MGMT/24 dev mgmt0
	addr add 2001:db8:3::5/64 dev mgmt0 nodad
	link set mgmt0 up
	LINES
}

# Servers are reached by it
mgmt_default()
{
	must ip -n mk-box route add default via 198.51.100.1
	must ip -6 -n mk-box route add default via 2001:db8:3::1
}

# DNS in NAMESPACE. Every name below "example" has the address A.N of srv's network, but
# elsewhere.example, which is .74.
dns_up() # NAMESPACE N
{
	cat >"$TMP/dns-$1.conf" <<-CONF
	server:
		interface: 0.0.0.0
		interface: ::0
		interface-automatic: yes
		access-control: 0.0.0.0/0 allow
		access-control: ::0/0 allow
		username: ""
		chroot: ""
		directory: "$TMP"
		pidfile: ""
		use-syslog: no
		do-daemonize: no
		module-config: "iterator"
		local-zone: "example." redirect
		local-data: "example. A 203.0.113.$2"
		local-data: "example. AAAA 2001:db8:2::$2"
		local-zone: "elsewhere.example." redirect
		local-data: "elsewhere.example. A 203.0.113.74"
		local-data: "elsewhere.example. AAAA 2001:db8:2::74"
	remote-control:
		control-enable: no
	CONF
	spawn dns-$1 ns $1 unbound -d -c "$TMP/dns-$1.conf"
	dns_pids+=("$spawned")
	busywait 20 dns_there $1 && return
	diag "$(cat "$TMP/dns-$1.err")"
	return 1
}

dns_pids=()
dns_there() # NAMESPACE
{
	[ -n "$(ns $1 ss -ulnH 'sport = :53')" ]
}

# The end of a test
recipe_done()
{
	local pid

	for pid in "${dns_pids[@]}" ${origin_pid-}; do
		tap_kill $pid
	done
	net_done
}

# A server of TLS in srv; its certificate is its own authority, $TMP/origin.crt, which
# this machine takes for one.
tls_server_up()
{
	must openssl req -new -x509 -days 10 -nodes -subj "/CN=origin" \
		-addext "subjectAltName=DNS:www.example,DNS:elsewhere.example,DNS:www.pinned.example,DNS:www.blocked.example" \
		-newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-keyout "$TMP/origin.key" -out "$TMP/origin.crt" 2>/dev/null
	must cp "$TMP/origin.crt" /etc/ssl/certs/ca-certificates.crt
	must cp "$TMP/origin.crt" \
		"/etc/ssl/certs/$(openssl x509 -noout -hash -in "$TMP/origin.crt").0"
	defer eval "rm -f /etc/ssl/certs/*"
	spawn origin ns srv openssl s_server -accept 443 -cert "$TMP/origin.crt" \
		-key "$TMP/origin.key" -www -quiet
	origin_pid=$spawned
	busywait 20 origin_there
}

origin_there()
{
	[ -n "$(ns srv ss -tlnH 'sport = :443')" ]
}

# A request of c1 to srv by name. $S1 may be IPv6.
ask() # URL [OPTION of curl...]
{
	local server=$S1

	[[ $server != *:* ]] || server=[$server]
	ns c1 curl -sSf -m 30 -o "$TMP/answer" --connect-to "::$server:" "${@:2}" "$1"
}

# Who has signed what the client gets from NAME: the server itself, or the proxy
by_origin() # NAME [OPTION of curl...]
{
	ask https://$1/ --cacert "$TMP/origin.crt" "${@:2}"
}

by_proxy() # NAME AUTHORITY [OPTION of curl...]
{
	ask https://$1/ --cacert "$2" "${@:3}"
}

# --- what is judged ------------------------------------------------------------------------

# The command gets its answer, and the proxy had COUNT connections for it.
answered() # TITLE COUNT COMMAND...
{
	local title=$1 count=$2 before

	shift 2
	before=$(box_opens Passive)
	ok "$title: a request is answered" "$@"
	is $(($(box_opens Passive) - before)) $count \
		"$title: by the proxy, $count connections"
}

# Both legs of c1 and srv, as both sides see them
kept_legs() # TITLE MINIMUM [CONDITION of frames that count as the box's]
{
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 $2 "$1: from the router's MAC"
	wire_leg east $C1 $S1 $MAC_C1 $MAC_R $2 "$1: from the client's MAC"
	wire_clean "$1" "${3:-1}"
}

# The client's leg is kept, and nothing of it is on the other side. The leg to the
# server is the machine's.
own_leg() # TITLE AUTHORITY
{
	local own=$MGMT

	[ $family = 4 ] || own=2001:db8:3::5
	wire_both
	wire_start mgmt rt mgmt
	answered "$1" 1 by_proxy www.example $2 --tls-max 1.2
	wire_stop
	wire_leg west $S1 $C1 $MAC_R $MAC_C1 5 "$1: from the router's MAC"
	is "$(wire_sum east "type ~ /^ip/ && (saddr == \"$C1\" || daddr == \"$C1\")")" 0 \
		"$1: nothing of the client on the other side"
	wire_clean "$1"
	cmp_ok "$(wire_sum mgmt "way == \"from\" && saddr == \"$own\" && daddr == \"$S1\"")" -ge 4 \
		"$1: the server is asked over the management network"
}
