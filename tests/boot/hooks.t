#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The units of hooks and of follow-link, on a box that has booted with systemd and
# networkd: they are started and stopped with what they belong to, come back when
# they are killed, and networkd leaves the ports alone.
#
#  c1 192.0.2.31 -- eth0 -- [ port0 br0 port1 ] -- eth0 -- l1 192.0.2.80
#
# Control: before that the other end does not see that a cable is pulled.

. "$(dirname "$0")/../lib/net.sh" || exit 1

active() # UNIT
{
	systemctl is-active "$1"
}

carrier() # NS
{
	[[ "$(ip -n mk-$1 -o link show dev eth0)" == *LOWER_UP* ]]
}

no_carrier() # NS
{
	! carrier $1
}

told() # TEXT
{
	grep -q "^$1\$" /run/hooked
}

must busywait 60 eval '[ "$(systemctl is-active mackeep@br0 haproxy | xargs)" = "active active" ]'

# --- hooks ------------------------------------------------------------------------------

is "$(systemctl is-enabled mackeep-hooks)" disabled "hooks: the unit is not enabled"
ok "hooks: without any it can be started" systemctl start mackeep-hooks
is "$(systemctl is-active mackeep-hooks)" inactive "hooks: and has nothing to do"
cat >/etc/mackeep/hooks.d/hook <<'HOOK'
#!/bin/sh
[ "$MACKEEP_FAMILY" = ipv6 ] || echo "$MACKEEP_STATE $MACKEEP_REASON" >>/run/hooked
echo "heard of $MACKEEP_SERVICE"
HOOK
must chmod +x /etc/mackeep/hooks.d/hook
# What up makes goes with it; this one does not depend on up.
must sysctl -q -w net.netfilter.mackeep_lift_mark=0x4d4b/0xffff
must mackeep services add --mark 0x14d4b -p tcp --to 3130
ok "hooks: with one it runs" systemctl start mackeep-hooks
ok "hooks: the present state is told" busywait 20 told "closed nolistener"
ok "hooks: what a hook prints is in the journal" busywait 20 \
	eval 'journalctl -u mackeep-hooks | has "heard of tcp/3130"'
must systemctl kill -s KILL mackeep-hooks
must rm /run/hooked
ok "hooks: killed, it comes back" busywait 60 told "closed nolistener"
must mackeep services set --mark 0x14d4b -p tcp --bypass on
ok "hooks: and tells changes" busywait 20 told "closed bypass"
must mackeep services del --mark 0x14d4b -p tcp
ok "hooks: it ends" systemctl stop mackeep-hooks
ok "hooks: having told what came before" told "closed gone"

# --- follow-link --------------------------------------------------------------------------

both()
{
	carrier c1 && carrier l1
}

must busywait 60 both
must ip -n mk-c1 link set eth0 down
pause 2
ok "control: the other end does not see it" carrier l1
must ip -n mk-c1 link set eth0 up

echo follow-link >>/etc/mackeep/br0.conf
ok "follow-link: up starts it" systemctl restart mackeep@br0
is "$(active mackeep-link@br0)" active "follow-link: it runs"
must busywait 60 both
must ip -n mk-c1 link set eth0 down
ok "follow-link: the other end sees it" busywait 20 no_carrier l1
pause 3
ok "follow-link: for as long as that lasts" no_carrier l1
must systemctl kill -s KILL mackeep-link@br0
ok "follow-link: killed, it comes back" busywait 60 systemctl -q is-active mackeep-link@br0
must ip -n mk-c1 link set eth0 up
ok "follow-link: and knows what it did" busywait 60 both
must ip -n mk-l1 link set eth0 down
ok "follow-link: the other way round" busywait 20 no_carrier c1
ok "follow-link: down stops it" systemctl stop mackeep@br0
is "$(active mackeep-link@br0)" inactive "follow-link: it is stopped"
ok "follow-link: and sets the port up" busywait 20 carrier c1
must ip -n mk-l1 link set eth0 up

must systemctl start mackeep@br0
# It is active before it has looked at the bridge.
must busywait 60 test -e /run/mackeep/br0.link
must busywait 60 both
must ip link del br0
ok "follow-link: it goes with the bridge" busywait 60 eval '[ "$(active mackeep-link@br0)" = inactive ]'
must busywait 60 eval '[ "$(active mackeep@br0)" = inactive ]'
must systemctl restart systemd-networkd
ok "follow-link: and comes with it" busywait 60 systemctl -q is-active mackeep-link@br0
is "$(systemctl --failed --plain --no-legend | awk '{ print $1 }' | xargs)" "" "nothing failed"
done_testing
