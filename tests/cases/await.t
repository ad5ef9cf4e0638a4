#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# While more flows cross the bridge than it looks at, what a socket of the proxy waits
# for is lifted: from the first answer to the first packet that was sent, also if such
# frames went by a moment ago; after the flow was idle until conntrack had forgotten
# it; after the rules were away. A socket that has sent nothing gets its frames where
# there is time to look.
#
#   west -- w0 [ port0 br0 port1 ] e0 -- east: strangers, and then one for a socket
#                  sockets
#
# The test runs under a fast clock, and on one kernel in turn.
#
# Control: a socket that has sent nothing, beside the strangers.
#
# Seen by others: XTLS/Xray-core issue 4791, only the first datagram gets through;
# hoaxisr/awg-manager issue 684, flows that are offloaded while rules are away never come
# back; aws-samples/aws-gateway-load-balancer-tunnel-handler pull request 15, ports that
# are used again are still in a cache; openziti/edge issue 1503, flows that are idle.

V6=1
. "$(dirname "$0")/../lib/net.sh" || exit 1
[ "${MACKEEP_CLOCK-}" = fast ] || skip_all "a slow machine sends too few strangers"
need python3

cat >"$TMP/driver.py" <<'END'
import ctypes, os, select, socket, struct, sys, time

FLOWS, STRANGERS = 16, 400
CLIENT = {4: "192.0.2.31", 6: "2001:db8:1::31"}
SERVER = {4: "203.0.113.%d", 6: "2001:db8:2::%d"}
STRANGER = {4: "198.51.100.7", 6: "2001:db8:3::7"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
ROUTER, MAC = (bytes.fromhex(arg.replace(":", "")) for arg in sys.argv[1:3])

def enter(name):
    fd = os.open("/run/netns/mk-" + name, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000): # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), name)

def port(name, iface):
    enter(name)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((iface, 0))
    return s

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff

def datagram(v, smac, dmac, src, dst, sport, dport, text=b"answered"):
    src, dst = (socket.inet_pton(FAMILY[v], a) for a in (src, dst))
    udp = struct.pack("!HHHH", sport, dport, 16, 0) + text
    total = checksum(src + dst + struct.pack("!HH", 17, len(udp)) + udp)
    udp = udp[:6] + struct.pack("!H", total) + udp[8:]
    if v == 6:
        ip = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + src + dst
        return dmac + smac + b"\x86\xdd" + ip + udp
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + src + dst
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return dmac + smac + b"\x08\x00" + ip + udp

class Flow:
    def __init__(self, v, i):
        self.v, self.port, self.server = v, 47001 + i, SERVER[v] % (i + 1)
        self.answer = datagram(v, ROUTER, MAC, self.server, CLIENT[v], 443, self.port)
        self.stray = datagram(v, ROUTER, MAC, self.server, CLIENT[v], 443, self.port,
                              b"to noone")
        self.asked = datagram(v, MAC, ROUTER, CLIENT[v], self.server, 1000, 443)
        self.socket = None

    def open(self):
        s = self.socket = socket.socket(FAMILY[self.v], socket.SOCK_DGRAM)
        s.setsockopt(*((41, 75, 1) if self.v == 6 else (0, 19, 1))) # .._TRANSPARENT
        s.bind((CLIENT[self.v], self.port))
        s.connect((self.server, 443))
        s.setblocking(False)

    def close(self):
        self.socket.close()

    # Errors are of what went before: nobody is there, as others tell.
    def say(self):
        try:
            self.socket.send(b"asks")
        except OSError:
            self.socket.send(b"asks")

    def got(self):
        count = 0
        while True:
            try:
                count += self.socket.recv(100) == b"answered"
            except BlockingIOError:
                return count
            except OSError:
                pass

def each(verb):
    for flow in flows:
        getattr(flow, verb)()
    return len(flows)

# What is there in two seconds; a frame may still be in a queue.
def collect():
    count, end = 0, time.monotonic() + 2
    while count < len(flows) and time.monotonic() < end:
        select.select([flow.socket for flow in flows], [], [], 0.1)
        count += sum(flow.got() for flow in flows)
    return count

def answers(before):
    for flow in flows:
        for frame in before:
            east.send(frame)
        east.send(flow.answer)
    return collect()

def again():
    for flow in flows:
        for _ in range(3):
            east.send(flow.stray)
        flow.open()
        flow.say()
        east.send(flow.answer)
    return collect()

east, west = port("east", "e0"), port("west", "w0")
enter("box")
flows = [Flow(v, i) for v in (4, 6) for i in range(FLOWS)]
strangers = [datagram(v, ROUTER, MAC, STRANGER[v], CLIENT[v], 1024 + i, 53)
             for i in range(STRANGERS // 2) for v in (4, 6)]
do = {
    "open": lambda: each("open"), "close": lambda: each("close"),
    "say": lambda: each("say"), "again": again,
    "alone": lambda: answers([]), "beside": lambda: answers(strangers),
    "ask": lambda: sum(west.send(flow.asked) > 0 for flow in flows),
}
for line in sys.stdin:
    print(do[line.strip()](), flush=True)
END

# What the driver counted
drive() # COMMAND
{
	local count

	echo "$1" >&"${driver[1]}" && read -r -t 300 count <&"${driver[0]}" && echo "$count"
}

all()
{
	must [ "$(drive "$1")" = 32 ]
}

entries()
{
	ns box conntrack -L -p udp --orig-port-dst 443 --orig-src 192.0.2.31 2>/dev/null |
		grep -c 'sport=47'
}

no_entries()
{
	[ "$(entries)" = 0 ]
}

must topo_up
entries >/dev/null # that programs are read from a disk takes any time by this clock
coproc driver { exec python3 "$TMP/driver.py" $MAC_R $MAC_C1; }
driver_pid=$!
defer tap_kill $driver_pid

# --- control ------------------------------------------------------------------------

all open
is "$(drive alone)" 0 "no module: nothing is lifted"
kept_up
pause 1
is "$(drive alone)" 32 "sockets that have sent nothing: all is lifted"
cmp_ok "$(drive beside)" -lt 32 "the same beside strangers: not all of it"

# --- what is waited for ----------------------------------------------------------------

all ask
all say
is "$(drive beside)" 32 "sockets that have sent: all is lifted beside strangers"
all close
is "$(drive again)" 32 "ports that are used again: the first answer is lifted"
all close
must ns box conntrack -F 2>/dev/null
all ask
is "$(drive again)" 32 "the same where conntrack does not know them any more"

# --- idle --------------------------------------------------------------------------------

pause 3
all say
is "$(drive beside)" 32 "three seconds later"
isnt "$(entries)" 0 "conntrack knows the flows"
must ns box conntrack -F 2>/dev/null
is "$(drive beside)" 32 "it is flushed, and a server speaks first: all is lifted"
all ask
all say
pause 3
all say
is "$(drive beside)" 32 "three seconds later again"
pause 200
ok "and forgets them" busywait 600 no_entries
is "$(drive beside)" 32 "then a server speaks first: all is lifted"

# --- rules go and come back -----------------------------------------------------------------

# To read iptables may take long by this clock.
topo_sysctl box net.netfilter.nf_conntrack_udp_timeout=86400
all ask
all say
topo_box_rules_off
topo_box_rules -j MACKEEP
pause 1
is "$(drive beside)" 32 "rules were away: all is lifted"
is "$(drive beside)" 32 "and once more"
all close
tap_kill $driver_pid
net_done
