#!/bin/bash
# lab: check=backports
# Many at once: hooks in parallel, gc among them, and two instances in one kernel.
. "$(dirname "$0")/lib.bash"

world
many=30
for ((i = 0; i < many; i++)); do ip netns add c$i; done
# all COMMAND...: once for each container at the same time, with % for its number; fails if any does
all() {
        local i pids=() pid failed=0
        for ((i = 0; i < many; i++)); do
                "${@//%/$i}" >/tmp/log.$i 2>&1 &
                pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
        [ $failed -eq 0 ] || { cat /tmp/log.* >&2; return 1; }
}
attach=(shunt attach c% --netns /run/netns/c% --driver "$driver")

check "thirty attaches at once, the first of which loads the datapath" all "${attach[@]}"
check_equal "all are ready" "ready 30" "$(shunt list --json | jq -r 'group_by(.state)[] | "\(.[0].state) \(length)"')"
check_equal "no address is given twice" 60 "$(shunt list --json | jq -r '.[].addresses[]' | sort -u | wc -l)"
check "a first reaches a last" in_ct c0 ping -n -c 1 -W 5 "$(address4 c29)"
# Not by timing, which is as it happens: the route that makes it so is there.
check_equal "its IPv6 address is its own before the kernel finds the time" "local $(address6 c0)" \
        "$(ip -n c0 -6 route show table local proto 207 | cut -d' ' -f1,2)"
check "thirty attaches over those, with gc among them" all sh -c 'shunt gc && exec "$@"' sh "${attach[@]}"
check_equal "all are ready again" "ready 30" "$(shunt list --json | jq -r 'group_by(.state)[] | "\(.[0].state) \(length)"')"
check "thirty detaches at once" all shunt detach c%
nothing_left

# As many as there are addresses, so that all must search: a /27 has 29.
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.58.0.0/27"] }' >/etc/shunt/networks/snug.json
many=29
check "as many at once as there are addresses" all "${attach[@]}" --network snug
check_equal "each gets one of its own" 29 "$(shunt list --json | jq -r '.[].addresses[]' | sort -u | wc -l)"
refuse 'full' shunt attach c29 --netns /run/netns/c29 --network snug --driver "$driver"
check "they go at once" all shunt detach c%
nothing_left
many=30

# One address for all: somebody gets it, and the others hear who has it.
check_not "thirty attaches that ask for one address" all "${attach[@]}" --address 10.207.77.77
check_equal "leave one with it" "ready 10.207.77.77/32" "$(shunt list --json | jq -r '.[] | "\(.state) \(.addresses[0])"')"
check_equal "and twenty-nine who are told" 29 "$(cat /tmp/log.* | grep -c 'address 10.207.77.77 is in use by c[0-9]* ')"
check "it works" ping4 10.207.77.77
all shunt detach c%
nothing_left

# One ID many times at once: any of them, but whole.
check "thirty attaches of one ID" all shunt attach same --netns /run/netns/c% --driver "$driver"
check_equal "leave one" "ready 1" "$(shunt list --json | jq -r 'group_by(.state)[] | "\(.[0].state) \(length)"')"
check_equal "with one device" 1 "$(ip -j link show | jq '[.[].ifname | select(startswith("nk"))] | length')"
shunt detach same
nothing_left

# Attach, detach and gc, all against all.
check "a storm" all sh -c 'shunt attach c${1#?} --netns /run/netns/c$1 --driver "$2" && shunt gc && shunt detach c${1#?}' sh % "$driver"
shunt gc >/dev/null
nothing_left
shunt gc >/dev/null

# Two hosts in one kernel: a network namespace and a state directory each. `ip netns exec` would hide our bpffs.
ip netns add left
ip netns add right
ip link add cable type veth peer name cable netns right
ip link set cable netns left
for side in left:1:2 right:2:1; do
        IFS=: read -r name own other <<<"$side"
        ip -n $name link set lo up
        ip -n $name addr add 10.97.0.$own/24 dev cable
        ip -n $name link set cable up
        ip -n $name route add default via 10.97.0.$other
done
for n in 1 2; do echo "{ \"subnets\": [\"10.6$n.0.0/24\"] }" >/etc/shunt/networks/net$n.json; done
left() { nsenter --net=/run/netns/left shunt --state /sys/fs/bpf/left "$@"; }
right() { nsenter --net=/run/netns/right shunt --state /sys/fs/bpf/right "$@"; }
check "one host attaches" left attach web --netns /run/netns/c1 --network net1 --address 10.61.0.9 --driver "$driver"
check "another attaches the same ID" right attach web --netns /run/netns/c2 --network net2 --address 10.62.0.9 --driver "$driver"
check_equal "each has its own" "10.61.0.9/32 10.62.0.9/32" "$(left list --json | jq -r '.[].addresses[]') $(right list --json | jq -r '.[].addresses[]')"
check "a container of one reaches a container of the other" in_ct c1 ping -n -c 1 -W 5 10.62.0.9
check "and the other way" in_ct c2 ping -n -c 1 -W 5 10.61.0.9
check "one detaches" left detach web
check "and the other is unharmed" in_ct c2 ping -n -c 1 -W 5 10.97.0.1
right detach web
left gc >/dev/null
right gc >/dev/null
check_equal "no pin of either is left" "" "$(find /sys/fs/bpf/left /sys/fs/bpf/right -mindepth 2)"
check_equal "nor a route" "" "$(ip -n left route show proto 207; ip -n right route show proto 207)"
finish
