#!/bin/bash
# lab: check=backports
# Ways out change under flows that live: answers by another uplink, another default route, an address that comes or goes. And
# what others do to the host's packet filter touches none of them.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

world
ip link add wire2 type veth peer name wire2 netns beyond
ip addr add 10.96.0.1/24 dev wire2
ip addr add fd96::1/64 dev wire2 nodad
ip link set wire2 up
ip -n beyond addr add 10.96.0.2/24 dev wire2
ip -n beyond addr add fd96::2/64 dev wire2 nodad
ip -n beyond link set wire2 up
strangers
addresses 1
mkdir -p /etc/shunt/networks
echo '{ "uplinks": ["wire", "wire2"] }' >/etc/shunt/networks/default.json
plain one
background /tmp/server beyond "$here/nat.py" serve
# What shortcuts know of how a connection begins is an eighth of a second old at most.
forgotten() { nap 200000; }
# seen_as WHAT ADDRESS4 ADDRESS6: a new flow of each kind
seen_as() {
        forgotten
        check_equal "$1: what begins now leaves with $2 and $3" "$2 $2 $3 $3 " "$(in_ct one "$here/nat.py" seen 10.97.0.1 fd97::1)"
}
# move DEVICE ROUTER4 ROUTER6
move() {
        ip route replace default via "$2" dev "$1"
        # IPv6 would rather have two than another one.
        ip -6 route del default 2>/dev/null || true
        ip -6 route add default via "$3" dev "$1"
}
# speakers: connections and datagrams to beyond, all the time
speakers() {
        local way
        forgotten
        for way in "tcp4 tcp 10.97.0.1" "udp4 udp 10.97.0.1" "tcp6 tcp fd97::1" "udp6 udp fd97::1"; do
                read -r name kind server <<<"$way"
                speaker "$name" one "$kind" "$server"
        done
}
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

seen_as "by the first wire" 10.99.0.1 fd99::1
echo "# answers by the other uplink, which only trusts what it would send by itself"
for device in all wire wire2; do echo 1 >/proc/sys/net/ipv4/conf/$device/rp_filter; done
speakers
# Of a neighbour that asks under an address which is not of that link, such a host wants to know nothing.
mac=$(cat /sys/class/net/wire2/address)
for router in 10.96.0.1 fd96::1; do ip -n beyond neigh replace $router lladdr "$mac" dev wire2 nud permanent; done
ip -n beyond route add 10.99.0.1/32 via 10.96.0.1 dev wire2
ip -n beyond -6 route add fd99::1/128 via fd96::1 dev wire2
seen_as "asked by one and answered by the other" 10.99.0.1 fd99::1
before=$(cat /sys/class/net/wire2/statistics/rx_packets)
check_equal "and questions by UDP" "20 20" "$(in_ct one "$here/nat.py" burst 10 10.97.0.1)"
check "which is the way that they take" test "$(cat /sys/class/net/wire2/statistics/rx_packets)" -gt "$before"
ip -n beyond route del 10.99.0.1/32
ip -n beyond -6 route del fd99::1/128

echo "# the host's packet filter comes and goes"
nft -f - <<'NFT'
table inet firewall {
        chain input { type filter hook input priority 0; policy drop; ct state established,related accept; icmpv6 type != echo-request accept; }
        chain forward { type filter hook forward priority 0; policy drop; }
        chain nat { type nat hook postrouting priority srcnat; oifname "wire" masquerade random; }
}
NFT
seen_as "behind a firewall that refuses all, and masquerades" 10.99.0.1 fd99::1
nft flush ruleset
seen_as "behind none" 10.99.0.1 fd99::1
hushed
for name in tcp4 udp4 tcp6 udp6; do went_on $name "through all of that"; done

echo "# another address"
speakers
ip addr add 10.99.0.9/24 dev wire
ip -6 addr add fd99::9/64 dev wire nodad
ip route replace default via 10.99.0.2 src 10.99.0.9
ip -6 route replace default via fd99::2 src fd99::9
seen_as "one that the route prefers" 10.99.0.9 fd99::9
nap 2500000
hushed
for name in tcp4 udp4 tcp6 udp6; do went_on $name "as its address is still the host's"; done
ip route replace default via 10.99.0.2 src 10.99.0.1
ip -6 route replace default via fd99::2 src fd99::1
speakers
echo 1 >/proc/sys/net/ipv4/conf/wire/promote_secondaries
ip route replace default via 10.99.0.2 src 10.99.0.9
ip -6 route replace default via fd99::2 src fd99::9
ip addr del 10.99.0.1/24 dev wire
ip -6 addr del fd99::1/64 dev wire
for name in tcp4 tcp6; do
        eventually grep -q ECONNRESET "/tmp/$name"
        ok "$name ends, as its address is gone"
done
for name in udp4 udp6; do
        eventually lines "/tmp/$name" 3
        check_equal "$name goes on with the other" "$([ $name = udp4 ] && echo 10.99.0.9 || echo fd99::9)" "$(tail -n 1 /tmp/$name | cut -d ' ' -f 1)"
done
hushed
seen_as "the other" 10.99.0.9 fd99::9
ip addr add 10.99.0.1/24 dev wire
ip -6 addr add fd99::1/64 dev wire nodad
ip addr del 10.99.0.9/24 dev wire
ip -6 addr del fd99::9/64 dev wire
move wire 10.99.0.2 fd99::2

echo "# another uplink"
speakers
move wire2 10.96.0.2 fd96::2
for name in tcp4 tcp6; do
        eventually grep -q ECONNRESET "/tmp/$name"
        ok "$name ends, as the other uplink has another address"
done
for name in udp4 udp6; do
        eventually lines "/tmp/$name" 3
        check_equal "$name goes on by it" "$([ $name = udp4 ] && echo 10.96.0.1 || echo fd96::1)" "$(tail -n 1 /tmp/$name | cut -d ' ' -f 1)"
done
hushed
seen_as "by the second wire" 10.96.0.1 fd96::1

echo "# an uplink that nobody has named"
rm /etc/shunt/networks/default.json
shunt detach one
move wire 10.99.0.2 fd99::2
shunt attach one --netns /run/netns/one --driver "$driver"
seen_as "by the default route" 10.99.0.1 fd99::1
move wire2 10.96.0.2 fd96::2
check "gc sees it move" shunt gc
seen_as "by the new default route" 10.96.0.1 fd96::1

finish_background
shunt detach one
nothing_left
finish
