#!/bin/bash
# lab: check=stable
# A host that has its IPv6 default route from a router's advertisement keeps it, though shunt switches forwarding on for
# devices of its own, which by itself would make the kernel delete such routes.
. "$(dirname "$0")/lib.bash"

world
conf=/proc/sys/net/ipv6/conf
ip -6 route del default
# A router, or its neighbour advertisements would say that it is none.
beyond sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
settled='ip -6 addr show dev wire scope link -tentative | grep -q fe80'
eventually beyond sh -c "$settled"
router=$(beyond ip -6 -j addr show dev wire scope link | jq -r '[.[].addr_info[].local // empty][0]')
learnt() { ip -6 -j route show default proto ra; }
has_learnt() { [ "$(learnt | jq length)" -gt 0 ]; }
advertise() {
        beyond "$here/net.py" advertise wire
        eventually has_learnt
}
echo 1 >$conf/wire/accept_ra
advertise
check_equal "the host learns its default route" "$router wire" "$(learnt | jq -r '.[0] | "\(.gateway) \(.dev)"')"

# That the danger is real: the switch by hand, on a device of anybody's, loses the route.
ip link add bystander type veth peer name bystander1
echo 1 >$conf/bystander/forwarding
check_not "without care, the kernel deletes it" has_learnt
ip link del bystander
advertise

plain one
check_equal "it is there after an attach" "$router wire" "$(learnt | jq -r '.[0] | "\(.gateway) \(.dev)"')"
check "still the kernel's, which lets it expire" test "$(ip -6 -j route show default proto ra | jq '.[0].expires')" -gt 500
check_equal "accept_ra is as before" 1 "$(cat $conf/wire/accept_ra)"
check_equal "the wire does not forward" 0 "$(cat $conf/wire/forwarding)"
check_equal "nor does the host" 0 "$(cat $conf/all/forwarding)"
check_equal "only our own device does" 1 "$(cat "$conf/$(host_end one)/forwarding")"
beyond ip addr add fd98::1/128 dev lo
# An address is in the routing table when some worker of the kernel's has put it there.
eventually beyond sh -c 'ip -6 route get fd98::1 | grep -q ^local'
check "the container gets out by it" in_ct one ping -n -c 1 -W 5 fd98::1
check "and so does the host" ping6 fd98::1
advertise
check_equal "another advertisement is heard too" 1 "$(learnt | jq length)"

echo 2 >$conf/wire/accept_ra
plain two
check_equal "where accept_ra was 2, it stays" 2 "$(cat $conf/wire/accept_ra)"
echo 1 >$conf/wire/accept_ra
for name in one two; do shunt detach $name; done
check_equal "it is there after the last detach" "$router wire" "$(learnt | jq -r '.[0] | "\(.gateway) \(.dev)"')"
nothing_left
finish
