#!/usr/bin/python3 -SE
"""Makes what people read out of what the guests have said.

  report.py merge RESULTS VERSIONS N LOG       the figures of LOG (boot N, in which host was measured too) take their place in
                                               RESULTS, beside what is in the JSON file VERSIONS
  report.py table RESULTS                      Markdown
  report.py chart RESULTS                      SVG
  report.py localhost VERSIONS LOG             Markdown, of what shunt-netkit-localhost has said
  report.py guard RESULTS VERSIONS LOG         fails if a share in LOG is worse than the one in RESULTS by more than TOLERANCE,
                                               or a published port dearer by localhost

A share is the host's own cost in the same boot over the peer's: 1 is as cheap as the host, 0.5 twice as dear.
"""
import json
import sys

TESTS = ["TCP_RR", "TCP_CRR", "TCP_STREAM", "UDP_RR", "UDP_STREAM"]
PATHS = {"out": "From a container to another machine", "ct": "From container to container; host: two processes on lo"}
# Runs of one kernel lie 0.2 % apart; another kernel, which Debian may have by then, does some things otherwise.
TOLERANCE = 0.03
NOISE = 0.005


def key(figure):
    return figure["path"], figure["family"], figure["test"]


def read_log(path):
    """One boot's figures, each with the least of its runs, their spread, and its share. What is more than the least is chance."""
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = list(log)
    figures = [json.loads(line[len("bench "):]) for line in lines if line.startswith("bench {")]
    systemd = any(line.startswith("=== boot") and "(systemd," in line for line in lines)
    for figure in figures:
        figure["systemd"] = systemd
        figure["least"] = min(figure["ns"])
        figure["spread"] = round(max(figure["ns"]) / figure["least"] - 1, 4)
    host = {key(figure): figure["least"] for figure in figures if figure["peer"] == "host"}
    for figure in figures:
        figure["share"] = round(host[key(figure)] / figure["least"], 4)
    return figures


def merge(path, versions, boot, log):
    """Other boots' figures stay, unless they are of another kernel or another version of a peer."""
    with open(versions, encoding="utf-8") as file:
        head = json.load(file)
    figures = [{"boot": int(boot), **figure} for figure in read_log(log)]
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        if all(before[k] == v for k, v in head.items()):
            figures += [figure for figure in before["figures"] if figure["boot"] != int(boot)]
    except FileNotFoundError:
        pass
    lines = ",\n  ".join(json.dumps(figure) for figure in sorted(figures, key=lambda figure: figure["boot"]))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{json.dumps(head, indent=1)[:-2]},\n "figures": [\n  {lines}\n ]\n}}\n')


def load(path):
    """RESULTS by peer; of the host, which every boot has measured, the first."""
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    peers = {}
    for figure in results["figures"]:
        peers.setdefault(figure["peer"], {}).setdefault(key(figure), figure)
    order = sorted(peers, key=lambda p: (p != "host", -peers[p]["out", 4, "TCP_RR"]["share"]))
    return results, {peer: peers[peer] for peer in order}


def cell(figure):
    """A spread of 2 % and more shows."""
    spread = f" +{figure['spread']:.0%}" if figure["spread"] >= 0.02 else ""
    return f"{figure['share']:.2f} ({figure['least']:.0f}{spread})"


def table(path):
    results, peers = load(path)
    print(f"Kernel {results['kernel']}. Share of the host (instructions for one transaction, packet of 64 bytes, or 64 KiB:\n"
          "the least of some runs, and how much the most is more, from 2 % on).")
    for where, title in PATHS.items():
        for family in 4, 6:
            rows = {p: f for p, f in peers.items() if (where, family, "TCP_RR") in f}
            print(f"\n### {title}, IPv{family}\n\n| | {' | '.join(TESTS)} |\n|---|{'---:|' * len(TESTS)}")
            for peer, figures in rows.items():
                cells = [figures.get((where, family, test)) for test in TESTS]
                cells = [cell(c) if c else "-" for c in cells]
                print(f"| {'**' + peer + '**' if is_ours(peer) else peer} | {' | '.join(cells)} |")
    hosts = {}
    for figure in results["figures"]:
        if figure["peer"] == "host" and not figure["systemd"]:
            hosts.setdefault(key(figure), []).append(figure["least"])
    spread = sorted(figure["spread"] for figure in results["figures"])
    between = sorted((max(h) - min(h)) / min(h) for h in hosts.values())
    print(f"\nRuns of a figure lie apart by {spread[len(spread) // 2]:.1%} in the median and {spread[-1]:.1%} at most; "
          f"the host's figures in the {len(next(iter(hosts.values())))} boots without systemd by "
          f"{between[len(between) // 2]:.1%} and {between[-1]:.1%}.")


def is_ours(peer):
    return peer.startswith("shunt")


def chart(path):
    results, peers = load(path)
    tests, left, wide, high, top = TESTS[:3], 190, 190, 22, 62
    height = top + high * len(peers) + 34
    width = left + len(tests) * wide + 10
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="DejaVu Sans, sans-serif" '
          f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
          f'<text x="10" y="20" font-size="15" font-weight="bold">A container talks to another machine: share of the '
          f"host's own speed</text>")
    for column, test in enumerate(tests):
        print(f'<text x="{left + column * wide}" y="46" font-weight="bold">{test}</text>')
    for row, (peer, figures) in enumerate(peers.items()):
        y = top + row * high
        ours = is_ours(peer)
        weight = ' font-weight="bold"' if ours else ""
        print(f'<text x="{left - 10}" y="{y + 10}" text-anchor="end"{weight}>{peer}</text>')
        for column, test in enumerate(tests):
            figure = figures.get(("out", 4, test))
            if figure:
                x, bar = left + column * wide, figure["share"] * (wide - 50)
                print(f'<rect x="{x}" y="{y - 2}" width="{bar:.1f}" height="15" fill="{"#c0392b" if ours else "#8fa3b3"}"/>'
                      f'<text x="{x + bar + 5:.1f}" y="{y + 10}"{weight}>{figure["share"]:.2f}</text>')
    print(f'<text x="10" y="{height - 12}" font-size="11" fill="#555">IPv4, netperf, Linux {results["kernel"]}, one CPU, '
          f"counted instructions of the whole machine, both ends. Longer is better.</text></svg>")


LOCALHOST = {
    "localhost": ("A process of the host asks for a port that a container has published, by 127.0.0.1 and ::1",
                  {"one": "by the container's address", "host": "by localhost"}),
    "others": ("A process of the host asks another machine, and has nothing to do with what is published",
               {"nothing": "nothing is", "TCP": "a TCP port is", "TCP and UDP": "and a UDP port"}),
}


def read_localhost(log):
    """The least of each figure's runs: by table, family and test, and then by column."""
    rows = {}
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("bench-localhost {"):
                figure = json.loads(line[len("bench-localhost "):])
                row = rows.setdefault((figure["table"], figure["family"], figure["test"]), {})
                row[figure["column"]] = min(figure["ns"])
    return rows


def localhost(versions, log):
    with open(versions, encoding="utf-8") as file:
        print(f"Kernel {json.load(file)['kernel']}. Instructions for one transaction, or 64 KiB: the least of some runs, and how\n"
              "much more it is than in the first column.")
    rows = read_localhost(log)
    for table, (title, columns) in LOCALHOST.items():
        print(f"\n### {title}\n\n| | {' | '.join(columns.values())} |\n|---|{'---:|' * len(columns)}")
        for (_, family, test), row in (r for r in rows.items() if r[0][0] == table):
            first, *others = (row[column] for column in columns)
            cells = [f"{first:.0f}"] + [f"{ns:.0f} ({ns - first:+.0f}, {ns / first - 1:+.1%})" for ns in others]
            print(f"| {test.replace('-', ', ')}, IPv{family} | {' | '.join(cells)} |")


def guard(path, versions, log):
    results, peers = load(path)
    with open(versions, encoding="utf-8") as file:
        kernel = json.load(file)["kernel"]
    print(f"kernel {kernel}, committed {results['kernel']}: at most {TOLERANCE:.0%} worse")
    figures = [figure for figure in read_log(log) if is_ours(figure["peer"])]
    worse = 0
    for figure in figures:
        before = peers[figure["peer"]][key(figure)]["share"]
        bad = figure["share"] < before * (1 - TOLERANCE)
        worse += bad
        print(f"{'WORSE' if bad else 'ok'}: {figure['peer']} {figure['test']} IPv{figure['family']} {figure['path']}: "
              f"{figure['share']:.3f} of the host, committed {before:.3f}")
    # A published port adds nothing to a packet.
    rows = {key: row for key, row in read_localhost(log).items() if key[0] == "localhost" and key[2] in ("TCP_RR", "TCP_STREAM")}
    for (_, family, test), row in rows.items():
        more = row["host"] / row["one"] - 1
        worse += more > NOISE
        print(f"{'WORSE' if more > NOISE else 'ok'}: {test} IPv{family} by localhost: {more:+.2%} to the container's address")
    return 1 if worse or not figures or not rows else 0


if __name__ == "__main__":
    verbs = {"merge": merge, "table": table, "chart": chart, "localhost": localhost, "guard": guard}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    sys.exit(verbs[sys.argv[1]](*sys.argv[2:]))
