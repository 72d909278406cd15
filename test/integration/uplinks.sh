#!/bin/bash
# lab: check=stable
# Ways out come and go: a default route that moves, two at once, and one by a device without Ethernet addresses.
. "$(dirname "$0")/lib.bash"

world
# Another wire to the same machine beyond, which has an address that both lead to.
ip link add wire2 type veth peer name wire2 netns beyond
ip addr add 10.96.0.1/24 dev wire2
ip addr add fd96::1/64 dev wire2 nodad
ip link set wire2 up
ip -n beyond addr add 10.96.0.2/24 dev wire2
ip -n beyond addr add fd96::2/64 dev wire2 nodad
ip -n beyond link set wire2 up
ip -n beyond addr add 10.95.0.1/32 dev lo
ip -n beyond addr add fd95::1/128 dev lo
attached() { bpftool -j net show | jq -r '[.[].tc[] | select(.name // "" | startswith("shunt_from_wire")) | "\(.devname) \(.name)"] | sort | join(", ")'; }
# move DEVICE ROUTER4 ROUTER6: all goes there, and comes back the same way
move() {
        ip route replace default via "$2" dev "$1"
        ip -6 route del default
        ip -6 route add default via "$3" dev "$1"
        ip -n beyond route replace 10.0.0.0/8 via "${2%.2}.1"
        ip -n beyond -6 route replace fd00::/8 via "${3%2}1"
}
works() {
        check "$1, out" in_ct one ping -n -c 1 -W 5 10.95.0.1
        check "$1, out, IPv6" in_ct one ping -n -c 1 -W 5 fd95::1
        check "$1, in" beyond ping -n -c 1 -W 5 "$v4"
        check "$1, in, IPv6" beyond ping -n -c 1 -W 5 "$v6"
}

plain one
v4=$(address4 one) v6=$(address6 one)
check_equal "the default route's interface is the uplink" "wire shunt_from_wire" "$(attached)"
works "by the first wire"
move wire2 10.96.0.2 fd96::2
shunt gc >/dev/null
check_equal "and the way in follows with gc" "wire2 shunt_from_wire" "$(attached)"
works "by the second wire"

ip route replace default nexthop via 10.99.0.2 dev wire nexthop via 10.96.0.2 dev wire2
shunt gc >/dev/null
check_equal "two at once are both uplinks" "wire shunt_from_wire, wire2 shunt_from_wire" "$(attached)"
works "by both wires"

ip route replace default via 10.99.0.2 dev wire
ip -6 route del default
ip -6 route add default via fd99::2 dev wire
ip -n beyond route replace 10.0.0.0/8 via 10.99.0.1
ip -n beyond -6 route replace fd00::/8 via fd99::1
ip link del wire2
shunt gc >/dev/null
check_equal "one that is deleted is forgotten" "wire shunt_from_wire" "$(attached)"
works "by the first wire again"

# Packets that begin with the IP header, as of WireGuard: a tun device on either side, joined by hand.
[ -e /dev/net/tun ] || modprobe tun
background /tmp/tunnel net tunnel tun0 beyond
for side in "" beyond; do
        in=(ip ${side:+-n $side})
        "${in[@]}" addr add 10.94.0.$((${#side} ? 2 : 1))/24 dev tun0
        "${in[@]}" link set tun0 mtu 1420 up
        "${in[@]}" addr add fd94::$((${#side} ? 2 : 1))/64 dev tun0 nodad
done
move tun0 10.94.0.2 fd94::2
shunt gc >/dev/null
check_equal "a device without Ethernet header has its own program" "tun0 shunt_from_wire_l3" "$(attached)"
works "by the tunnel"
background /tmp/beyond beyond "$here/net.py" serve
check "streams and datagrams by the tunnel, IPv4" in_ct one "$here/net.py" exchange 10.94.0.2 2
check "streams and datagrams by the tunnel, IPv6" in_ct one "$here/net.py" exchange fd94::2 2
plain two
check_equal "who comes later has its MTU" 1420 "$(ip -n two -j link show eth0 | jq '.[0].mtu')"

# No way out at all, at first.
shunt detach one
shunt detach two
check_equal "the last detach takes it off the uplink" "" "$(attached)"
finish_background
ip route del default 2>/dev/null || true
ip -6 route del default 2>/dev/null || true
shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
check_equal "without a default route there is no uplink" "" "$(attached)"
check "but the host" in_ct one ping -n -c 1 -W 5 10.99.0.1
ip route add default via 10.99.0.2
ip -6 route add default via fd99::2
ip -n beyond route replace 10.0.0.0/8 via 10.99.0.1
ip -n beyond -6 route replace fd00::/8 via fd99::1
shunt gc >/dev/null
check_equal "when one comes, gc makes it one" "wire shunt_from_wire" "$(attached)"
works "by the route that came"
shunt detach one
nothing_left
finish
