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
check "container to the host, IPv4" in_ct one ping -n -c 1 -W 5 10.99.0.1
check "container to the host, IPv6" in_ct one ping -n -c 1 -W 5 fd99::1
check "host to container, IPv4" ping4 "$v4"
check "host to container, IPv6" ping6 "$v6"
check "container to beyond, IPv4" in_ct one ping -n -c 1 -W 5 10.99.0.2
check "container to beyond, IPv6" in_ct one ping -n -c 1 -W 5 fd99::2
check "beyond to container, IPv4" beyond ping -n -c 1 -W 5 "$v4"
check "beyond to container, IPv6" beyond ping -n -c 1 -W 5 "$v6"

check_equal "both are ready" "ready ready" "$(shunt list --json | jq -r '[.[].state] | join(" ")')"
if [ "$driver" != auto ]; then
        check_equal "the driver is the one asked for" "$driver $driver" "$(shunt list --json | jq -r '[.[].driver] | join(" ")')"
fi

check "detach of an unknown ID is success" shunt detach nobody
check "detach" shunt detach one
check "detach again" shunt detach one
check_not "its host end is gone" ip link show "$(host_end two)x"
check "the other one is unharmed" in_ct two ping -n -c 1 -W 5 10.99.0.2
ip netns del two
eventually sh -c 'shunt list --json | jq -e ".[0].state == \"stale\""'
ok "a container that died is stale"
check "gc takes it back" shunt gc
nothing_left
unloaded
finish
