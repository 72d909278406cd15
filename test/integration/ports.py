#!/usr/bin/python3 -SE
"""Servers and clients that tell who they are, for published ports. Every use but the servers ends by itself.

  ports.py answer NAME PORT...     TCP and UDP on each PORT, both families, until killed; says "ready". Whoever comes gets
                                   "NAME ADDRESS", the address being the one that it is seen by.
  ports.py ask WAY HOST PORT [SOURCE]
                                   asks such a server, from SOURCE: by "tcp", by "udp" on a connected socket, or by "sendto"
                                   on one that is not, twice. Prints the answer and whom it came from as the socket was
                                   told, or the error's name
  ports.py take tcp|udp ADDRESS PORT [hold]
                                   binds, and listens; prints "taken" or the error's name. To hold: says "ready", until killed
  ports.py talk HOST PORT          with such a server: a word, an answer, ten times a second, until killed; says "ready", and at
                                   last who has answered, and how often
"""
import errno
import os
import select
import signal
import socket
import sys
import threading
import time

PATIENCE = 5


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
        for _ in range(2):
            sock.sendto(b"?", (host, int(port)))
            word, peer = sock.recvfrom(64)
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


def talk(host, port):
    heard = {}

    def end(*_):
        print(*("%s %d" % pair for pair in sorted(heard.items())), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        print("ready", flush=True)
        while True:
            sock.sendall(b"?")
            word = sock.recv(64).decode().split(" ")[0]
            if not word:
                raise EOFError("the stream ended")
            heard[word] = heard.get(word, 0) + 1
            time.sleep(0.1)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("answer", "ask", "take", "talk"):
        sys.exit(__doc__)
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except TimeoutError:
        print("ETIMEDOUT")
    except OSError as failure:
        print(errno.errorcode.get(failure.errno, failure))
