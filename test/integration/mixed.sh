#!/bin/bash
# lab: check=stable
# Drivers and modes side by side: whoever reaches the other does not see which kind it is.
. "$(dirname "$0")/lib.bash"

world
declare -A v4 v6
kinds=(veth-l3 veth-l2)
[ "$driver" = veth ] || kinds+=(netkit-l3 netkit-l2)
for kind in "${kinds[@]}"; do
        ip netns add "$kind"
        shunt attach "$kind" --netns "/run/netns/$kind" --driver "${kind%-*}" --mode "${kind#*-}" >/dev/null
        background "/tmp/$kind" in_ct "$kind" "$here/net.py" serve
        v4[$kind]=$(address4 "$kind") v6[$kind]=$(address6 "$kind")
        check_equal "$kind is what was asked for" "${kind/-/ }" "$(shunt show "$kind" --json | jq -r '"\(.driver) \(.mode)"')"
        check_equal "and says so in its device" "${kind%-*}" "$(ip -d -j link show "$(host_end "$kind")" | jq -r '.[0].linkinfo.info_kind')"
done
next=${kinds[-1]}
for from in "${kinds[@]}"; do
        for to in "${kinds[@]}"; do
                [ "$from" != "$to" ] || continue
                check "$from to $to" in_ct "$from" ping -n -q -c 2 -i 0.01 -W 5 "${v4[$to]}"
                check "$from to $to, IPv6" in_ct "$from" ping -n -q -c 2 -i 0.01 -W 5 "${v6[$to]}"
        done
        # Each streams to the next one.
        check "$from to $next, streams and datagrams" in_ct "$from" "$here/net.py" exchange "${v4[$next]}" 1
        next=$from
        check "$from to beyond" in_ct "$from" ping -n -q -c 2 -i 0.01 -W 5 fd99::2
        check "beyond to $from" beyond ping -n -q -c 2 -i 0.01 -W 5 "${v4[$from]}"
        check "host to $from" ping -n -q -c 2 -i 0.01 -W 5 "${v4[$from]}"
        check "host to $from, IPv6" ping -n -q -c 2 -i 0.01 -W 5 "${v6[$from]}"
        check "$from to host" in_ct "$from" ping -n -q -c 2 -i 0.01 -W 5 10.99.0.1
done

# Two interfaces in one container: the second gets an address and routes to its network, and leaves the default to the first.
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.51.0.0/24", "fd51::/64"], "isolate": false }' >/etc/shunt/networks/side.json
ip netns add side
shunt attach side --netns /run/netns/side --driver "$driver" --network side >/dev/null
first=${kinds[0]}
check "a second interface" shunt attach "$first" --netns "/run/netns/$first" --driver "$driver" --network side --interface eth1
check "by which its network is reached" in_ct "$first" ping -n -c 1 -W 5 "$(address4 side)"
check_equal "the default stays with the first" eth0 "$(ip -n "$first" -j route show default | jq -r '.[].dev')"
check "and works" in_ct "$first" ping -n -c 1 -W 5 10.99.0.2
check_equal "both are shown" "eth0 eth1" "$(shunt show "$first" --json | jq -r .peer.name | sort | xargs)"
check "one detach takes both" shunt detach "$first"
check_equal "so that nothing but the loopback is in it" lo "$(ip -n "$first" -j link | jq -r '[.[].ifname] | join(" ")')"

finish_background
for name in "${kinds[@]:1}" side; do shunt detach "$name"; done
nothing_left
finish
