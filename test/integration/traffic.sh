#!/bin/bash
# Streams and datagrams arrive as they were sent, on every way that a packet can take.
. "$(dirname "$0")/lib.bash"

world
plain one
plain two
background /tmp/one in_ct one "$here/net.py" serve
background /tmp/two in_ct two "$here/net.py" serve
background /tmp/host net serve
background /tmp/beyond beyond "$here/net.py" serve

# way NAME CLIENT SERVER MIB: all there is between the namespace of CLIENT and the address SERVER
way() {
        local name=$1 client=$2 server=$3 mib=$4 in=()
        [ "$client" = host ] || in=(ip netns exec "$client")
        check "$name: TCP both ways, $mib MiB of it there, and UDP both ways, whole and in fragments" \
                "${in[@]}" "$here/net.py" exchange "$server" "$mib"
        check "$name: ping in fragments" "${in[@]}" ping -n -q -c 3 -i 0.01 -W 5 -s 4000 "$server"
}

way "container to container, IPv4" one "$(address4 two)" 8
way "container to container, IPv6" one "$(address6 two)" 8
way "container to beyond, IPv4" one 10.99.0.2 1024
way "container to beyond, IPv6" one fd99::2 8
way "beyond to container, IPv4" beyond "$(address4 one)" 8
way "beyond to container, IPv6" beyond "$(address6 one)" 8
way "container to host, IPv4" one 10.99.0.1 8
way "container to host, IPv6" one fd99::1 8
way "host to container, IPv4" host "$(address4 one)" 8
way "host to container, IPv6" host "$(address6 one)" 8

check_equal "nothing was dropped on the way" "[0,0]" \
        "$(shunt list --json | jq -c 'map([.counters.dropped | del(.multicast) | .[]] | add // 0)')"

# A GiB went out of one alone; two has only received what one sent it.
sent=$(counters one | cut -d' ' -f4)
check "what went out is counted ($sent bytes)" test "$sent" -gt $((1024 << 20)) -a "$sent" -lt $((1200 << 20))
for name in one two; do
        read -r rx_packets rx_bytes tx_packets tx_bytes <<<"$(counters $name)"
        check "what $name received is counted ($rx_packets $rx_bytes), and what it sent ($tx_packets $tx_bytes)" \
                test "$rx_bytes" -gt $((16 << 20)) -a "$tx_bytes" -gt $((8 << 20)) -a "$rx_packets" -gt 300 -a "$tx_packets" -gt 300
        check "$name's own interface says the same" eventually counts_right $name
done

finish_background
shunt detach one
shunt detach two
nothing_left
finish
