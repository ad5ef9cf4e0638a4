#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A transparent proxy that says which MAC addresses its clients have.

    so-macs.py [-6] [-p] [-z ZONE] tcp|udp PORT

It takes what TPROXY brings. Of each connection it prints the record of the client's
leg and of its own to the server, which has the client's address and, with -p, port;
datagrams it answers itself. mackeep-macs(7) explains the option.
"""
import argparse
import ctypes
import os
import socket
import struct
import threading

MACKEEP_SO_MACS = 0x4D4B
MACS = struct.Struct("=BBBxHHI6s6s8xB7x")
FLOW = struct.Struct("=40xHH2s2s16s16s")
IP_TRANSPARENT, IP_RECVORIGDSTADDR = 19, 20
IPV6_TRANSPARENT, IPV6_RECVORIGDSTADDR = 75, 74

libc = ctypes.CDLL(None, use_errno=True)


def mac(address):
    return address.hex(":")


def level(sock):
    return socket.SOL_IP if sock.family == socket.AF_INET else socket.IPPROTO_IPV6


def own_flow(sock):
    """Of a socket that has a peer; the kernel reads nothing of the buffer."""
    return sock.getsockopt(level(sock), MACKEEP_SO_MACS, MACS.size)


def peer_mac(raw):
    *_, src, dst, opened = MACS.unpack_from(raw)
    return dst if opened else src


def proxy_header(client):
    """PROXY protocol, version 2, with the client's MAC address as field 0xE0"""
    host, port = client.getpeername()[:2]
    server, to = client.getsockname()[:2]
    ends = b"".join(socket.inet_pton(client.family, end) for end in (host, server))
    field = struct.pack("!BH", 0xE0, 6) + peer_mac(own_flow(client))
    rest = ends + struct.pack("!HH", port, to) + field
    family = 0x11 if client.family == socket.AF_INET else 0x21
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, family, len(rest)) + rest


def other_flow(sock, local=None, peer=None, zone=0):
    """Of a socket without a peer, or in another conntrack zone."""
    def end(address):
        host, port = address[:2]
        return struct.pack("!H", port), socket.inet_pton(sock.family, host)

    nowhere = (b"", b"")
    here, there = end(local) if local else nowhere, end(peer) if peer else nowhere
    buf = ctypes.create_string_buffer(
        FLOW.pack(sock.family if peer else 0, zone, here[0], there[0], here[1], there[1]),
        FLOW.size)
    size = ctypes.c_uint32(FLOW.size)
    if libc.getsockopt(sock.fileno(), level(sock), MACKEEP_SO_MACS, buf,
                       ctypes.byref(size)):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return buf.raw


def text(raw):
    _, flags, _, vlan, _, ifindex, src, dst, opened = MACS.unpack_from(raw)
    own = src if opened else dst
    device = socket.if_indextoname(ifindex) if ifindex else "-"
    return f"peer={mac(peer_mac(raw))} own={mac(own)} vlan={vlan} dev={device} flags={flags}"


def say(what, *rest):
    print(what, *rest, flush=True)


def tell(what, address, ask, *args):
    try:
        say(what, address[0], text(ask(*args)))
    except OSError as error:
        say(what, address[0], os.strerror(error.errno))


def transparent(family, kind, address, v6only=1):
    sock = socket.socket(family, kind)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    return sock


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def relay(client, address, zone, same_port):
    ask = (lambda sock: other_flow(sock, zone=zone)) if zone else own_flow
    with client:
        tell("client", address, ask, client)
        port = address[1] if same_port else 0
        server = transparent(client.family, socket.SOCK_STREAM, (address[0], port))
        with server:
            server.connect(client.getsockname()[:2])
            tell("server", server.getpeername(), ask, server)
            back = threading.Thread(target=copy, args=(server, client))
            back.start()
            copy(client, server)
            back.join()


def tcp(family, port, zone, same_port):
    listener = transparent(family, socket.SOCK_STREAM, ("", port))
    listener.listen()
    say("ready")
    while True:
        client, address = listener.accept()
        threading.Thread(target=relay, args=(client, address, zone, same_port),
                         daemon=True).start()


def original(family, control):
    """Where the datagram was sent to: a struct sockaddr_in or sockaddr_in6"""
    raw = control[0][2]
    port, = struct.unpack_from("!H", raw, 2)
    host = raw[4:8] if family == socket.AF_INET else raw[8:24]
    return socket.inet_ntop(family, host), port


def udp(family, port, zone, _):
    sock = transparent(family, socket.SOCK_DGRAM, ("", port))
    if family == socket.AF_INET:
        sock.setsockopt(socket.SOL_IP, IP_RECVORIGDSTADDR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
    say("ready")
    while True:
        data, control, _, address = sock.recvmsg(65536, 256)
        server = original(family, control)
        tell("client", address, other_flow, sock, server, address, zone)
        with transparent(family, socket.SOCK_DGRAM, server) as answer:
            answer.connect(address)
            answer.send(data)
            tell("answer", address, own_flow, answer)


parser = argparse.ArgumentParser()
parser.add_argument("-6", dest="v6", action="store_true")
parser.add_argument("-p", dest="same_port", action="store_true")
parser.add_argument("-z", dest="zone", type=int, default=0)
parser.add_argument("proto", choices=("tcp", "udp"))
parser.add_argument("port", type=int)
if __name__ == "__main__":
    args = parser.parse_args()
    (tcp if args.proto == "tcp" else udp)(
        socket.AF_INET6 if args.v6 else socket.AF_INET, args.port, args.zone,
        args.same_port)
