#!/bin/bash
# lab: check=backports
# Checksums that are left to the device: one that a forger has written into his packet's header, long after it was
# looked at, and one in the quote of an error, behind the back of the error's own.
. "$(dirname "$0")/lib.bash"

cat >/tmp/offload.py <<'PYTHON'
"""offload.py raw DEVICE SOURCE DESTINATION TEXT [FIELD WANTED] | options DEVICE SOURCE DESTINATION | provoke DESTINATION TTL SIZE"""
import os, socket, struct, sys
sys.path.insert(0, os.environ["HERE"])
import net

def words(data):
    return sum(struct.unpack("!%dH" % (len(data) // 2), data))

def raw(device, source, destination, text, field="", wanted=""):
    """A datagram whose checksum (PACKET_VNET_HDR) is due at FIELD of the frame, as WANTED; or where it belongs."""
    v6 = ":" in source
    with open("/sys/class/net/%s/address" % device, encoding="ascii") as f:
        mac = bytes.fromhex(f.read().strip().replace(":", ""))
    ether = struct.pack("!H", net.ETH_IP6 if v6 else net.ETH_IP)
    payload = text.ljust(8).encode() + b"\0\0"
    frame = bytearray(mac + b"\2\0\0\0\0\1" + ether + net.datagram(source, destination, payload))
    start = int(field) - 6 if field else 54 if v6 else 34
    if field:
        # One hop less is no matter in IPv4, where the header's checksum makes up for it.
        total = words(frame[start:]) - (1 if v6 and start <= 21 else 0)
        frame[-2:] = struct.pack("!H", ((~int(wanted, 16) & 0xFFFF) - total) % 0xFFFF)
    send(device, frame, start, 6)

def options(device, source, destination):
    """A datagram with IPv4 options, of which two bytes are to become a checksum: a source route, say."""
    ip = bytearray(net.datagram(source, destination, b"forged"))
    ip[20:20] = b"\1\1\1\1"
    ip[0], ip[3], ip[10:12] = 0x46, len(ip), b"\0\0"
    ip[10:12] = struct.pack("!H", net.checksum(bytes(ip[:24])))
    send(device, bytes(12) + struct.pack("!H", net.ETH_IP) + ip, 34, 0)

def send(device, frame, start, offset):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
    sock.bind((device, 0))
    try:
        sock.send(struct.pack("<BBHHHH", 1, 0, 0, 0, start, offset) + bytes(frame))
    except OSError as error:
        if error.errno != net.errno.ENOBUFS:  # netkit's word for a drop
            raise

def provoke(destination, ttl, size):
    """A datagram with DF that comes back as an error, whose errno is printed."""
    v6 = ":" in destination
    sock = socket.socket(net.family(destination), socket.SOCK_DGRAM)
    for option, value in ((16, int(ttl)), (25, 1), (23, 3)) if v6 else ((2, int(ttl)), (11, 1), (10, 3)):
        sock.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, option, value)
    sock.settimeout(5)
    sock.connect((destination, 4242))
    sock.send(b"x" * int(size))
    try:
        sock.recv(1)
    except OSError as error:
        print(net.errno.errorcode.get(error.errno, error))

globals()[sys.argv[1]](*sys.argv[2:])
PYTHON
offload_in() { HERE=$here ip netns exec "$1" python3 -SEB /tmp/offload.py "${@:2}"; }

world
plain one
plain narrow --mtu 1300
v4=$(address4 one) v6=$(address6 one)
net off wire
background /tmp/beyond beyond "$here/net.py" watch forged honest6

echo "# a checksum that would become the source address"
malformed=$(dropped one malformed)
offload_in one raw eth0 "$v4" 10.99.0.2 forged 26 0808
offload_in one raw eth0 "$v4" 10.99.0.2 forged 28 0808
offload_in one raw eth0 "$v6" fd99::2 forged 26 beef
offload_in one raw eth0 "$v6" fd99::2 forged 36 beef
offload_in one options eth0 "$v4" 10.99.0.2
eventually test_dropped one malformed $((malformed + 5))
ok "each is dropped and counted"
offload_in one raw eth0 "$v4" 10.99.0.2 honest4
offload_in one raw eth0 "$v6" fd99::2 honest6
wait "${backgrounds[@]}"
backgrounds=()
check_equal "beyond heard nothing forged" ready "$(cat /tmp/beyond)"
check_equal "and what is due where it belongs is not counted" $((malformed + 5)) "$(dropped one malformed)"

echo "# errors that quote an unfinished checksum"
check_equal "hops used up, IPv4" EHOSTUNREACH "$(offload_in beyond provoke "$v4" 1 100)"
check_equal "hops used up, IPv6" EHOSTUNREACH "$(offload_in beyond provoke "$v6" 1 100)"
check_equal "of an empty packet, IPv4" EHOSTUNREACH "$(offload_in beyond provoke "$v4" 1 0)"
check_equal "of an empty packet, IPv6" EHOSTUNREACH "$(offload_in beyond provoke "$v6" 1 0)"
check_equal "too big, IPv4" EMSGSIZE "$(offload_in beyond provoke "$(address4 narrow)" 64 1400)"
check_equal "too big, IPv6" EMSGSIZE "$(offload_in beyond provoke "$(address6 narrow)" 64 1400)"

shunt detach one
shunt detach narrow
nothing_left
finish
