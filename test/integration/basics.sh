#!/bin/bash
# Two plain namespaces reach each other, the host, and a machine beyond it, and disappear without a trace.
. "$(dirname "$0")/lib.bash"

world
plain one
plain two
v4=$(address4 one) v6=$(address6 one) w4=$(address4 two) w6=$(address6 two)

check "container to container, IPv4" in_ct one ping -n -c 1 -W 5 "$w4"
check "container to container, IPv6" in_ct one ping -n -c 1 -W 5 "$w6"
check "container to itself, IPv4" in_ct one ping -n -c 1 -W 5 "$v4"
check "container to itself, IPv6" in_ct one ping -n -c 1 -W 5 "$v6"
check "container to the host, IPv4" in_ct one ping -n -c 1 -W 5 10.99.0.1
check "container to the host, IPv6" in_ct one ping -n -c 1 -W 5 fd99::1
check "host to container, IPv4" ping4 "$v4"
check "host to container, IPv6" ping6 "$v6"
check "container to beyond, IPv4" in_ct one ping -n -c 1 -W 5 10.99.0.2
check "container to beyond, IPv6" in_ct one ping -n -c 1 -W 5 fd99::2
check "beyond to container, IPv4" beyond ping -n -c 1 -W 5 "$v4"
check "beyond to container, IPv6" beyond ping -n -c 1 -W 5 "$v6"

check_equal "both are ready" "ready ready" "$(shunt list --json | jq -r '[.[].state] | join(" ")')"
check_equal "the driver is the one asked for" "$driver $driver" "$(shunt list --json | jq -r '[.[].driver] | join(" ")')"
end=$(host_end one)
check_equal "the host end bears the ID as alias" one "$(ip -j link show "$end" | jq -r '.[0].ifalias')"
check_equal "routes to the container carry our protocol number" "$v4 $v6" \
        "$(ip -j route show proto 207 dev "$end" | jq -r '.[].dst') $(ip -6 -j route show proto 207 dev "$end" | jq -r '.[].dst')"
check_equal "no other route leads there" 0 "$(ip -j route show dev "$end" | jq '[.[] | select(.protocol != "207")] | length')"
check_equal "not even for multicasts" "" "$(ip -6 route show table all type multicast dev "$end")"
nsid() { ip -j netns list-id | jq ".[] | select(.name == \"$1\") | .nsid"; }
check "the namespace of the later has the lower number, so that the kernel finds it first" test "$(nsid two)" -lt "$(nsid one)"

# What is attached: ours on our devices, and nothing else.
programs_on() { bpftool -j net show dev "$1" | jq -r '[.[].tc[] | "\(.kind) \(.name)"] | sort | join(", ")'; }
if [ "$driver" = netkit ]; then
        check_equal "our program is on the host end" "netkit/peer shunt_from_ct, tcx/ingress shunt_across" "$(programs_on "$end")"
else
        # And behind it what is in the place of netkit's policy, of which bpftool has no name.
        check_equal "our program is on the host end" "clsact/ingress null, tcx/ingress shunt_from_ct" "$(programs_on "$end")"
fi
check_equal "our one program is on the wire" "tcx/ingress shunt_from_wire" "$(programs_on wire)"
check_equal "none is on the loopback" "" "$(programs_on lo)"
gate=$([ "$driver" = netkit ] || echo shunt_gate)
check_equal "inside the container none, or veth's gate" "$gate" "$(ip netns exec one bpftool -j net show | jq -r '.[].tc[].name')"
check_equal "no classic filter is on the host end, but for that" "$([ "$driver" = netkit ] || echo "65535 bpf")" \
        "$(for at in ingress egress; do tc -j filter show dev "$end" $at 2>/dev/null | jq -r '.[] | select(.options) | "\(.pref) \(.kind)"'; done)"
check_equal "no qdisc came with us, but for that" "$([ "$driver" = netkit ] || printf '%s\n' "$end" "$(host_end two)" | sort)" \
        "$(tc -j qdisc show | jq -r '.[] | select(.kind == "clsact").dev' | sort)"

# The counters are the container's own: what it sent, and what reached it.
# counted NAME COMMAND...: sends ten packets and gets ten, of 98 bytes and more
counted() {
        local name=$1 before after sums i
        shift
        read -ra before <<<"$(counters "$name")"
        "$@" -n -q -c 10 -i 0.01 -W 5 >/dev/null || die "$name: ${*:1:4}: no answers"
        read -ra after <<<"$(counters "$name")"
        sums=()
        for i in 0 1 2 3; do sums+=($((after[i] - before[i]))); done
        check "$name: ten out and ten in are counted by ${*: -1} (${sums[*]})" \
                test "${sums[0]}" -ge 10 -a "${sums[0]}" -lt 15 -a "${sums[1]}" -ge 980 -a "${sums[1]}" -lt 2000 \
                -a "${sums[2]}" -ge 10 -a "${sums[2]}" -lt 15 -a "${sums[3]}" -ge 980 -a "${sums[3]}" -lt 2000
}
counted one in_ct one ping 10.99.0.2
counted one in_ct one ping -6 fd99::2
counted one beyond ping "$v4"
counted one beyond ping -6 "$v6"
counted one in_ct one ping 10.99.0.1
counted one ping "$v4"
counted one ping -6 "$v6"
counted two in_ct one ping "$w4"
counted one in_ct two ping -6 "$v6"
for name in one two; do check "$name's own interface says the same" eventually counts_right $name; done
check_equal "list says so, too" "$(counters one) $(counters two)" \
        "$(shunt list --json | jq -r '[.[].counters | .rx_packets, .rx_bytes, .tx_packets, .tx_bytes] | join(" ")')"

check "detach of an unknown ID is success" shunt detach nobody
check "detach" shunt detach one
check "detach again" shunt detach one
check_not "its host end is gone" ip link show "$end"
check_not "and its end in the container" ip -n one link show eth0
check "the other one is unharmed" in_ct two ping -n -c 1 -W 5 10.99.0.2
check "the first is attached again" shunt attach one --netns /run/netns/one --driver "$driver"
check_equal "to the same addresses" "$v4 $v6" "$(address4 one) $(address6 one)"
check "and works" in_ct one ping -n -c 1 -W 5 10.99.0.2
check "detach of the last but one" shunt detach one

ip netns del two
eventually sh -c 'shunt list --json | jq -e ".[0].state == \"stale\""'
ok "a container that died is stale"
check_equal "and its counters are gone with it" null "$(shunt list --json | jq '.[0].counters.rx_packets')"
ids=$(loaded)
check "gc takes it back" shunt gc
nothing_left
check_not "and the datapath with it" test -e /sys/fs/bpf/shunt/datapath
while read -r what id; do eventually gone "$what" "$id"; done <<<"$ids"
ok "no program or map of ours is loaded"
finish
