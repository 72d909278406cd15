#!/bin/bash
# What it costs to give a network namespace its network: BENCH_ROUNDS rounds in each of which everybody has one turn, so that
# all see the same machine. What is made before and removed behind a turn is not counted. Prints for each one line
#
#   bench-startup {"what": ..., "ns": [...]}
. "$(dirname "$0")/bench.bash"

declare -A took
# timed WHAT COMMAND...: one turn
timed() {
        local what=$1 begin end
        shift
        begin=${EPOCHREALTIME/[.,]/}
        "$@" >/tmp/turn 2>&1 </tmp/input || die "$what: $(cat /tmp/turn)"
        end=${EPOCHREALTIME/[.,]/}
        took[$what]+="$(((end - begin) * 1000)) "
}
fresh() { ip netns del one 2>/dev/null || true; ip netns add one; }

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

for ((round = -1; round < ${BENCH_ROUNDS:-50}; round++)); do
        # The first round is not counted: it loads modules and makes bridges.
        [ $round != 0 ] || took=()
        ip netns del one 2>/dev/null || true
        timed "ip netns add" ip netns add one

        timed "shunt attach, the host's first" shunt attach one --netns /run/netns/one --driver "$driver"
        ip netns add two
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
        ip netns del two
        : >/tmp/input
        shunt detach one
        shunt gc >/dev/null

        fresh
        cp /tmp/netavark.json /tmp/input
        timed "netavark setup" /usr/lib/podman/netavark --config /tmp/netavark setup /run/netns/one
        timed "netavark teardown" /usr/lib/podman/netavark --config /tmp/netavark teardown /run/netns/one

        fresh
        cp /tmp/cni.json /tmp/input
        timed "CNI bridge ADD" cni ADD
        timed "CNI bridge DEL" cni DEL

        fresh
        : >/tmp/input
        timed "pasta" pasta --quiet --config-net --no-map-gw -t none -u none -T none -U none --runas 0 --pid /tmp/pasta.pid \
                --netns /run/netns/one
        kill "$(cat /tmp/pasta.pid)"
done
for what in "${!took[@]}"; do
        # shellcheck disable=SC2086 # numbers
        jq -nr --arg what "$what" --args '"bench-startup " + ({$what, ns: $ARGS.positional | map(tonumber)} | tostring)' \
                ${took[$what]}
done
