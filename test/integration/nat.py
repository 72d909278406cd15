#!/usr/bin/python3 -SE
"""Flows in numbers, and what they look like from out there. Every use ends by itself, or is killed.

  nat.py serve [PORT [NAME]]       TCP and UDP, both families (7002): a word of 16 bytes is answered by itself and 64 bytes more,
                                   with the address and port of who has sent it, and NAME; a connection whose word begins with
                                   "c" is closed then. Says "ready"
  nat.py ask tcp|udp HOST [SPORT [PORT]]   prints "ADDRESS PORT", which we are to such a server
  nat.py seen HOST...              the same address, by TCP and by UDP to each HOST
  nat.py crowd COUNT HOST...       COUNT connections, in turn to each HOST. Prints "ready COUNT LOW HIGH ADDRESS..." when all have
                                   been answered: the ports and addresses that they are seen with. After each SIGUSR1 all speak
                                   again: "again ANSWERED OTHERWISE", of which the latter are seen with another port now
  nat.py spread COUNT HOST PORT    COUNT connections. Prints "ready", and after each SIGUSR1 "again", with "NAME:COUNT" of all who
                                   answer, and "lost:COUNT"
  nat.py serial COUNT HOST [SPORT] COUNT connections, each after the one before was closed by the server: prints how many ports
                                   they were seen with, and the longest in ms
  nat.py push PORT                 a server of both families: "ready", and who has connected then hears a word after each SIGUSR1, on
                                   which "pushed COUNT" is printed
  nat.py listen COUNT HOST PORT    COUNT connections to it that say nothing. Prints "ready", and after each SIGUSR1 "again HEARD", of
                                   those that have heard a word since the last
  nat.py speak tcp|udp HOST [SPORT]  a word ten times a second; says "ready". Prints each "ADDRESS PORT" that it is seen with, once;
                                   of TCP the name of the error that ends it, and when killed, after four more
                                   answers, "ANSWERED LOST LONGEST", the last in ms
  nat.py spray COUNT SPORT HOST... one socket sends a datagram to each of COUNT ports and HOSTs, which nobody answers
  nat.py say HOST SPORT PORT       a datagram from that port, and no wait for an answer
  nat.py ports LOW HIGH HOST [SECONDS]  a datagram from each of these ports, which is answered: prints how many were. After so
                                   long none is waited for (20)
  nat.py burst COUNT HOST...       as resolvers do: sockets that are not connected ask all HOSTs at once, several times; prints
                                   how many questions, and how many answers were from who was asked
  nat.py refused HOST              prints the error that a connected socket gets from a port where nobody listens, and who told
  nat.py trace HOST                prints the addresses of all hops on the way
"""
import errno
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

PORT, WORD, ANSWER, PATIENCE = 7002, 16, 80, 60


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def many():
    """Makes room for connections: 1024 is what a process gets from a kernel where nobody has said otherwise."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))


def serve(port=PORT, own_name=""):
    def name(peer):
        return ("%s %d %s" % (peer[0].removeprefix("::ffff:"), peer[1], own_name)).encode().ljust(ANSWER - WORD)

    many()
    tcp = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO: the answer comes from the address that was asked, by any way
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    udp.bind(("::", int(port)))
    poll, peers = select.epoll(), {}
    poll.register(tcp, select.EPOLLIN)
    poll.register(udp, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == tcp.fileno():
                sock, peer = tcp.accept()
                peers[sock.fileno()] = sock, name(peer)
                poll.register(sock, select.EPOLLIN)
            elif fd == udp.fileno():
                word, info, _, peer = udp.recvmsg(WORD, 64)
                try:
                    udp.sendmsg([word + name(peer)], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info[0][2][:16] + bytes(4))], 0, peer)
                except OSError:
                    pass  # an error that an earlier answer has met
            else:
                sock, who = peers[fd]
                try:
                    word = sock.recv(WORD)
                    if word:
                        sock.send(word + who)
                except OSError:
                    word = b""
                if not word or word[:1] == b"c":
                    poll.unregister(fd)
                    sock.close()
                    del peers[fd]


def receive(sock, word):
    """The name that the server has answered with."""
    answer = b""
    while len(answer) < ANSWER:
        part = sock.recv(ANSWER - len(answer))
        if not part:
            raise OSError(errno.EPIPE, "the connection was closed")
        answer += part
    if answer[:WORD] != word:
        raise OSError(errno.EBADMSG, "another answer than the word")
    return answer[WORD:].decode().split()


def answer_to(sock, word):
    """The same of a datagram's answer, behind those that came too late."""
    while True:
        answer = sock.recv(ANSWER)
        if answer[:WORD] == word:
            return answer[WORD:].decode().split()


def connect(kind, host, sport=0, port=PORT):
    sock = socket.socket(family(host), socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(PATIENCE if kind == "tcp" else 20)
    if sport:
        sock.bind(("", int(sport)))
    sock.connect((host, int(port)))
    return sock


def ask(kind, host, sport=0, port=PORT):
    sock = connect(kind, host, sport, port)
    word = os.urandom(8).hex().encode().replace(b"c", b"x")
    sock.send(word)
    print(*receive(sock, word))


def seen(*hosts):
    for host in hosts:
        for kind in "tcp", "udp":
            sock = connect(kind, host)
            sock.send(b"x" * WORD)
            print(receive(sock, b"x" * WORD)[0], end=" ")


def all_speak(socks):
    """For each of them, what the server has answered, or None."""
    seen = []
    for number, sock in enumerate(socks):
        try:
            sock.send(b"%16d" % number)
        except OSError:
            pass  # as is seen below
    for number, sock in enumerate(socks):
        try:
            seen.append(tuple(receive(sock, b"%16d" % number)))
        except OSError:
            seen.append(None)
    return seen


def crowd(count, *hosts):
    many()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    socks = [connect("tcp", hosts[number % len(hosts)]) for number in range(int(count))]
    first = all_speak(socks)
    if None in first:
        raise OSError("%d connections without an answer" % first.count(None))
    ports = [int(who[1]) for who in first]
    print("ready", len(first), min(ports), max(ports), *sorted({who[0] for who in first}), flush=True)
    while True:
        signal.sigwait([signal.SIGUSR1])
        again = all_speak(socks)
        answered = [number for number, who in enumerate(again) if who]
        print("again", len(answered), sum(again[number] != first[number] for number in answered), flush=True)


def spread(count, host, port):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    socks, word = [connect("tcp", host, 0, port) for number in range(int(count))], "ready"
    while True:
        names = [who[2] if who else "lost" for who in all_speak(socks)]
        print(word, *("%s:%d" % (name, names.count(name)) for name in sorted(set(names))), flush=True)
        signal.sigwait([signal.SIGUSR1])
        word = "again"


def push(port):
    tcp = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    connections = []
    print("ready", flush=True)
    while True:
        signal.sigwait([signal.SIGUSR1])
        while select.select([tcp], [], [], 0)[0]:
            connections.append(tcp.accept()[0])
        for connection in connections:
            connection.send(b"x" * WORD)
        print("pushed", len(connections), flush=True)


def listen(count, host, port):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    socks = [connect("tcp", host, 0, port) for number in range(int(count))]
    print("ready", flush=True)
    while True:
        signal.sigwait([signal.SIGUSR1])
        heard, end = 0, time.monotonic() + 10
        for sock in socks:
            sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                heard += sock.recv(WORD) == b"x" * WORD
            except OSError:
                pass
        print("again", heard, flush=True)


def serial(count, host, sport=0):
    seen, longest = set(), 0
    for number in range(int(count)):
        start = time.monotonic()
        with connect("tcp", host, sport) as sock:
            word = b"c%15d" % number
            sock.send(word)
            seen.add(tuple(receive(sock, word)))
            sock.recv(1)  # the server's end
        longest = max(longest, time.monotonic() - start)
    print(len(seen), int(longest * 1000))


def speak(kind, host, sport=0):
    answered, lost, longest, seen, enough = 0, 0, 0, None, None

    def end(*_):
        nonlocal enough
        enough = answered + 4

    signal.signal(signal.SIGTERM, end)
    sock = connect(kind, host, sport)
    sock.settimeout(PATIENCE if kind == "tcp" else 3)
    number = 0
    # Who is killed speaks on until he was answered again: whatever happened before must not have harmed him.
    while enough is None or (answered < enough and lost < 10):
        number += 1
        word, start = b"%16d" % number, time.monotonic()
        try:
            sock.send(word)
            who = receive(sock, word) if kind == "tcp" else answer_to(sock, word)
            if who != seen:
                print(*who, flush=True)
                if not seen:
                    print("ready", flush=True)
                seen = who
            answered, longest = answered + 1, max(longest, time.monotonic() - start)
        except OSError as error:
            if kind == "tcp":
                print(errno.errorcode.get(error.errno, error), flush=True)
                if enough is None:
                    signal.pause()
                break
            lost += 1
        time.sleep(0.1)
    print(answered, lost, int(longest * 1000), flush=True)


def spray(count, sport, *hosts):
    sock = socket.socket(family(hosts[0]), socket.SOCK_DGRAM)
    sock.bind(("", int(sport)))
    for number in range(int(count)):
        try:
            sock.sendto(b"spray", (hosts[number % len(hosts)], 1024 + number // len(hosts)))
        except OSError as error:
            # What a program has dropped, or a full queue, is told to the sender at times.
            if error.errno not in (errno.ENOBUFS, errno.EPERM, errno.ECONNREFUSED):
                raise


def say(host, sport, port):
    connect("udp", host, sport, port).send(b"x" * WORD)


def ports(low, high, host, seconds=20):
    socks, answered, end = [], 0, time.monotonic() + float(seconds)
    for port in range(int(low), int(high) + 1):
        sock = connect("udp", host, port)
        sock.send(b"%16d" % port)
        socks.append(sock)
    for sock in socks:
        sock.settimeout(max(0.01, end - time.monotonic()))
        try:
            receive(sock, b"%16d" % sock.getsockname()[1])
            answered += 1
        except OSError:
            pass
    print(answered)


def burst(count, *hosts):
    asked = right = 0
    for number in range(int(count)):
        with socket.socket(family(hosts[0]), socket.SOCK_DGRAM) as sock:
            sock.settimeout(20)
            # Two questions, A and AAAA, to each server, as a resolver in a hurry.
            open_questions = {(host, b"%15d%d" % (number, kind)) for host in hosts for kind in range(2)}
            asked += len(open_questions)
            for host, word in open_questions:
                sock.sendto(word, (host, PORT))
            while open_questions:
                try:
                    answer, peer = sock.recvfrom(ANSWER)
                except OSError:
                    break
                if (peer[0], answer[:WORD]) in open_questions:
                    right += 1
                    open_questions.remove((peer[0], answer[:WORD]))
    print(asked, right)


# IP_RECVERR or IPV6_RECVERR: ICMP errors are kept for whoever asks, with their sender behind struct sock_extended_err.
def recverr(sock, v6):
    sock.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, 25 if v6 else 11, 1)


def offender(sock, v6):
    """Error and sender of the next ICMP error, or None."""
    poll = select.poll()
    poll.register(sock, 0)
    if not poll.poll(20000):
        return None
    _, control, _, _ = sock.recvmsg(512, 512, 0x2000)  # MSG_ERRQUEUE
    for level, _, data in control:
        if level in (socket.IPPROTO_IP, socket.IPPROTO_IPV6) and len(data) >= 32:
            error = struct.unpack("=I", data[:4])[0]
            return errno.errorcode[error], socket.inet_ntop(family("::" if v6 else ""), data[24:40] if v6 else data[20:24])
    return None


def refused(host):
    v6 = ":" in host
    sock = connect("udp", host, 0, 9)
    sock.send(b"anybody?")
    try:
        sock.recv(1)
    except OSError as error:
        told = errno.errorcode.get(error.errno, str(error))
    sock = socket.socket(family(host), socket.SOCK_DGRAM)
    recverr(sock, v6)
    sock.sendto(b"anybody?", (host, 9))
    print(told, *offender(sock, v6) or ["nobody"])


def trace(host):
    v6 = ":" in host
    for ttl in range(1, 9):
        sock = socket.socket(family(host), socket.SOCK_DGRAM)
        recverr(sock, v6)
        sock.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
        sock.sendto(b"hop?", (host, 33434 + ttl))
        found = offender(sock, v6)
        print(found[1] if found else "?", flush=True)
        if not found or found[1] == host:
            break


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (
        "serve", "ask", "seen", "crowd", "spread", "push", "listen", "serial", "speak", "spray", "say", "ports", "burst", "refused", "trace"
    ):
        sys.exit(__doc__)
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except (OSError, EOFError) as failure:
        sys.exit("nat.py %s: %s" % (" ".join(sys.argv[1:4]), failure))
