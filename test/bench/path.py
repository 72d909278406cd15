#!/usr/bin/python3 -SE
"""Makes a packet's way, by function, out of what count.c has counted in one boot.

  path.py collect LOG COUNTS >RESULTS     JSON: for each peer and test, each function's instructions and calls for one transaction
  path.py table RESULTS                   Markdown
"""
import base64
import bisect
import collections
import gzip
import json
import os
import re
import sys

# What a function belongs to: the first that matches. What is inlined counts for who it is in.
GROUPS = [(group, re.compile("|".join(prefixes.split()))) for group, prefixes in (
    ("BPF programs and their helpers",
     "^bpf_ ^__bpf ^bpf.prog ^cls_bpf ^tcx_ redirect htab_ lookup_elem ^lookup_nulls ^jhash ^trie_"),
    ("netfilter, conntrack, NAT",
     "^nf_ ^__nf ^nft_ conntrack ^ipt_ ^ip6t_ ^xt_ ^nfct ^siphash ^__siphash masq ^hash_conn ^hash_by ^udp_get_timeouts l4proto"),
    ("bridge", "^br_ ^__br ^fdb_ ^nbp_"),
    ("devices: wire, veth, netkit, macvlan",
     "veth netkit macvlan ipvlan ^dev_ ^__dev_ ^eth_ ^netdev_ ^validate_xmit ^netif_skb skb_scrub gro_ skb_network_prot"),
    ("backlog and softirq", "backlog netif_rx ^netif_receive ^__netif net_rx_action softirq ^__napi ^napi_"),
    ("IP: routing, forwarding, neighbours",
     "^ip_ ^__ip ^fib_ ^rt_ ^ip6 ^ipv4 ^ipv6 neigh ^inet_lookup ^inet_addr ^arp ^find_exc ^route ^dst_ ^icmp ^__fib xfrm"),
    ("queueing", "sched_xmit qdisc ^fq_ ^pfifo noqueue ^sch_"),
    ("sockets, TCP, UDP, system calls",
     "udp tcp sock ^sk_ ^__sk_ ^inet_ ^__sys_ ^__x64_sys ^____sys ^move_addr"
     " ^import_ ^copy_ ^_copy_ ^security_ ^apparmor ^aa_ tomoyo"
     " ^fdget ^__fget ^fput ^do_syscall ^entry_SYSCALL ^x64_sys ^syscall ^__check ^csum ^rep_movs"),
    ("memory of packets",
     "skb ^kmem ^kmalloc ^__kmalloc ^kfree slab ^page_frag ^memset ^memcpy ^__memcpy ^__memset ^memmove ^build_skb"),
    ("user space", "^user.space$"),
)]


def decode(blob):
    """Address and name of each function in what the guest has said of its symbols."""
    for line in gzip.decompress(base64.b64decode(blob)).decode().splitlines():
        address, kind, name = line.split()[:3]
        if kind in "tTwW":
            yield int(address, 16), re.sub(r"^bpf_prog_[0-9a-f]{16}_", "bpf prog ", name)


def segments(path):
    """What was counted between two marks: lists of (address, runs, instructions)."""
    all_of, current = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("mark"):
                current = []
                all_of.append(current)
            else:
                a, runs, insns = line.split()
                current.append((int(a, 16), int(runs), int(insns)))
    return all_of


def by_function(segment, table):
    insns, calls = collections.Counter(), collections.Counter()
    addresses = [a for a, _ in table]
    for address, runs, count in segment:
        at = bisect.bisect_right(addresses, address) - 1
        start, name = table[at] if address else (0, "user space")
        insns[name] += count
        if address == start:
            calls[name] += runs
    return insns, calls


def difference(short, long, symbols, count):
    """What each function costs in one transaction of count: [instructions, calls]."""
    short, long = by_function(short, symbols), by_function(long, symbols)
    functions = {}
    for name, insns in long[0].items():
        each = (insns - short[0][name]) / count
        if each >= 0.5:
            functions[name] = [round(each, 1), round((long[1][name] - short[1][name]) / count, 2)]
    total = (sum(long[0].values()) - sum(short[0].values())) / count
    return {"total": round(total, 1), "functions": dict(sorted(functions.items(), key=lambda f: -f[1][0]))}


def collect(log, counts):
    marks, results, ways = iter(segments(counts)), {}, []
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("bench-hops"):
                hop = json.loads(line[len("bench-hops "):])
                results.setdefault(hop["peer"], {"hops": {}})["hops"][hop["event"]] = {
                    device: round(n / hop["packets"], 1) for device, n in hop["devices"].items() if n > hop["packets"] / 4}
            elif line.startswith("bench-way"):
                next(marks)     # all that went before
                ways.append((line.split()[2], int(line.split()[3]), next(marks), next(marks)))
            elif line.startswith("bench-symbols"):
                _, peer, blob = line.split()
                if peer == "all":
                    kernel = list(decode(blob))
                    continue
                symbols = sorted(kernel + list(decode(blob)))
                results[peer].update({test: difference(short, long, symbols, count) for test, count, short, long in ways})
                ways = []
    # A function a line.
    print(re.sub(r"\[\s+([\d.]+),\s+([\d.]+)\s+\]", r"[\1, \2]", json.dumps(results, indent=1)))


def group_of(name):
    return next((group for group, pattern in GROUPS if pattern.search(name)), "the rest: locks, timers, interrupts, scheduler")


def row(name, cells):
    print(f"| {name} | {' | '.join(cells)} |")


TITLES = {
    "out/TCP_RR": "A transaction, a segment each way between a container's socket and one on another machine",
    "ct/TCP_RR": "The same between two containers; host: two processes on lo",
    "out/TCP_CRR": "A connection with a transaction, to another machine",
    "out/UDP_RR": "A datagram each way, by sendto() and recvfrom(), to another machine",
    "out/UDP_STREAM": "One UDP packet of 64 bytes from a container's socket to one on another machine",
}
HOPS = {"netif_rx": "waits in a CPU's backlog (once at the wire's far end)", "net_dev_xmit": "is sent by a device"}
LINES = int(os.environ.get("BENCH_LINES", 40))


def table(path):
    with open(path, encoding="utf-8") as file:
        peers = json.load(file)
    tests = [test for test in TITLES if test in peers["host"]]
    for test in tests:
        print(f"{'' if test == tests[0] else chr(10)}### {TITLES[test]}: instructions\n")
        way({peer: result[test] for peer, result in peers.items()})
    print(f"\n### How often a packet from a container to another machine\n\n{head(peers)}")
    for event, title in HOPS.items():
        row(title, [f"{sum(peer['hops'].get(event, {}).values()):.0f}" for peer in peers.values()])


def head(peers):
    return f"|  | {' | '.join(peers)} |\n|---|{'---:|' * len(peers)}"


def way(peers):
    print(head(peers))
    sums = {peer: collections.Counter() for peer in peers}
    for peer, result in peers.items():
        for name, (insns, _) in result["functions"].items():
            sums[peer][group_of(name)] += insns
    for group in sorted({g for s in sums.values() for g in s}, key=lambda g: -max(s[g] for s in sums.values())):
        row(group, [f"{sums[peer][group]:.0f}" for peer in peers])
    row("**all**", [f"**{peers[peer]['total']:.0f}**" for peer in peers])
    print(f"\nThe functions that differ most from the host's:\n\n{head(peers)}")
    host = peers["host"]["functions"]
    cost = {p: {n: f[0] for n, f in r["functions"].items()} for p, r in peers.items()}
    names = {n for c in cost.values() for n in c}
    widest = sorted(sorted(names), key=lambda n: -max(abs(c.get(n, 0) - host.get(n, [0])[0]) for c in cost.values()))
    for name in widest[:LINES]:
        row(f"`{name}`", [f"{cost[p].get(name, 0):.0f}" for p in peers])


if __name__ == "__main__":
    verbs = {"collect": collect, "table": table}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
