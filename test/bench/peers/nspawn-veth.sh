#!/bin/bash
# lab: systemd timeout=900
# Machines of systemd-nspawn as they are by default: --network-veth and networkd on both ends, which masquerades. It gives no
# IPv6 but link-local addresses.
. "$(dirname "$0")/../bench.bash"
. "$bench/../integration/nspawn.bash"

world
no_way_back
LAB_NAME=host measure host host
systemctl start systemd-networkd
for name in one two; do
        machine $name
        begin $name
done
for name in one two; do
        within 600 test -e "$machines/$name/report"
        ip netns attach $name "$(leader $name)"
done
BENCH_FAMILIES=4 measure one two
