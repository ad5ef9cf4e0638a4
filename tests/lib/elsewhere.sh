# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Proxies that go to another server than their client did.

OTHER4=203.0.113.99
OTHER6=2001:db8:2::99
F4=203.0.113.98
F6=2001:db8:2::98

# What is for F goes to L1, all else to S1.
elsewhere_of() # ANY BIND [OPTION]
{
	cat <<-CFG
	frontend in$family
		bind $2:$PROXY_PORT transparent $3
		use_backend near$family if { dst $(far F) }
		default_backend far$family
	backend near$family
		source $1 usesrc clientip
		server near $L1:443
	backend far$family
		source $1 usesrc clientip
		server far $S1:443
	CFG
}

elsewhere_up()
{
	cat >"$TMP/elsewhere.cfg" <<-CFG
	global
		nbthread 1
	defaults
		mode tcp
		timeout connect 20s
		timeout client 60s
		timeout server 60s
		retries 0
	CFG
	elsewhere_of 0.0.0.0 "" "" >>"$TMP/elsewhere.cfg"
	topo_family 6
	elsewhere_of "[::]" :: v6only >>"$TMP/elsewhere.cfg"
	topo_family 4
	spawn haproxy ns box haproxy -db -f "$TMP/elsewhere.cfg"
	proxy_pid=$spawned
	busywait 20 listening box $PROXY_PORT && return
	diag "$(cat "$TMP/haproxy.err")"
	return 1
}

# That of the family at hand
far() # OTHER|F
{
	local name=$1$family

	echo "${!name}"
}

datagrams_up() # S1|L1
{
	local name=$1 v6

	for family in 4 6; do
		topo_family $family
		v6=${family/4/}
		must spawn_ready proxy$family ns box udp proxy ${v6:+-6} -o ${!name} $PROXY_PORT
		udp_proxies+=("$spawned")
	done
	topo_family 4
}
