#!/bin/bash
# lab: check=stable
# What broke the lifecycle once, or was built to: each ends with a truth told, and no packet out of its filter.
. "$(dirname "$0")/lib.bash"

world

# Two IDs whose hashes are alike: found by searching for some minutes.
plain a0172c331
ip netns add other
refuse "alike" shunt attach a05648e0e --netns /run/netns/other --driver "$driver"
check "the first keeps its programs" sh -c "bpftool net show | grep -q \"$(host_end a0172c331).*shunt_from_ct\""
check "and its network" in_ct a0172c331 ping -n -c 1 -W 5 10.99.0.2

# From another network namespace every interface number means something else.
refuse "belongs to network namespace" nsenter --net=/run/netns/beyond shunt gc
refuse "belongs to network namespace" nsenter --net=/run/netns/beyond shunt detach a0172c331
check "another namespace's verbs change nothing" in_ct a0172c331 ping -n -c 1 -W 5 10.99.0.2

# Another instance in the same namespace.
refuse "another --state" shunt --state /sys/fs/bpf/second attach a0172c331 --netns /run/netns/other --driver "$driver"
check "another instance steals nothing" in_ct a0172c331 ping -n -c 1 -W 5 10.99.0.2
check "which leaves nothing" shunt --state /sys/fs/bpf/second gc

# An admin's hands on the host end.
end=$(host_end a0172c331)
ip link set "$end" alias mine
check_equal "with another alias it is still ready" ready "$(shunt show a0172c331 --json | jq -r .state)"
ip link set "$end" down
ip link set "$end" alias a0172c331
ip link set "$end" name renamed0
check_equal "under another name it is still ready" ready "$(shunt show a0172c331 --json | jq -r .state)"
check "and detach finds it" shunt detach a0172c331
check_not "renamed or not" ip link show renamed0
nothing_left

# The uplinks are those of now.
plain one
ip netns add later
ip link del wire
eventually sh -c '! ip link show wire 2>/dev/null'
ip link add wire type veth peer name wire netns beyond
ip addr add 10.99.0.1/24 dev wire
ip link set wire up
ip -n beyond addr add 10.99.0.2/24 dev wire
ip -n beyond link set wire up
ip route add default via 10.99.0.2
ip -n beyond route add 10.207.0.0/16 via 10.99.0.1
check "attach follows an uplink that was replaced" shunt attach two --netns /run/netns/later --driver "$driver"
check "beyond is reached" in_ct later ping -n -c 1 -W 5 10.99.0.2
ip route del default
check "gc while the default route is renewed" shunt gc
ip route add default via 10.99.0.2
check "cuts nobody off" beyond ping -n -c 1 -W 5 "$(address4 two)"
mkdir -p /etc/shunt/networks
echo '{ "mtu": ' >/etc/shunt/networks/default.json
check "gc with a broken network file" shunt gc
check "cuts nobody off either" beyond ping -n -c 1 -W 5 "$(address4 two)"
rm /etc/shunt/networks/default.json
check "detach" shunt detach one
check "detach" shunt detach two
nothing_left

# A datapath that somebody removed: the pinned links of the old one are not taken for ours.
ip netns del one
ip netns add one
check "attach" shunt attach one --netns /run/netns/one --driver "$driver"
rm -r /sys/fs/bpf/shunt/datapath
check "attach after the registry was removed" shunt attach one --netns /run/netns/one --driver "$driver" --interface eth1
check "and again under the same name" shunt attach one --netns /run/netns/one --driver "$driver"
check "beyond is reached" in_ct one ping -n -c 1 -W 5 10.99.0.2
check "and reaches" beyond ping -n -c 1 -W 5 "$(shunt list --json | jq -r '.[] | select(.peer.name == "eth0").addresses[0]' | cut -d/ -f1)"
check "detach of both" shunt detach one
nothing_left

# A load that was killed.
mv /sys/fs/bpf/shunt/datapath /sys/fs/bpf/shunt/loading
check "gc takes the remains of a killed load" shunt gc
check_equal "whole" "/sys/fs/bpf/shunt/endpoints /sys/fs/bpf/shunt/ports /sys/fs/bpf/shunt/uplinks" "$(echo /sys/fs/bpf/shunt/*)"
check_equal "and empty" "" "$(find /sys/fs/bpf/shunt -mindepth 2 -exec echo {} +)"

# Hosts and containers that do without IPv6.
echo '{ "subnets": ["10.50.0.0/24"], "mtu": 1000 }' >/etc/shunt/networks/small.json
ip netns del one
plain one --network small
check "an MTU too small for IPv6" in_ct one ping -n -c 1 -W 5 10.99.0.1
shunt detach one
ip netns exec one sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
refuse "disable_ipv6" shunt attach one --netns /run/netns/one --driver "$driver"
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
check "a host with IPv6 disabled gives IPv4" shunt attach one --netns /run/netns/one --driver "$driver"
check_equal "alone" null "$(address6 one)"
check "and it works" in_ct one ping -n -c 1 -W 5 10.99.0.2
echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6
shunt detach one
nothing_left

# Many at once, from nothing.
unloaded
for i in {1..20}; do ip netns add "p$i"; done
pids=()
for i in {1..20}; do shunt attach "p$i" --netns "/run/netns/p$i" --driver "$driver" >/dev/null & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || die "one of twenty at once failed"; done
check_equal "twenty at once: all are ready" 20 "$(shunt list --json | jq '[.[] | select(.state == "ready")] | length')"
check_equal "with an address each" 40 "$(shunt list --json | jq -r '.[].addresses[]' | sort -u | wc -l)"
pids=()
for i in {1..20}; do shunt detach "p$i" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || die "a detach of twenty at once failed"; done
nothing_left
unloaded
finish
