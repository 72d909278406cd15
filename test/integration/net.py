#!/usr/bin/python3 -SE
"""What scenarios need of packets and bash cannot do. Every use ends by itself: with a status, or after a time.

  net.py serve                     TCP on port 7000 and UDP on 7001, both families, until killed; says "ready"
  net.py exchange HOST MIB         with such a server: a stream of MIB MiB there and a small one back, each with its MD5
                                   behind it, then datagrams that are echoed: some small, some in fragments
  net.py talk HOST                 with such a server: a word, an answer, ten times a second; says "ready". When killed, after
                                   five more answers, says how many words were answered and the longest wait in ms
  net.py forge DEVICE MAC MARK DESTINATION... -- SOURCE...
                                   a datagram to each DESTINATION from each SOURCE of its family, past the IP stack and
                                   to MAC ("-" for DEVICE's own, which both ends of a container's pair have)
  net.py chatter DEVICE            datagrams to 10.99.0.2 without end, as soon as and as long as DEVICE lets us
  net.py hold NETNS DEVICE exists|up MILLISECONDS COMMAND...
                                   runs COMMAND, and stops it for so long as soon as DEVICE in NETNS exists, or is up
  net.py watch MARK END            prints "SOURCE DESTINATION" of each packet that comes in with MARK in it, until one with END
  net.py tunnel DEVICE NETNS       two L3 devices of that name, ours and NETNS's, joined until killed; says "ready"
  net.py banish DEVICE PID         has the kernel move DEVICE to the network namespace of PID; prints its error's name
  net.py off DEVICE                has the kernel complete checksums, as for a device that cannot
  net.py names                     a name server: every name ending in .test is 10.99.0.2 and fd99::2; until killed; says
                                   "ready", and prints the address of each who asks
  net.py advertise DEVICE          a router advertisement: we are a default router for ten minutes
"""
import array
import errno
import fcntl
import hashlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

TCP, UDP, BLOCK, PATIENCE = 7000, 7001, 1 << 20, 120
ETH_IP, ETH_IP6, ETH_ALL = 0x0800, 0x86DD, 0x0003


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send_stream(sock, mib):
    """MIB MiB of which no two blocks are the same, and their digest."""
    digest, block = hashlib.md5(), bytearray(os.urandom(BLOCK))
    for number in range(mib):
        block[:8] = struct.pack("!Q", number)
        digest.update(block)
        sock.sendall(block)
    sock.sendall(digest.digest())


def receive(sock, view):
    done = 0
    while done < len(view):
        n = sock.recv_into(view[done:])
        if n == 0:
            raise EOFError("the stream ended early")
        done += n


def receive_stream(sock, mib):
    """Whether MIB MiB arrive as they were sent."""
    digest, block, sent = hashlib.md5(), bytearray(BLOCK), bytearray(16)
    for _ in range(mib):
        receive(sock, memoryview(block))
        digest.update(block)
    receive(sock, memoryview(sent))
    return digest.digest() == sent


def serve_tcp(sock):
    request = bytearray(9)
    receive(sock, memoryview(request))
    up, mib = struct.unpack("!cQ", request)
    if up == b"t":
        while word := sock.recv(64):
            sock.sendall(word)
    elif up == b"u":
        sock.sendall(b"\1" if receive_stream(sock, mib) else b"\0")
    else:
        send_stream(sock, mib)
        sock.recv(1)
    sock.close()


def serve():
    tcp = socket.create_server(("::", TCP), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", UDP))
    print("ready", flush=True)
    while True:
        for ready in select.select([tcp, udp], [], [])[0]:
            if ready is tcp:
                threading.Thread(target=serve_tcp, args=(tcp.accept()[0],), daemon=True).start()
            else:
                data, peer = udp.recvfrom(65535)
                udp.sendto(data, peer)


def tcp(host, mib, direction):
    sock = socket.create_connection((host, TCP), timeout=PATIENCE)
    start = time.monotonic()
    sock.sendall(struct.pack("!cQ", direction[:1].encode(), mib))
    if direction == "up":
        send_stream(sock, mib)
        intact = sock.recv(1) == b"\1"
    else:
        intact = receive_stream(sock, mib)
    print("TCP", direction, mib, "MiB,", int(mib / (time.monotonic() - start)), "MiB/s", flush=True)
    if not intact:
        raise OSError("the stream is damaged")


def talk(host):
    longest, answered, enough = 0, 0, None
    with socket.create_connection((host, TCP), timeout=PATIENCE) as sock:
        sock.sendall(struct.pack("!cQ", b"t", 0))

        def end(*_):
            nonlocal enough
            enough = answered + 5

        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        # Who is killed talks on for a while: whatever happened before must not have harmed him.
        while enough is None or answered < enough:
            start, word = time.monotonic(), b"%8d" % answered
            sock.sendall(word)
            answer = bytearray(len(word))
            receive(sock, memoryview(answer))
            if answer != word:
                raise OSError("another answer than the word")
            answered, longest = answered + 1, max(longest, time.monotonic() - start)
            time.sleep(0.1)
    print(answered, int(longest * 1000), flush=True)


def udp(host, size, count):
    sock = socket.socket(family(host), socket.SOCK_DGRAM)
    sock.settimeout(20)
    sock.connect((host, UDP))
    for number in range(count):
        data = struct.pack("!I", number) + os.urandom(size - 4)
        for attempt in range(3):
            try:
                sock.send(data)
                answer = sock.recv(65535)
                break
            except OSError as error:
                # The path has just told how much fits: what comes next is cut to that.
                if error.errno != errno.EMSGSIZE or attempt == 2:
                    raise
        if answer != data:
            raise OSError("datagram %d of %d bytes came back changed" % (number, size))
    print("UDP", count, "times", size, "bytes", flush=True)


def exchange(host, mib):
    tcp(host, int(mib), "up")
    tcp(host, 8, "down")
    udp(host, 1200, 30)
    udp(host, 8000, 10)
    udp(host, 65000, 2)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, destination, payload):
    """An IP packet with a UDP datagram to port 4242."""
    src, dst = (socket.inet_pton(family(a), a) for a in (source, destination))
    header = struct.pack("!HHHH", 4242, 4242, 8 + len(payload), 0)
    pseudo = src + dst + struct.pack("!II", len(header) + len(payload), socket.IPPROTO_UDP)
    body = header[:6] + struct.pack("!H", checksum(pseudo + header + payload) or 0xFFFF) + payload
    if family(source) == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_UDP, 64) + src + dst + body
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, socket.IPPROTO_UDP, 0)
    return ip[:10] + struct.pack("!H", checksum(ip + src + dst)) + src + dst + body


def forge(device, mac, mark, *words):
    if mac == "-":
        with open("/sys/class/net/%s/address" % device, encoding="ascii") as f:
            mac = f.read().strip()
    ends = bytes.fromhex(mac.replace(":", "")) + b"\2\0\0\0\0\1"
    split = words.index("--")
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((device, 0))
    # For filters that tell packets by it (SO_MARK, which this Python does not name).
    sock.setsockopt(socket.SOL_SOCKET, 36, int(os.environ.get("FORGE_MARK", "0")))
    sent = 0
    for destination in words[:split]:
        for source in words[split + 1 :]:
            if family(source) == family(destination):
                ether = struct.pack("!H", ETH_IP6 if ":" in source else ETH_IP)
                try:
                    sock.send(ends + ether + datagram(source, destination, mark.encode()))
                except OSError as error:
                    # What netkit's program drops, it drops before the sender's eyes.
                    if error.errno != errno.ENOBUFS:
                        raise
                sent += 1
    print(sent)


def chatter(device):
    packet = struct.pack("!H", ETH_IP) + datagram("192.0.2.66", "10.99.0.2", b"early")
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.setblocking(False)
    print("ready", flush=True)
    while True:
        time.sleep(0.0005)
        try:
            plain.sendto(b"early", ("10.99.0.2", 4242))
        except OSError:
            pass
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
                sock.bind((device, 0))
                # To the device's own address, which the host end has as well.
                sock.send(sock.getsockname()[4] + b"\2\0\0\0\0\1" + packet)
        except OSError:
            pass


def hold(netns, device, stage, milliseconds, *command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with open("/run/netns/" + netns, encoding="ascii") as f:
        os.setns(f.fileno(), os.CLONE_NEWNET)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    request = struct.pack("40s", device.encode())
    up = False
    while process.poll() is None:
        try:
            # SIOCGIFFLAGS; IFF_UP
            up = struct.unpack("16xH", fcntl.ioctl(sock, 0x8913, request)[:18])[0] & 1
        except OSError:
            continue
        if up or stage == "exists":
            break
    process.send_signal(signal.SIGSTOP)
    print("held", "up" if up else "down", flush=True)
    time.sleep(int(milliseconds) / 1000)
    process.send_signal(signal.SIGCONT)
    return process.wait() == 0


def parse(frame):
    """Source and destination of a frame's IP packet, or None."""
    ether = struct.unpack("!H", frame[12:14])[0]
    if ether == ETH_IP:
        return socket.inet_ntop(socket.AF_INET, frame[26:30]), socket.inet_ntop(socket.AF_INET, frame[30:34])
    if ether == ETH_IP6:
        return socket.inet_ntop(socket.AF_INET6, frame[22:38]), socket.inet_ntop(socket.AF_INET6, frame[38:54])
    return None


def watch(mark, end):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.settimeout(PATIENCE)
    print("ready", flush=True)
    while True:
        frame, address = sock.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING:
            continue
        if mark.encode() in frame:
            print(*(parse(frame) or ("no", "IP")), flush=True)
        if end.encode() in frame:
            return


def open_tun(device):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    # TUNSETIFF with IFF_TUN | IFF_NO_PI: each read and write is one bare IP packet.
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", device.encode(), 0x1001))
    return fd


def tunnel(device, netns):
    ours = open_tun(device)
    with open("/run/netns/" + netns, encoding="ascii") as f:
        os.setns(f.fileno(), os.CLONE_NEWNET)
    other = {ours: open_tun(device)}
    other[other[ours]] = ours
    print("ready", flush=True)
    while True:
        for ready in select.select(list(other), [], [])[0]:
            try:
                os.write(other[ready], os.read(ready, 65536))
            except OSError as error:
                if error.errno != errno.EIO:  # the other end is down
                    raise


def banish(device, pid):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    # RTM_NEWLINK with NLM_F_REQUEST | NLM_F_ACK; ifinfomsg; IFLA_NET_NS_PID.
    body = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(device), 0, 0) + struct.pack("=HHI", 8, 19, int(pid))
    sock.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)
    print(errno.errorcode.get(-struct.unpack("=i", sock.recv(4096)[16:20])[0], "moved"))


def off(device):
    value = array.array("B", struct.pack("II", 0x17, 0))  # ETHTOOL_STXCSUM
    fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sQ16x", device.encode(), value.buffer_info()[0]))


def names():
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 53))
    print("ready", flush=True)
    while True:
        query, peer = sock.recvfrom(512)
        print(peer[0].removeprefix("::ffff:"), flush=True)
        end = query.index(0, 12) + 5
        known = query[: end - 4].lower().endswith(b"\4test\0")
        address = {b"\0\1": b"\x0a\x63\0\2", b"\0\x1c": socket.inet_pton(socket.AF_INET6, "fd99::2")}.get(query[end - 4 : end - 2])
        answer = b""
        if known and address:
            # The name as in the query, its type, class IN, for a minute.
            answer = b"\xc0\x0c" + query[end - 4 : end] + struct.pack("!IH", 60, len(address)) + address
        # RFC 1035, 4.1.1: an authoritative answer to one question; 3 is for a name that does not exist.
        flags = 0x8400 if known else 0x8403
        sock.sendto(query[:2] + struct.pack("!HHHHH", flags, 1, bool(answer), 0, 0) + query[12:end] + answer, peer)


def advertise(device):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    # RFC 4861, 4.2: type 134, hop limit 64, no flags, lifetime 600 s, no timers.
    sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 600, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex(device)))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (
        "serve", "exchange", "talk", "forge", "chatter", "hold", "watch", "tunnel", "banish", "off", "names", "advertise"
    ):
        sys.exit(__doc__)
    try:
        sys.exit(0 if globals()[sys.argv[1]](*sys.argv[2:]) is not False else 1)
    except (OSError, EOFError) as failure:
        sys.exit("net.py %s: %s" % (" ".join(sys.argv[1:4]), failure))
