#!/bin/bash
# shunt with netkit in L3 mode, the other way round: a machine out there asks a port of the host's that a container has published.
. "$(dirname "$0")/../bench.bash"

world
no_way_back
shunt_peer '{"masquerade": true}' netkit
# shellcheck disable=SC2034 # the one that is measured; the other is netperf's own
port=5000
shunt publish one 12865:12865 $port:$port $port:$port/udp
# Who connects is another machine, which has no hooks at its sockets: here it is of the same kernel, and would pay for them.
rm /sys/fs/bpf/shunt/ports/{bind,connect}{4,6}
at one netserver >/dev/null
[ "${LAB_COUNT:-no}" = no ] || sleep 10
if [ -n "${BENCH_WAY:-}" ]; then path beyond one wire; exit; fi
for family in ${BENCH_FAMILIES:-4 6}; do
        BENCH_PART=100 run_once beyond "$(address_of wire "$family")" "$family" TCP_RR >/dev/null
        for test in ${BENCH_TESTS:-TCP_RR TCP_CRR TCP_STREAM UDP_RR UDP_STREAM}; do figure out beyond wire "$family" "$test"; done
done
