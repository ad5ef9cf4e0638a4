#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# getsockopt(MACKEEP_SO_MACS): a proxy asks its sockets for the MACs of their flows,
# by the examples of the package in Python and C: accepted and connected, UDP with the
# peer given, IPv4 in IPv6, same ports, zones, flows the other way round, bad input.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt ..:f1 --- srv .73
#
# Control: without the module there is no such option.
#
# Seen by others: SO_ORIGINAL_DST knows the default zone alone, envoyproxy/envoy issue
# 16130; entries the other way round where what comes in is not tracked,
# haproxy/haproxy issue 3192; ENOENT when the entry is not there, sonertari/SSLproxy
# issue 32.
#
# It runs on one kernel in turn.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/recipe.sh" || exit 1
need python3 socat

EXAMPLES=$(cd "$(dirname "$0")/../../debian/examples" && pwd)
TO_C1="own=$MAC_R vlan=0 dev=br0 flags=3"
TO_SRV="own=$MAC_C1 vlan=0 dev=br0 flags=3"

asker_up() # tcp|udp [OPTION...]
{
	local proto=$1 v6

	shift
	askers=()
	for v6 in "" -6; do
		must spawn_ready asker$v6 ns box python3 "$EXAMPLES/so-macs.py" $v6 \
			"$@" $proto $PROXY_PORT
		askers+=("$spawned")
	done
}

asker_down()
{
	local pid

	for pid in "${askers[@]}"; do
		tap_kill $pid
	done
	proxy_quiet
}

said()
{
	local v6=-6

	[ $family = 6 ] || v6=
	tail -n 2 "$TMP/asker$v6.out"
}

tcp() # TITLE WANTED...
{
	ok "$1: a request is answered" ns c1 load get $S1
	is "$(said)" "$2" "$1: what the sockets tell"
}

absent() # TITLE
{
	tcp "$1" "client $C1 Protocol not available
server $S1 Protocol not available"
}

both() # TITLE
{
	tcp "$1" "client $C1 peer=$MAC_C1 $TO_C1
server $S1 peer=$MAC_R $TO_SRV"
}

unknown() # TITLE
{
	tcp "$1" "client $C1 No such file or directory
server $S1 No such file or directory"
}

udp() # TITLE
{
	ok "$1: a datagram is answered" ns c1 udp talk $S1
	is "$(said)" "client $C1 peer=$MAC_C1 $TO_C1
answer $C1 peer=$MAC_C1 $TO_C1" "$1: what the sockets tell"
}

greeted() # TITLE
{
	local to=TCP4:$S1

	[ $family = 4 ] || to=TCP6:[$S1]
	is "$(ns c1 socat -u "$to:443" - 2>&1)" "$MAC_C1 br0" "$1: by a socket of IPv6"
}

raw_rules() # RULE of PREROUTING and OUTPUT
{
	local way family

	for family in iptables ip6tables; do
		for way in PREROUTING OUTPUT; do
			must ns box $family -t raw -A $way -p tcp "$@"
		done
	done
}

raw_rules_off()
{
	ns box iptables -t raw -F
	ns box ip6tables -t raw -F
	ns box conntrack -F 2>/dev/null
}

# Python that has all of the example
cat >"$TMP/prelude" <<-END
	import errno, os, random
	__name__ = "prelude"
	exec(open("$EXAMPLES/so-macs.py").read())
	def name(call, *args):
	    try:
	        call(*args)
	        return "OK"
	    except OSError as error:
	        return errno.errorcode[error.errno]
END

# In the box, by WORDS such as setpriv
python() # [WORDS...] <COMMANDS
{
	ns box "$@" python3 -c "$(cat "$TMP/prelude" -)"
}

header() # TITLE
{
	local to=TCP4:$S1

	[ $family = 4 ] || to=TCP6:[$S1]
	is "$(ns c1 socat -u -T 20 "$to:443,sourceport=40001" - 2>&1 | od -An -v -tx1 | tr -d ' \n')" \
		"$(python3 -c "
import socket
v6 = ':' in '$S1'
ends = b''.join(socket.inet_pton(10 if v6 else 2, end) for end in ('$C1', '$S1'))
print('0d0a0d0a000d0a515549540a' + '21' + ('21002d' if v6 else '110015') + ends.hex() +
      '9c4101bb' + 'e00006' + '$MAC_C1'.replace(':', ''))")" "$1: a header with the MAC"
}

tools udp load
must topo_up
must servers_up

# --- control ------------------------------------------------------------------------

today_up
asker_up tcp
each_family absent "no module"
asker_down
today_down

# --- TCP, UDP -----------------------------------------------------------------------

kept_up
asker_up tcp
each_family both "tcp"

raw_rules -j NOTRACK
each_family unknown "no record, not tracked"
raw_rules_off

asker_down

# Only what comes in from clients is not tracked: the entry is that of the answers.
for way in iptables ip6tables; do
	must ns box $way -t raw -A PREROUTING -p tcp --dport 443 -j NOTRACK
done
cat >"$TMP/answerer" <<-END
	listener = transparent(socket.AF_INET6, socket.SOCK_STREAM, ("", $PROXY_PORT), v6only=0)
	listener.listen()
	say("ready")
	while True:
	    client, address = listener.accept()
	    with client:
	        client.sendall(b"x")
	        client.recv(1)
	        client.sendall(text(own_flow(client)).encode())
END
answer() # TITLE
{
	local to=TCP4:$S1

	[ $family = 4 ] || to=TCP6:[$S1]
	is "$(echo | ns c1 socat -t 20 - "$to:443" 2>&1)" "xpeer=$MAC_C1 $TO_C1" \
		"$1: what the socket tells"
}
must spawn_ready answerer ns box python3 -c "$(cat "$TMP/prelude" "$TMP/answerer")"
answerer=$spawned
each_family answer "the other way round"
tap_kill $answerer
raw_rules_off

asker_up tcp -p
each_family both "same port"
asker_down

raw_rules -j CT --zone 7
asker_up tcp
each_family unknown "another zone, not said"
asker_down
asker_up tcp -z 7
each_family both "another zone"
asker_down
raw_rules_off

asker_up udp
each_family udp "udp"
asker_down

must cc -Wall -Werror -I"$EXAMPLES/../../include" -o "$TMP/so-macs" "$EXAMPLES/so-macs.c"
must spawn_ready greeter ns box "$TMP/so-macs" $PROXY_PORT
greeter=$spawned
each_family greeted "example in C"
tap_kill $greeter

fronts=()
for v6 in "" 6; do
	must spawn_ready front$v6 ns box python3 -c "$(cat "$TMP/prelude" - <<-END
	listener = transparent(socket.AF_INET$v6, socket.SOCK_STREAM, ("", $PROXY_PORT))
	listener.listen()
	say("ready")
	while True:
	    client, address = listener.accept()
	    with client:
	        client.sendall(proxy_header(client))
	END
	)"
	fronts+=("$spawned")
done
each_family header "PROXY protocol"
for pid in "${fronts[@]}"; do
	tap_kill $pid
done

# The page shows what was run.
RECIPES=$EXAMPLES/../../tools/mackeep-macs.7
for part in "so-macs.c part" "so-macs.py part" "so-macs.py level" "so-macs.py proxy"; do
	ok "mackeep-macs.7: $part is of the example" python3 -c '
import sys
part, whole = sys.argv[1], open(sys.argv[2]).read()
sys.exit(not part or part not in whole)' "$(recipe_text $part)" "$EXAMPLES/${part% *}"
done

# --- what is refused ------------------------------------------------------------------

is "$(python <<'END'
libc.getsockopt.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                            ctypes.c_void_p]
def raw(sock, lev, length, buf):
    size = ctypes.c_int32(length)
    if libc.getsockopt(sock.fileno(), lev, MACKEEP_SO_MACS, buf, ctypes.byref(size)):
        return errno.errorcode[ctypes.get_errno()]
    return 'OK'
stream, gram = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
buf = ctypes.create_string_buffer(b'\xff' * 4096)
print(*sorted({raw(s, 0, n, buf) for s in (stream, gram) for n in range(-2, 4097)
               if n not in (40, 80)}))
print(raw(stream, 0, -2**31, buf), raw(stream, 0, 2**31 - 1, buf))
print(raw(stream, 0, 40, buf), raw(gram, 0, 40, buf))
print(raw(gram, 0, 80, 1), raw(gram, 0, 80, None))
print(raw(stream, 0, 80, buf), raw(gram, 0, 80, buf))
for kind, proto in ((socket.SOCK_RAW, 6), (socket.SOCK_RAW, 17), (socket.SOCK_STREAM, 132)):
    try:
        print(name(own_flow, socket.socket(socket.AF_INET, kind, proto)))
    except OSError: # no SCTP here
        print('EPROTONOSUPPORT')
print(*sorted({name(s.setsockopt, 0, MACKEEP_SO_MACS, b'x' * n) for s in (stream, gram)
               for n in (1, 40, 80)}))
stream.listen()
print(name(own_flow, stream), name(other_flow, stream, None, ('192.0.2.31', 1)))
print(name(own_flow, gram), name(other_flow, gram, None, ('192.0.2.31', 1)))
print(*[name(s.getsockopt, 0, MACKEEP_SO_MACS + n, 40) for s in (stream, gram)
        for n in (-1, 1)])
both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
both.bind(('::1', 5555))
print(name(other_flow, both, ('::1', 5555), ('::ffff:192.0.2.31', 1)))
random.seed(4711)
got = set()
for i in range(20000):
    for s in (stream, gram, both):
        junk = bytearray(random.randbytes(80) if hasattr(random, 'randbytes') else os.urandom(80))
        if i & 1:
            junk[40:42] = random.choice((b'\0\0', b'\2\0', b'\12\0'))
        got.add(raw(s, 41 if s is both else 0, 80, bytes(junk)))
print(*sorted(got))
END
)" "EINVAL
EINVAL EINVAL
ENOENT EDESTADDRREQ
EFAULT EFAULT
EINVAL EINVAL
EPROTONOSUPPORT
EPROTONOSUPPORT
EPROTONOSUPPORT
ENOPROTOOPT
ENOENT EINVAL
EDESTADDRREQ EDESTADDRREQ
ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT
EINVAL
EACCES EDESTADDRREQ EINVAL ENOENT" "bad input: what each gets"

# --- who may ask ------------------------------------------------------------------------

# A flow of UDP that stays, and whoever wants to know of it
topo_box_remembers
asker_up udp
port=40000
ok "a flow of UDP" ns c1 udp talk -b $port $S1
for user in "" "setpriv --reuid 65534 --clear-groups --"; do
	# shellcheck disable=SC2086 # words
	is "$(python $user <<-END
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("", 5555))
	print(name(other_flow, s, ("$S1", 443), ("$C1", $port)),
	      name(other_flow, s, ("$S1", 5555), ("$C1", $port)),
	      name(other_flow, s, ("127.0.0.1", 443), ("$C1", $port)),
	      name(other_flow, s, ("127.0.0.1", 5555), ("$C1", $port)))
	END
	)" "EACCES EACCES EACCES ENOENT" "${user:+nobody: }a flow that is not the socket's"
done
is "$(python <<-END
	s = transparent(socket.AF_INET, socket.SOCK_DGRAM, ("", 5555))
	there = ("$S1", 443), ("$C1", $port)
	print(name(other_flow, s, *there), name(other_flow, s, *there, 7))
	space = os.open("/run/netns/$TOPO-c1", os.O_RDONLY)
	libc.setns(space, 0)
	print(name(other_flow, s, *there))
	s = transparent(socket.AF_INET, socket.SOCK_DGRAM, ("", 5555))
	print(name(other_flow, s, *there))
	os.setuid(65534)
	END
)" "OK ENOENT
OK
ENOENT" "by the socket's namespace, whoever asks"
asker_down

# --- the module goes while somebody asks --------------------------------------------------

cat >"$TMP/hammer" <<-'END'
	s = transparent(socket.AF_INET, socket.SOCK_DGRAM, ("", 5556))
	there = ("203.0.113.73", 443), ("192.0.2.31", 40000)
	print("ready" if name(other_flow, s, *there) == "OK" else "no", flush=True)
	while name(other_flow, s, *there) in ("OK", "ENOENT"):
	    pass
	print(name(other_flow, s, *there))
END
must spawn_ready hammer ns box python3 -c "$(cat "$TMP/prelude" "$TMP/hammer")"
hammer=$spawned
topo_box_rules_off
topo_down
module_gone
wait $hammer
is "$(tail -n 1 "$TMP/hammer.out")" ENOPROTOOPT "the option is gone with it"

done_testing
