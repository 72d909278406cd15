#!/bin/bash
# shunt with netkit in L3 mode, and the host's own processes: what it costs them that a container's port is asked for by 127.0.0.1
# or ::1 rather than by its own address; and what published ports cost those who have nothing to do with them.
. "$(dirname "$0")/../bench.bash"

# cost TABLE COLUMN TO ADDRESS FAMILY TEST...: prints figures of the host's processes, with whom they ask for
cost() {
        local table=$1 column=$2 address=$3 family=$4 test ns run
        shift 4
        # Resolves neighbours, and is not counted.
        BENCH_PART=100 run_once host "$address" "$family" TCP_RR >/dev/null
        for test; do
                ns=()
                for ((run = 0; run < ${BENCH_RUNS:-4}; run++)); do ns+=("$(run_once host "$address" "$family" "$test")"); done
                jq -cnr --arg table "$table" --arg column "$column" --argjson family "$family" --arg test "$test" --args \
                        '"bench-localhost " + ({$table, $column, $family, $test, ns: $ARGS.positional | map(tonumber)} | tostring)' \
                        "${ns[@]}"
        done
}
# others COLUMN: between the host and a machine beyond, on a port that nobody has published
others() {
        local family port=$other
        [ "${LAB_COUNT:-no}" = no ] || sleep 10
        # Of all that there is, by function.
        if [ -n "${BENCH_WAY:-}" ]; then [ "$1" != 'TCP and UDP' ] || path host; return; fi
        for family in ${BENCH_FAMILIES:-4 6}; do
                # shellcheck disable=SC2086 # names
                cost others "$1" "$(address_of beyond "$family")" "$family" ${BENCH_TESTS:-TCP_RR TCP_CRR UDP_RR UDP_RR-connected}
        done
}

world
shunt_peer '{"masquerade": true}' netkit
# The one that is measured, in TCP and in UDP, besides netperf's own; and another.
port=5000 other=6000
for who in beyond one; do
        eventually settled $who
        at $who netserver >/dev/null
done
# These figures are compared with each other, and the first that a guest measures are dearer, by 0.3 % of a TCP_RR.
BENCH_RUNS=1 others before >/dev/null
others nothing
shunt publish one 12865:12865 $port:$port
others TCP
shunt publish one $port:$port/udp
others 'TCP and UDP'
[ -z "${BENCH_WAY:-}" ] || exit 0
for family in ${BENCH_FAMILIES:-4 6}; do
        tests=${BENCH_TESTS:-TCP_RR TCP_CRR TCP_STREAM UDP_RR UDP_RR-connected}
        for to in one host; do
                # shellcheck disable=SC2086 # names
                cost localhost $to "$(address_of $to "$family")" "$family" $tests
        done
done
