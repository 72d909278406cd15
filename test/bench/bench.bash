# What every peer shares: how to be measured. Sourced by the files in peers/.
#
# A peer is a scenario of the lab. It makes the containers "one" and "two" by its own tools and with its own defaults,
# makes them known as network namespaces of these names, and calls measure. It prints for each figure one line
#
#   bench {"peer": ..., "path": "out" or "ct", "family": 4 or 6, "test": ..., "ns": [...]}
#
# ns are nanoseconds for one transaction (RR, CRR), one packet of 64 bytes (UDP_STREAM) or 64 KiB (TCP_STREAM), once for each
# run: in a guest that counts, instructions of the whole machine, both ends of the connection included.
#
# BENCH_RUNS, BENCH_TESTS, BENCH_FAMILIES and BENCH_PATHS say what is measured, BENCH_PART which part of the amounts below.
# shellcheck shell=bash
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$bench/../integration/lib.bash"

# Transactions of a run, or bytes. A UDP_STREAM fits into the receiver's buffer as a whole: nothing is lost, and what is
# measured is the way from socket to socket.
declare -A amount=([TCP_RR]=2000 [TCP_CRR]=500 [TCP_STREAM]=67108864 [UDP_RR]=2000 [UDP_RR-connected]=2000
        [UDP_STREAM]=25600)
packet=64

# Runs COMMAND where WHO lives: in a container, beyond, or on the host.
at() { local who=$1; shift; if [ "$who" = host ]; then "$@"; else ip netns exec "$who" "$@"; fi; }

address_of() { # WHO FAMILY
        case $1$2 in
        host4) echo 127.0.0.1 ;;
        host6) echo ::1 ;;
        wire4) echo 10.99.0.1 ;;
        wire6) echo fd99::1 ;;
        *) ip -n "$1" -j "-$2" addr show scope global | jq -r '[.[].addr_info[].local][0]' ;;
        esac
}

# One run of netperf, in nanoseconds by its unit. What it says is not to be believed if a packet was lost.
run_once() { # FROM ADDRESS FAMILY TEST
        local count=$((-amount[$4] / ${BENCH_PART:-1})) keys=THROUGHPUT sender=() options=() out
        # Of a stream, the sender has precedence: when its receiver runs between two packets is chance, and what a wake-up costs
        # would be most of what differs.
        [[ $4 != *STREAM || ${BENCH_PRECEDENCE:-yes} = no ]] || sender=(chrt --fifo 1)
        if [ "$4" = UDP_STREAM ]; then
                keys=LOCAL_SEND_THROUGHPUT,LOCAL_SEND_CALLS,REMOTE_RECV_CALLS
                # -R 1: by the routing table, which netperf else bypasses.
                options=(-R 1 -m "$packet" -s 256K -S 256K)
        fi
        # As a client of one server has it: netperf's own sends by sendto() and hears by recvfrom().
        [ "$4" != UDP_RR-connected ] || options=(-n)
        [ -z "${port:-}" ] || options+=(-P ",$port")
        out=$(at "$1" "${sender[@]}" netperf "-$3" -P 0 -H "$2" -t "${4%-connected}" -l $count -- "${options[@]}" -k $keys) ||
                die "netperf $*: $out"
        awk -F= -v test="$4" -v packet=$packet '
                { value[$1] = $2 }
                END {
                        if (value["LOCAL_SEND_CALLS"] != value["REMOTE_RECV_CALLS"]) exit 1
                        if (test == "UDP_STREAM") ns = packet * 8e3 / value["LOCAL_SEND_THROUGHPUT"]
                        else if (test == "TCP_STREAM") ns = 65536 * 8e3 / value["THROUGHPUT"]
                        else ns = 1e9 / value["THROUGHPUT"]
                        printf "%.1f", ns
                }' <<<"$out" || die "netperf $* lost packets: $out"
}

# Prints one figure.
figure() { # PATH FROM TO FAMILY TEST
        local address ns=() runs=${BENCH_RUNS:-2} run
        [ "$5" != TCP_STREAM ] || runs=$((runs * 2))
        address=$(address_of "$3" "$4")
        [ "$address" != null ] || die "$3 has no IPv$4 address"
        for ((run = 0; run < runs; run++)); do ns+=("$(run_once "$2" "$address" "$4" "$5")"); done
        jq -cn --arg peer "$LAB_NAME" --arg path "$1" --argjson family "$4" --arg test "$5" --args \
                '"bench " + ({$peer, $path, $family, $test, ns: $ARGS.positional | map(tonumber)} | tostring)' -r "${ns[@]}"
}

declare -A serves
settled() { ! at "$1" ip -6 -o addr show tentative | grep -q .; }

# hops FROM ADDRESS: by tracepoints, how often a packet waits in a CPU's backlog (netif_rx) and is sent by a device
# (net_dev_xmit): what a long run has more than a short one
hops() {
        local event part
        for event in netif_rx net_dev_xmit; do
                for part in 4 1; do
                        echo >/sys/kernel/tracing/trace
                        echo 1 >/sys/kernel/tracing/events/net/$event/enable
                        BENCH_PART=$part run_once "$1" "$2" 4 UDP_STREAM >/dev/null
                        echo 0 >/sys/kernel/tracing/events/net/$event/enable
                        sed -nE 's/.* dev=([^ ]+) .*/\1/p' /sys/kernel/tracing/trace | sort | uniq -c |
                                awk '{ print $2, $1 }' >/tmp/hops.$part
                done
                join -a 2 -e 0 -o 0,1.2,2.2 /tmp/hops.4 /tmp/hops.1 | jq -Rnr --arg peer "$LAB_NAME" --arg event $event \
                        --argjson packets $((amount[UDP_STREAM] / packet * 3 / 4)) \
                        '"bench-hops " + ({$peer, $event, $packets, devices: [inputs / " " |
                                {(.[0]): ((.[2] | tonumber) - (.[1] | tonumber))}] | add} | tostring)'
        done
}

# path FROM TO [OUT]: for count.c, for each PATH/TEST of BENCH_WAY marks about a short run and a long one; their difference is so
# many transactions' way, and nothing else. And what the guest alone knows: where the kernel's functions lie (early: who reads that
# is slow), modules and BPF programs. OUT is whom FROM asks by "out", if it is not the machine beyond.
path() {
        local address way test out=${3:-beyond} mark=$bench/../../build/bench/mark
        [ "$LAB_NAME" != host ] || symbols all ''
        hops "$1" "$(address_of "$out" 4)"
        for way in $BENCH_WAY; do
                test=${way#*/}
                [ "${way%/*}" = out ] && address=$(address_of "$out" 4) || address=$(address_of "$2" 4)
                BENCH_PART=4 run_once "$1" "$address" 4 "$test" >/dev/null
                $mark
                BENCH_PART=4 run_once "$1" "$address" 4 "$test" >/dev/null
                $mark
                BENCH_PART=1 run_once "$1" "$address" 4 "$test" >/dev/null
                $mark
                echo "bench-way $LAB_NAME $way $((($(transactions "$test") * 3) / 4))"
        done
        symbols "$LAB_NAME" .
}
# transactions TEST: how many a whole run has; of a UDP_STREAM, packets
transactions() { if [ "$1" = UDP_STREAM ]; then echo $((amount[$1] / packet)); else echo "${amount[$1]}"; fi; }

# symbols WHO OF: the functions in modules whose name matches OF, or if that is empty, in the kernel
symbols() {
        echo "bench-symbols $1 $(awk -v of="$2" '$2 ~ /[tTwW]/ && (of ? $4 ~ of : $4 == "")' /proc/kallsyms |
                gzip | base64 -w 0)"
}

# measure FROM [TO]: from a container to the machine beyond, and to another container where there is one
measure() {
        local who family path to test
        for who in beyond "$@"; do eventually settled "$who"; done
        for who in beyond ${2:+"$2"}; do
                [[ -v serves[$who] ]] || at "$who" netserver >/dev/null
                serves[$who]=yes
        done
        # What the kernel does some time behind an attach, it does now: a sleep costs a guest that counts nothing.
        [ "${LAB_COUNT:-no}" = no ] || sleep 10
        if [ -n "${BENCH_WAY:-}" ]; then path "$@"; return; fi
        for family in ${BENCH_FAMILIES:-4 6}; do
                for path in ${BENCH_PATHS:-out ct}; do
                        to=beyond
                        [ "$path" = out ] || to=${2:-}
                        [ -n "$to" ] || continue
                        # Resolves neighbours, and is not counted.
                        BENCH_PART=100 run_once "$1" "$(address_of "$to" "$family")" "$family" TCP_RR >/dev/null
                        for test in ${BENCH_TESTS:-TCP_RR TCP_CRR TCP_STREAM UDP_RR UDP_STREAM}; do
                                figure "$path" "$1" "$to" "$family" "$test"
                        done
                done
        done
}

# For peers that masquerade: whoever does not, gets no answer.
no_way_back() {
        ip -n beyond route del 10.0.0.0/8
        ip -n beyond route del fd00::/8
}

# shunt_peer NETWORK-JSON DRIVER: containers of shunt's, in a network of these keys
shunt_peer() {
        mkdir -p /etc/shunt/networks
        jq -n '{subnets: ["10.88.0.0/16", "fd88::/64"]} + $extra' --argjson extra "$1" >/etc/shunt/networks/bench.json
        local name
        for name in one two; do
                ip netns add $name
                shunt attach $name --netns /run/netns/$name --network bench --driver "$2"
        done
}

# cni_peer TYPE JSON IPAM: containers of a CNI plugin's, with a runtime's own calls
cni_peer() {
        local name
        jq -n '{cniVersion: "1.0.0", name: "bench", type: $type, ipam: ({type: "host-local"} + $ipam)} + $extra' \
                --arg type "$1" --argjson extra "$2" --argjson ipam "$3" >/tmp/cni.json
        for name in one two; do
                ip netns add $name
                ip -n $name link set lo up
                CNI_COMMAND=ADD CNI_CONTAINERID=$name CNI_NETNS=/run/netns/$name CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
                        "/usr/lib/cni/$1" </tmp/cni.json >/tmp/cni.out || die "CNI $1: $(cat /tmp/cni.out)"
        done
}
# shellcheck disable=SC2034 # peers use them
# A subnet of the containers' own, and a part of the wire's with its gateway beyond.
own_subnets='{"ranges": [[{"subnet": "10.88.0.0/16"}], [{"subnet": "fd88::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}'
# shellcheck disable=SC2034
wire_subnets='{"ranges": [[{"subnet": "10.99.0.0/24", "rangeStart": "10.99.0.20", "gateway": "10.99.0.2"}],
        [{"subnet": "fd99::/64", "rangeStart": "fd99::20", "gateway": "fd99::2"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}'
