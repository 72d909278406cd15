#!/bin/bash
# lab: timeout=900
# What it costs to give a network namespace its network: BENCH_ROUNDS rounds in each of which everybody has one turn, so that
# all see the same machine. What is made before and removed behind a turn is not counted. Prints for each one line
#
#   bench-startup {"what": ..., "ns": [...], "cpu": [...]}
#
# ns are nanoseconds until it is done, cpu what all of the machine's tasks had of its CPUs meanwhile: the work without what is
# waited for.
#
# BENCH_CROWD: so many containers of shunt's are there already, and only shunt has its turns. What each has of the kernel's
# memory:
#
#   bench-memory {"crowd": ..., "slab": BYTES, "percpu": BYTES, "maps": BYTES of all of them together}
. "$(dirname "$0")/bench.bash"

declare -A took worked
# now: sets when, and what tasks have had of the CPUs until then, if the kernel tells that
now() {
        local word
        when=${EPOCHREALTIME/[.,]/} had=0
        [ -r /proc/schedstat ] || return 0
        while read -r -a word; do [[ ${word[0]} != cpu* ]] || had=$((had + word[7])); done </proc/schedstat
}
# timed WHAT COMMAND...: one turn
timed() {
        local what=$1 begin worked_before
        shift
        now
        begin=$when worked_before=$had
        "$@" >/tmp/turn 2>&1 </tmp/input || die "$what: $(cat /tmp/turn)"
        now
        took[$what]+="$(((when - begin) * 1000)) "
        worked[$what]+="$((had - worked_before)) "
}
# The kernel goes on with namespaces behind our back: whose turn is next shall not wait for that.
gone() { # NETNS
        ip netns del "$1" 2>/dev/null || return 0
        sleep 0.3
}
fresh() { # NETNS
        gone "$1"
        ip netns add "$1"
        sleep 0.1
}

world
: >/tmp/input
bundle one shunt.network=default
jq -n '{cniVersion: "1.0.0", name: "bench", type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true,
        ipam: ({type: "host-local"} + $ipam)}' --argjson ipam "$own_subnets" >/tmp/cni.json
jq -n '{container_id: "one", container_name: "one",
        networks: {bench: {interface_name: "eth0", static_ips: ["10.90.0.2", "fd90::2"]}},
        network_info: {bench: {name: "bench", id: ("0" * 64), driver: "bridge", network_interface: "podman1", ipv6_enabled: true,
        internal: false, dns_enabled: false, ipam_options: {driver: "host-local"},
        subnets: [{subnet: "10.90.0.0/24", gateway: "10.90.0.1"}, {subnet: "fd90::/64", gateway: "fd90::1"}]}}}' \
        >/tmp/netavark.json
cni() {
        CNI_COMMAND=$1 CNI_CONTAINERID=one CNI_NETNS=/run/netns/one CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge
}
modprobe -q tun || true
mkdir -p /tmp/netavark

# The first of a host loads the programs and makes the maps; the others find them.
shunts() {
        [ -n "${BENCH_CROWD:-}" ] ||
                timed "shunt attach, the host's first" shunt attach one --netns /run/netns/one --driver "$driver"
        fresh two
        timed "shunt attach" shunt attach two --netns /run/netns/two --driver "$driver"
        timed "shunt detach" shunt detach two
        ip netns exec two sleep 1000 &
        sleeper=$!
        eventually test /proc/$sleeper/ns/net -ef /run/netns/two
        jq -n '{ociVersion: "1.0.2", id: "two", status: "creating", pid: $pid, bundle: "/tmp/bundle/one"}' \
                --argjson pid $sleeper >/tmp/input
        timed "shunt oci-hook createRuntime" shunt oci-hook createRuntime
        kill $sleeper
        wait $sleeper 2>/dev/null || true
        timed "shunt oci-hook poststop" shunt oci-hook poststop
        gone two
        : >/tmp/input
        [ -z "${BENCH_CROWD:-}" ] || return 0
        shunt detach one
        shunt gc >/dev/null
}

others() {
        fresh one
        cp /tmp/netavark.json /tmp/input
        timed "netavark setup" /usr/lib/podman/netavark --config /tmp/netavark setup /run/netns/one
        timed "netavark teardown" /usr/lib/podman/netavark --config /tmp/netavark teardown /run/netns/one

        fresh one
        cp /tmp/cni.json /tmp/input
        timed "CNI bridge ADD" cni ADD
        timed "CNI bridge DEL" cni DEL

        fresh one
        : >/tmp/input
        timed "pasta" pasta --quiet --config-net --no-map-gw -t none -u none -T none -U none --runas 0 --pid /tmp/pasta.pid \
                --netns /run/netns/one
        kill "$(cat /tmp/pasta.pid)"
}

kilobytes() { awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo; }
crowd() {
        local i slab percpu
        for ((i = 0; i <= $1; i++)); do echo "netns add crowd$i"; done | ip -batch -
        shunt attach crowd0 --netns /run/netns/crowd0 --driver "$driver" >/dev/null
        slab=$(kilobytes Slab) percpu=$(kilobytes Percpu)
        for ((i = 1; i <= $1; i++)); do
                shunt attach crowd$i --netns /run/netns/crowd$i --driver "$driver" >/dev/null
        done
        bpftool map show --json | jq -r --argjson crowd "$1" --argjson slab $(($(kilobytes Slab) - slab)) \
                --argjson percpu $(($(kilobytes Percpu) - percpu)) \
                '"bench-memory " + ({$crowd, slab: ($slab * 1024 / $crowd | floor), percpu: ($percpu * 1024 / $crowd | floor),
                        maps: (map(.bytes_memlock) | add)} | tostring)'
}
[ -z "${BENCH_CROWD:-}" ] || crowd "$BENCH_CROWD"

for ((round = -1; round < ${BENCH_ROUNDS:-50}; round++)); do
        # The first round is not counted: it loads modules and makes bridges.
        [ $round != 0 ] || took=() worked=()
        gone one
        timed "a program that does nothing" /bin/true
        timed "ip netns add" ip netns add one
        shunts
        [ -n "${BENCH_CROWD:-}" ] || others
done
for what in "${!took[@]}"; do
        jq -nr --arg what "$what${BENCH_CROWD:+, $BENCH_CROWD are there}" --arg ns "${took[$what]}" --arg cpu "${worked[$what]}" \
                'def numbers: [splits(" +") | select(. != "") | tonumber];
                "bench-startup " + ({$what, ns: ($ns | numbers), cpu: ($cpu | numbers)} | tostring)'
done
