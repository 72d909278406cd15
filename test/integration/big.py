#!/usr/bin/python3 -SE
"""What bigtcp.sh needs beside net.py.

  big.py watch NETNS DEVICE...     says "ready"; when killed, for each the largest packet that came in and that went out, in
                                   bytes of the network layer, and how many of those above 64 KiB had a length of 0, and
                                   a jumbo option
  big.py streams HOST MIB          a stream there and one back, by net.py's server, which must arrive whole
  big.py options HOST MIB          a stream to net.py's server, with a record route option in each IPv4 packet
  big.py set DEVICE FEATURE on|off FEATURE is gro, gso or tso
"""
import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import sys

import net

SOL_PACKET, PACKET_AUXDATA, SO_ATTACH_FILTER, SO_RCVBUFFORCE = 263, 8, 26, 33
SNAP = 128


class Watch:
    """A device in a network namespace, or the host's where NETNS is "-"."""

    def __init__(self, netns, device):
        if netns != "-":
            with open("/run/netns/" + netns, encoding="ascii") as f:
                os.setns(f.fileno(), os.CLONE_NEWNET)
        self.largest, self.zero, self.jumbo = {"in": 0, "out": 0}, 0, 0
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(net.ETH_ALL))
        # Of each packet the start is enough, as BPF of old says it: ret #SNAP.
        program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, SNAP))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
        self.sock.bind((device, net.ETH_ALL))

    def see(self):
        frame, ancillary, _, address = self.sock.recvmsg(SNAP, 64)
        ether = struct.unpack("!H", frame[12:14])[0]
        if ether not in (net.ETH_IP, net.ETH_IP6):
            return
        # struct tpacket_auxdata: tp_len is what the packet had before it was cut.
        length = struct.unpack("II", ancillary[0][2][:8])[1] - 14
        way = "out" if address[2] == socket.PACKET_OUTGOING else "in"
        self.largest[way] = max(self.largest[way], length)
        if length > 65535 + (40 if ether == net.ETH_IP6 else 0):
            self.zero += frame[16:18] == b"\0\0" if ether == net.ETH_IP else frame[18:20] == b"\0\0"
            # RFC 2675: a hop-by-hop header of nothing but the jumbo payload option.
            self.jumbo += ether == net.ETH_IP6 and frame[20] == 0 and frame[56:58] == b"\xc2\4"


def watch(*where):
    watches = {}
    for netns, device in zip(where[::2], where[1::2]):
        one = Watch(netns, device)
        watches[one.sock] = one

    def end(*_):
        for one in watches.values():
            print(one.largest["in"], one.largest["out"], one.zero, one.jumbo, flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        for ready in select.select(list(watches), [], [])[0]:
            watches[ready].see()


def streams(host, mib):
    net.tcp(host, int(mib), "up")
    net.tcp(host, int(mib), "down")


def options(host, mib):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(net.PATIENCE)
    # RFC 791, 3.1: type 7, with room for one address, behind one octet that does nothing.
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\7\7\4\0\0\0\0")
    sock.connect((host, net.TCP))
    sock.sendall(struct.pack("!cQ", b"u", int(mib)))
    net.send_stream(sock, int(mib))
    return sock.recv(1) == b"\1"


def set(device, feature, value):
    # ETHTOOL_SGRO, ETHTOOL_SGSO, ETHTOOL_STSO
    command = {"gro": 0x2C, "gso": 0x24, "tso": 0x1F}[feature]
    words = array.array("B", struct.pack("II", command, value == "on"))
    fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sQ16x", device.encode(), words.buffer_info()[0]))


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("watch", "streams", "options", "set"):
        sys.exit(__doc__)
    try:
        sys.exit(0 if globals()[sys.argv[1]](*sys.argv[2:]) is not False else 1)
    except (OSError, EOFError) as failure:
        sys.exit("big.py %s: %s" % (" ".join(sys.argv[1:4]), failure))
