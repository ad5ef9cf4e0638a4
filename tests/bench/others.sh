# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What one would use instead of MACKEEP, for tests/bench/guest, which has what they are
# measured with.

# Maps by hand, and some that learn, for rules where the bridge sends; LEARN is one more
# where the port receives.
nft_macs() # FAMILY RULE [RULE [LEARN]]
{
	local type=ipv4_addr

	[ $1 = 4 ] || type=ipv6_addr
	must ns box nft -f - <<-RULES
	table netdev macs {
		map source {
			type $type : ether_addr
			elements = { ${client[$1]} : $MAC_C1 }
		}
		map dest {
			type $type : ether_addr
			elements = { ${server[$1]} : $MAC_R }
		}
		map learned {
			type $type : ether_addr
			flags dynamic, timeout
			size 65536
			timeout 5m
		}
		map learned_dest {
			type $type : ether_addr
			flags dynamic, timeout
			size 65536
			timeout 5m
		}
		chain in {
			type filter hook ingress device port0 priority 0
			update @learned { ${nfproto[$1]} saddr : ether saddr }
			${4-}
		}
		chain out {
			type filter hook egress device br0 priority 0
			$2
			${3-}
		}
	}
	RULES
}

nft_off()
{
	must ns box nft delete table netdev macs
}

nft_src() # FAMILY
{
	nft_macs $1 "ether saddr set ${nfproto[$1]} saddr map @source"
}

nft_both()
{
	nft_macs $1 "ether saddr set ${nfproto[$1]} saddr map @source" \
		"ether daddr set ${nfproto[$1]} daddr map @dest"
}

nft_learned()
{
	nft_macs $1 "ether saddr set ${nfproto[$1]} saddr map @learned"
	client_frame $1
}

# ... and the other MAC as well, from where the same frames go
nft_learned_both()
{
	nft_macs $1 "ether saddr set ${nfproto[$1]} saddr map @learned" \
		"ether daddr set ${nfproto[$1]} daddr map @learned_dest" \
		"update @learned_dest { ${nfproto[$1]} daddr : ether daddr }"
	client_frame $1
}

bpf_attach() # FAMILY DEVICE DIRECTION PROGRAM
{
	must ns box tc qdisc add dev $2 clsact
	must ns box tc filter add dev $2 $3 protocol ${proto[$1]} \
		bpf da object-pinned $4
}

bpf()
{
	local pin=/sys/fs/bpf/macs

	rm -f $pin
	must tcmacs $pin ${client[$1]} ${server[$1]} $PORT 443 $MAC_C1 $MAC_R
	bpf_attach $1 br0 egress $pin
}

bpf_off()
{
	must ns box tc qdisc del dev br0 clsact
}

bpf_learned()
{
	local pin=/sys/fs/bpf/learned

	rm -f $pin $pin-in
	must tcmacs -l $pin $1
	bpf_attach $1 br0 egress $pin
	bpf_attach $1 port0 ingress $pin-in
	client_frame $1
}

bpf_learned_off()
{
	bpf_off
	must ns box tc qdisc del dev port0 clsact
}

# What leaves really has both MACs; a table that does not fit leaves it as it is.
has_macs() # VARIANT FAMILY
{
	wire_start bench box port1
	must ns box pump udp -c -n 1 -b 10 ${client[$2]} ${server[$2]} $PORT 443 >/dev/null
	wire_stop bench
	cmp_ok "$(wire_sum bench "way == \"to\" && src == \"$MAC_C1\" && dst == \"$MAC_R\"")" \
		-ge 10 "$1, IPv$2: frames have both MACs"
}

# The rule that matches is the last.
ebtables_snat() # FAMILY RULES
{
	local match="-p IPv4 --ip-source" net=198.51.100.

	[ $1 = 4 ] || match="-p IPv6 --ip6-source" net=2001:db8:3::
	{
		echo '*nat'
		for ((i = 1; i < $2; i++)); do
			echo "-A POSTROUTING $match $net$((i % 250 + 1)) -j snat --to-source $MAC_C2"
		done
		echo "-A POSTROUTING $match ${client[$1]} -j snat --to-source $MAC_C1"
	} >"$TMP/ebtables"
	must ns box ebtables-legacy-restore <"$TMP/ebtables"
}

# An empty table would still cost something.
ebtables_off()
{
	must ns box ebtables-legacy -t nat -F
	must modprobe -r ebtable_nat
}

others() # SUFFIX
{
	local family rules

	for family in 4 6; do
		say "others$1, IPv$family"
		nft_src $family
		upstream nft-source$1 $family
		nft_off
		nft_both $family
		upstream nft-both$1 $family
		nft_off
		nft_learned $family
		upstream nft-learned$1 $family
		nft_off
		nft_learned_both $family
		has_macs "nft, learned$1" $family
		upstream nft-learned-both$1 $family
		nft_off
		bpf $family
		upstream bpf$1 $family
		bpf_off
		bpf_learned $family
		has_macs "eBPF, learned$1" $family
		upstream bpf-learned$1 $family
		bpf_learned_off
		[ -n "$1" ] || continue
		for rules in 1 100 1000; do
			ebtables_snat $family $rules
			upstream ebtables-$rules$1 $family -n 5
		done
		ebtables_off
	done
}

# What learning costs the frames that go through the bridge
learners()
{
	local family bridged_family

	for family in 4 6; do
		bridged_family=$family
		nft_learned_both $family
		bridged bridged-nft
		nft_off
		bpf_learned $family
		bridged bridged-bpf
		bpf_learned_off
	done
}
