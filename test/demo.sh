#!/bin/bash
# lab: timeout=110
# Two containers, started by crun with shunt as its hook, talk over netkit, and disappear without a trace.
. "$(dirname "$0")/integration/lib.bash"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@" 2>&1 | sed 's/^/  /'; }

say "A host with one uplink, and a machine beyond it: 10.99.0.2, fd99::2. Linux $(uname -r)."
world

say "Two OCI bundles with busybox. All that is ours in their config.json:"
bundle web
bundle db
jq -c .hooks /tmp/bundle/web/config.json | sed 's/^/  /'

say "crun starts them."
start crun web
start crun db
show shunt list

say "Inside: one interface, addressed and routed. There is no bridge, no NAT, and no neighbour to ask."
show crun exec web ip address show eth0
show crun exec web ip route

say "They talk to each other, to the host, and to the machine beyond, IPv4 and IPv6."
for to in "$(address4 db)" "$(address6 db)" 10.99.0.1 fd99::1 10.99.0.2 fd99::2; do
        show crun exec web ping -q -c 2 -W 5 "$to" | grep -E '^\$|received'
done
say "And are reached from there."
show beyond ping -q -c 2 -W 5 "$(address4 web)" | grep -E '^\$|received'

say "On the host: two netkit pairs and these programs. Nothing in nftables, no sysctl changed."
show bpftool net show | grep -E '^\$|shunt'
show nft list ruleset
show grep . /proc/sys/net/ipv4/ip_forward

say "crun stops them. Nothing is left."
crun delete --force web
crun delete --force db
eventually no_links
show shunt list
show ip route show proto 207
show shunt gc
nothing_left
say "That was shunt."
