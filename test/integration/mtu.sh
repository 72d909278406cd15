#!/bin/bash
# lab: check=stable
# Paths narrower than their ends: whoever sends too much is told how much fits, and streams find their size.
. "$(dirname "$0")/lib.bash"

world
# Behind beyond, a path of 1300 bytes to "far", which beyond tells of by itself.
ip netns add far
ip -n beyond link add road type veth peer name road netns far
ip -n beyond addr add 10.98.0.1/24 dev road
ip -n beyond addr add fd98::1/64 dev road nodad
ip -n beyond link set road mtu 1300 up
ip -n far addr add 10.98.0.2/24 dev road
ip -n far addr add fd98::2/64 dev road nodad
ip -n far link set road mtu 1300 up
ip -n far route add default via 10.98.0.1
ip -n far -6 route add default via fd98::1
beyond sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'

plain one
plain narrow --mtu 1400
v4=$(address4 one) v6=$(address6 one) n4=$(address4 narrow) n6=$(address6 narrow)
background /tmp/narrow in_ct narrow "$here/net.py" serve
background /tmp/far ip netns exec far "$here/net.py" serve
background /tmp/beyond beyond "$here/net.py" serve

# told MTU FROM TO: a packet one byte larger than MTU is refused by name, and one of MTU arrives
told() {
        local what=$1 mtu=$2 from=$3 to=$4 header=28 words
        [[ $to != *:* ]] || header=48
        ip netns exec "$from" ip route flush cache
        ip netns exec "$from" ip -6 route flush cache
        words=$(ip netns exec "$from" ping -n -M do -c 1 -W 5 -s $((mtu - header + 1)) "$to" 2>&1) &&
                die "$what: a ping of $((mtu + 1)) bytes came through"
        grep -Eq "(mtu ?[=:] ?|mtu=)$mtu" <<<"$words" || die "$what: no word of $mtu in: $words"
        check "$what: told of $mtu, and that fits" ip netns exec "$from" ping -n -M do -c 1 -W 5 -s $((mtu - header)) "$to"
}

echo "# a route of the host with an MTU of its own"
# Locked: the kernel, too, forwards by no other.
ip route add 10.99.0.2/32 dev wire mtu lock 1350
ip -6 route add fd99::2/128 dev wire mtu lock 1350
told "container to beyond, IPv4" 1350 one 10.99.0.2
told "container to beyond, IPv6" 1350 one fd99::2
check "streams and datagrams, IPv4" in_ct one "$here/net.py" exchange 10.99.0.2 4
check "streams and datagrams, IPv6" in_ct one "$here/net.py" exchange fd99::2 4
ip route del 10.99.0.2/32 dev wire
ip -6 route del fd99::2/128 dev wire

echo "# a router on the way, with a smaller one"
told "container to far, IPv4" 1300 one 10.98.0.2
told "container to far, IPv6" 1300 one fd98::2
check "streams and datagrams, IPv4" in_ct one "$here/net.py" exchange 10.98.0.2 4
check "streams and datagrams, IPv6" in_ct one "$here/net.py" exchange fd98::2 4

echo "# a container with less than the wire"
told "beyond to container, IPv4" 1400 beyond "$n4"
told "beyond to container, IPv6" 1400 beyond "$n6"
told "container to container, IPv4" 1400 one "$n4"
told "container to container, IPv6" 1400 one "$n6"
check "streams and datagrams from beyond, IPv4" beyond "$here/net.py" exchange "$n4" 4
check "streams and datagrams from beyond, IPv6" beyond "$here/net.py" exchange "$n6" 4
check "streams and datagrams from a container, IPv4" in_ct one "$here/net.py" exchange "$n4" 4
check "streams and datagrams from a container, IPv6" in_ct one "$here/net.py" exchange "$n6" 4
check "too large packets are counted" test "$(dropped one too_big)" -gt 0

echo "# the wire itself"
ip link set wire mtu 1280
ip -n beyond link set wire mtu 1280
told "container to beyond, IPv4" 1280 one 10.99.0.2
told "container to beyond, IPv6" 1280 one fd99::2
check "streams and datagrams" in_ct one "$here/net.py" exchange 10.99.0.2 4
ip link set wire mtu 1500
ip -n beyond link set wire mtu 1500

echo "# hops"
gateway6=$(gateway6)
hop() { # FROM TO TTL
        { ip netns exec "$1" ping -n -c 1 -W 5 -t "$3" "$2" || true; } | sed -nE 's/^From ([^ ]*)( |: ).*(exceeded|Hop limit).*/\1/p'
}
check_equal "the first hop of a container is the gateway, IPv4" 10.207.0.1 "$(hop one 10.98.0.2 1)"
check_equal "the first hop of a container is the gateway, IPv6" "$gateway6" "$(hop one fd98::2 1)"
check_equal "the second is beyond, IPv4" 10.99.0.2 "$(hop one 10.98.0.2 2)"
check_equal "the second is beyond, IPv6" fd99::2 "$(hop one fd98::2 2)"
check_equal "the last hop to a container is the gateway, IPv4" 10.207.0.1 "$(hop beyond "$v4" 1)"
check_equal "the last hop to a container is the gateway, IPv6" "$gateway6" "$(hop beyond "$v6" 1)"
ttl() { { ip netns exec "$1" ping -n -c 1 -W 5 "$2" || true; } | sed -n 's/.*ttl=\([0-9]*\).*/\1/p'; }
check_equal "one hop from beyond to a container" "63 63" "$(ttl one 10.99.0.2) $(ttl one fd99::2)"
check_equal "one hop from a container to beyond" "63 63" "$(ttl beyond "$v4") $(ttl beyond "$v6")"
check_equal "none between containers" "64 64" "$(ttl one "$n4") $(ttl one "$n6")"
check "the last hop is enough within the host" in_ct one ping -n -c 1 -W 5 -t 1 "$n4"
check "used up hops are counted" test "$(dropped one ttl)" -gt 0

finish_background
shunt detach one
shunt detach narrow
nothing_left
finish
