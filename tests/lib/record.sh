# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Records, read and written through ctnetlink.

tools ctinfo

le16() { printf '%02x%02x' $(($1 & 255)) $(($1 >> 8)); }
le32() { printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# A record in hexadecimal, as this machine has it in memory
record() # [FIELD=VALUE...]
{
	local version=1 flags=3 via=0 reserved=0 vlan=0 policy=0 ifindex=0
	local src=0200000000c1 dst=0200000000f1 reserved2=0 reserved3=0

	[ $# -eq 0 ] || local "$@"
	printf '%02x%02x%02x%02x' $version $flags $via $reserved
	le16 $vlan
	le16 $policy
	le32 $ifindex
	printf '%s%s' $src $dst
	le32 $reserved2
	le32 $reserved3
}

# What ctinfo dump shows from VERSION on for the entry with port PORT
shown() # PORT
{
	ns box ctinfo dump | awk -v port=$1 '$4 == port { $1 = $2 = $3 = $4 = $5 = ""; sub(/^ */, ""); print }'
}

ctnl() # LINES on stdin
{
	ns box ctinfo batch
}
