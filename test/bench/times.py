#!/usr/bin/python3 -SE
"""Makes what a real CPU has said into results.

  times.py collect CPU PROGRAMS REAL STARTUP COUNTED >RESULTS   from the logs of programs.c, of peers in real time (one after
                                          another, in rounds that begin with host), of startup.sh here, and in a guest that counts
  times.py table RESULTS                  Markdown
"""
import json
import statistics
import sys


def lines(path, word):
    with open(path, encoding="utf-8", errors="replace") as file:
        return [json.loads(line[len(word) + 1:]) for line in file if line.startswith(word + " {")]


def quartiles(values, digits=0):
    ordered = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return [round(v, digits) for v in (ordered[0], statistics.median(values), ordered[2])]


def ratios(figures):
    """Of each peer and test, the shares of the host in the same round."""
    rounds, shares = {}, {}
    for figure in figures:
        rounds.setdefault((figure["peer"], figure["test"]), []).append(figure["ns"][0])
    for (peer, test), values in rounds.items():
        shares.setdefault(peer, {})[test] = quartiles([h / v for h, v in zip(rounds["host", test], values)], 3)
    bridge, ours = "cni-bridge", "shunt-veth"
    shares[f"{ours} / {bridge}"] = {test: quartiles([b / v for b, v in zip(rounds[bridge, test], rounds[ours, test])], 3)
                                    for peer, test in rounds if peer == ours}
    return shares, min(len(v) for v in rounds.values())


def collect(cpu, programs, real, startup, counted):
    """The guest that counts has nothing else to do: its elapsed time is the work and what is waited for."""
    shares, rounds = ratios(lines(real, "bench"))
    here = {s["what"]: s["ns"] for s in lines(startup, "bench-startup")}
    starts = [{"what": s["what"],
               "instructions": round(statistics.median(s["cpu"])), "elapsed": round(statistics.median(s["ns"])),
               "ms": quartiles([ns / 1e6 for ns in here[s["what"]]], 2) if s["what"] in here else None,
               "rounds": len(here.get(s["what"], []))}
              for s in sorted(lines(counted, "bench-startup"), key=lambda s: statistics.median(s["cpu"]))]
    json.dump({"cpu": cpu, "programs": lines(programs, "bench-program"), "rounds": rounds, "shares": shares, "startup": starts,
               "memory": lines(counted, "bench-memory")},
              sys.stdout, indent=1)
    print()


def table(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    print(f"CPU: {results['cpu']}.\n\n### A BPF program for one packet (BPF_PROG_TEST_RUN)\n")
    print("| program | packet | ns, median (quartiles) |\n|---|---|---:|")
    for p in results["programs"]:
        print(f"| {p['program']} | {p['what']} | {p['ns'][1]} ({p['ns'][0]}-{p['ns'][2]}) |")
    print(f"\n### In real time: share of the host's speed, {results['rounds']} interleaved rounds, median (quartiles)\n")
    print("Both ends on one CPU; cni-bridge masquerades, shunt-veth does not.\n")
    tests = list(results["shares"]["host"])
    print(f"| | {' | '.join(tests)} |\n|---|{'---:|' * len(tests)}")
    for peer, shares in results["shares"].items():
        if peer != "host":
            print(f"| {peer} | {' | '.join('{1:.2f} ({0:.2f}-{2:.2f})'.format(*shares[test]) for test in tests)} |")
    print("""
### To give a namespace its network

Million instructions of all tasks, the kernel's own included, and the guest's time with what is waited for (ms, an instruction
a nanosecond, nobody else there); then on this machine, interleaved: ms, median (quartiles).

| | million instructions | guest's ms | this machine's ms | rounds |
|---|---:|---:|---:|---:|""")
    for s in results["startup"]:
        here = "{1:.1f} ({0:.1f}-{2:.1f})".format(*s["ms"]) if s["ms"] else "-"
        print(f"| {s['what']} | {s['instructions'] / 1e6:.1f} | {s['elapsed'] / 1e6:.1f} | {here} | {s['rounds'] or '-'} |")
    few, many = (min(results["memory"], key=lambda m: m["crowd"]), max(results["memory"], key=lambda m: m["crowd"]))
    for m in (few, many):
        print(f"\nEach of {m['crowd']} containers has {m['slab'] / 1e3:.0f} kB of slabs and {m['percpu'] / 1e3:.1f} kB"
              f" of per-CPU memory, beside its namespace; all maps together have {m['maps'] / 1e6:.1f} MB.")
    print(f"Of the maps, {(many['maps'] - few['maps']) / (many['crowd'] - few['crowd']):.0f} bytes are each container's.")


if __name__ == "__main__":
    verbs = {"collect": collect, "table": table}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
