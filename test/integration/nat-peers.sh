#!/bin/bash
# lab: check=backports
# What people run behind a masquerade works: downloads, measurements, name servers' answers, errors from routers on the way.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

world
strangers
# Behind beyond, by a router with a narrow link: "far".
ip netns add router
ip netns add far
ip -n beyond link add road type veth peer name road netns router
ip -n router link add lane type veth peer name lane netns far
for end in "beyond road 10.98.1.1 fd98:1::1 1500" "router road 10.98.1.2 fd98:1::2 1500" "router lane 10.98.2.1 fd98:2::1 1300" \
        "far lane 10.98.2.2 fd98:2::2 1300"; do
        read -r netns device v4 v6 mtu <<<"$end"
        ip -n "$netns" addr add "$v4/24" dev "$device"
        ip -n "$netns" addr add "$v6/64" dev "$device" nodad
        ip -n "$netns" link set "$device" mtu "$mtu" up
        ip netns exec "$netns" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
done
for way in "beyond 10.98.1.2 fd98:1::2" "router 10.98.1.1 fd98:1::1" "far 10.98.2.1 fd98:2::1"; do
        read -r netns v4 v6 <<<"$way"
        ip -n "$netns" route add default via "$v4"
        ip -n "$netns" -6 route add default via "$v6"
done
addresses 4
plain one
plain two
for netns in far one; do ip -n $netns link set lo up; done

for server in beyond far one; do web_server $server; done
fetch "curl, IPv4" one http://10.99.0.2:8080/ 10.99.0.1
fetch "curl, IPv6" one 'http://[fd99::2]:8080/' fd99::1
fetch "curl through a router and a narrow link, IPv4" two http://10.98.2.2:8080/ 10.99.0.1
fetch "curl through a router and a narrow link, IPv6" two 'http://[fd98:2::2]:8080/' fd99::1

echo "# errors from who is asked, and from routers on the way"
for way in "10.99.0.2 10.98.2.2 10.98.1.2 10.207.0.1" "fd99::2 fd98:2::2 fd98:1::2 $(gateway6)"; do
        read -r next last router gateway <<<"$way"
        check_equal "a closed UDP port of $next is told" "ECONNREFUSED ECONNREFUSED $next" "$(in_ct one "$here/nat.py" refused "$next")"
        check_equal "and one of $last" "ECONNREFUSED ECONNREFUSED $last" "$(in_ct one "$here/nat.py" refused "$last")"
        check_equal "the way to $last" "$gateway $next $router $last" "$(in_ct one "$here/nat.py" trace "$last" | xargs)"
        for ttl in 2 3; do
                who=$next
                [ $ttl = 2 ] || who=$router
                check "a ping of $ttl hops ends at $who" sh -c "ip netns exec one ping -n -c 1 -W 5 -t $ttl $last | grep -qE '^From $who:? '"
        done
        # told_mtu SIZE: of the packet, all of it
        header=28
        [[ $last != *:* ]] || header=48
        check "the narrow link is told of" sh -c "ip netns exec two ping -n -c 1 -W 5 -M do -s $((1301 - header)) $last 2>&1 | grep -qE 'From $router:? .*mtu ?[=:] ?1300'"
        check "and 1300 bytes fit" in_ct two ping -n -c 1 -W 5 -M do -s $((1300 - header)) "$last"
        check_equal "which the container has learnt" 1300 "$(ip -n two -j route get "$last" | jq '.[0].metrics[0].mtu // .[0].mtu')"
done
background /tmp/far ip netns exec far "$here/net.py" serve
background /tmp/server beyond "$here/nat.py" serve
for server in 10.98.2.2 fd98:2::2; do
        check "streams in large segments, and datagrams in fragments, through the narrow link: $server" in_ct one "$here/net.py" exchange $server 4
done

echo "# many at once"
for server in beyond far; do
        ip netns exec $server iperf3 -s >/dev/null &
        backgrounds+=($!)
        eventually listens $server 5201
done
measure one 10.99.0.2 -t 1 -P 4
measure one fd99::2 -t 1 -P 4 -R
measure one 10.98.2.2 -t 1 -R
measure one fd98:2::2 -t 1
measure one 10.99.0.2 -t 1 -u -b 20M -l 1200
measure one fd99::2 -t 1 -u -b 20M -l 4000
rounds=100
[ "${LAB_ACCEL:-}" != tcg ] || rounds=20
for servers in "${servers4[*]}" "${servers6[*]}"; do
        # shellcheck disable=SC2086 # words
        check_equal "$rounds sockets that are not connected ask ${servers// /, } at once, and all of them answer" \
                "$((rounds * 8)) $((rounds * 8))" "$(in_ct one "$here/nat.py" burst $rounds $servers)"
done

echo "# from out there, to a container's own address"
ip -n beyond route add 10.207.0.0/16 via 10.99.0.1
ip -n beyond -6 route add "$(address6 one)" via fd99::1
fetch "curl in, IPv4" beyond "http://$(address4 one):8080/" 10.99.0.2
fetch "curl in, IPv6" beyond "http://[$(address6 one)]:8080/" fd99::2
in_ct one iperf3 -s >/dev/null &
backgrounds+=($!)
eventually listens one 5201
measure beyond "$(address4 one)" -t 1
measure beyond "$(address6 one)" -t 1 -R
check_equal "while it leaves with the host's address as before" "10.99.0.1 fd99::1" \
        "$(in_ct one "$here/nat.py" ask tcp 10.99.0.2 | cut -d ' ' -f 1) $(in_ct one "$here/nat.py" ask udp fd99::2 | cut -d ' ' -f 1)"

check_equal "nothing was dropped but what had no hops left" '{"ttl":2}' \
        "$(shunt show one --json | jq -c '.counters.dropped | del(.multicast) | with_entries(select(.value > 0))')"
finish_background
shunt detach one
shunt detach two
nothing_left
finish
