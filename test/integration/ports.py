#!/usr/bin/python3 -SE
"""Servers and clients that tell who they are, for published ports. Every use but the servers ends by itself.
PATIENCE: so many seconds an answer may take (30).

  ports.py answer NAME PORT...     TCP and UDP on each PORT, both families, until killed; says "ready". Whoever comes gets
                                   "NAME ADDRESS", the address being the one that it is seen by.
  ports.py ask WAY HOST PORT [SOURCE]
                                   asks such a server, from SOURCE: by "tcp", by "udp" on a connected socket, or by "sendto"
                                   on one that is not, five times. Prints the answer and whom it came from as the socket was
                                   told, or the error's name
  ports.py take tcp|udp ADDRESS PORT [hold]
                                   binds, and listens; prints "taken" or the error's name. To hold: says "ready", until killed
  ports.py who HOST PORT N         with such servers: who answers N connections
  ports.py talk HOST PORT N FILE GONE
                                   N connections; says "ready", and once there is no FILE, of whose connections all go on, or
                                   some, or none, as GONE's should
  ports.py cling FILE [WAY HOST PORT]...
                                   asks each such server by "tcp" or "udp" on a connected socket, and says "ready"; says of each
                                   that hears anything more, while there is a FILE, what; and then what each gets for one word more
"""
import errno
import os
import select
import socket
import sys
import threading
import time

PATIENCE = float(os.environ.get("PATIENCE", 30))


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def plain(address):
    return address.removeprefix("::ffff:")


def serve(name, connection, peer):
    """An answer for each word."""
    while connection.recv(64):
        connection.sendall(("%s %s" % (name, plain(peer[0]))).encode())
    connection.close()


def answer(name, *ports):
    listeners, datagrams = [], []
    for port in ports:
        listeners.append(socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64))
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", int(port)))
        datagrams.append(sock)
    print("ready", flush=True)
    while True:
        for ready in select.select(listeners + datagrams, [], [])[0]:
            if ready in listeners:
                threading.Thread(target=serve, args=(name, *ready.accept()), daemon=True).start()
            else:
                _, peer = ready.recvfrom(64)
                ready.sendto(("%s %s" % (name, plain(peer[0]))).encode(), peer)


def told(peer):
    return "[%s]:%d" % peer[:2] if ":" in peer[0] else "%s:%d" % peer[:2]


def ask(way, host, port, source=None):
    sock = socket.socket(family(host), socket.SOCK_STREAM if way == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    if source:
        sock.bind((source, 0))
    if way == "sendto":
        heard = set()
        for _ in range(5):
            sock.sendto(b"?", (host, int(port)))
            heard.add(sock.recvfrom(64))
        if len(heard) > 1:
            sys.exit("more than one: %s" % heard)
        word, peer = heard.pop()
    else:
        sock.connect((host, int(port)))
        sock.send(b"?")
        word, peer = sock.recv(64), sock.getpeername()
    print(word.decode(), told(peer))


def take(protocol, address, port, hold=None):
    sock = socket.socket(family(address), socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    if family(address) == socket.AF_INET6 and hold == "only6":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, int(port)))
    if protocol == "tcp":
        sock.listen()
    if hold == "hold":
        print("ready", flush=True)
        time.sleep(1000)
    print("taken")


def connect(host, port):
    """A connection, and who answers there."""
    sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
    sock.sendall(b"?")
    return sock, sock.recv(64).decode().split(" ")[0]


def who(host, port, n):
    print(*sorted({connect(host, port)[1] for _ in range(int(n))}))


def talk(host, port, n, until, gone):
    talks, told = [connect(host, port) for _ in range(int(n))], {}
    talks.sort(key=lambda talk: talk[1] == gone)  # who may say nothing has had time to, when all others have answered
    print("ready", flush=True)
    while os.path.exists(until):
        time.sleep(0.05)
    for sock, _ in talks:
        try:
            sock.sendall(b"?")
        except OSError:
            pass  # as is seen below
    for sock, name in talks:
        goes_on = told.setdefault(name, [])
        sock.settimeout(0.1 if name == gone else PATIENCE)
        try:
            goes_on.append(sock.recv(64).decode().startswith(name + " "))
        except OSError:
            goes_on.append(False)
    print(*("%s %s" % (name, "all" if all(on) else "some" if any(on) else "none") for name, on in sorted(told.items())))


def word(call, *args):
    """The first of what a socket says, or the error's name."""
    try:
        return (call(*args).decode() or "end").split(" ")[0]
    except OSError as failure:
        return errno.errorcode.get(failure.errno, "timeout")


def ask_again(sock):
    sock.send(b"?")
    return sock.recv(64)


def cling(until, *talks):
    held = {}
    for way, host, port in zip(talks[::3], talks[1::3], talks[2::3]):
        sock = socket.socket(family(host), socket.SOCK_STREAM if way == "tcp" else socket.SOCK_DGRAM)
        sock.settimeout(PATIENCE)
        sock.connect((host, int(port)))
        ask_again(sock)
        held[sock] = "%s %s %s" % (way, host, port)
    print("ready", flush=True)
    waiting = dict(held)
    while os.path.exists(until):
        for sock in select.select(waiting, [], [], 0.05)[0]:
            print(waiting.pop(sock), "hears", word(sock.recv, 64), flush=True)
    for sock, name in held.items():
        print(name, "gets", word(ask_again, sock))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("answer", "ask", "take", "who", "talk", "cling"):
        sys.exit(__doc__)
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except TimeoutError:
        print("ETIMEDOUT")
    except OSError as failure:
        print(errno.errorcode.get(failure.errno, failure))
