#!/bin/bash
# lab: alone check=backports
# Root in a container sends by way of an ifb device, whose packets pass by tcx, and gets no further with either driver.
. "$(dirname "$0")/lib.bash"

world
no_masquerade
nft -f - <<'NFT'
table inet ears {
        counter forged { }
        chain hear {
                type filter hook prerouting priority raw; policy accept;
                udp dport 4242 @th,64,32 0x666f7267 counter name forged
        }
}
NFT
heard() { nft -j list counter inet ears forged | jq '.nftables[] | .counter? // empty | .packets'; }

for driver in netkit veth; do
        plain one
        plain two
        mac=$(ip -n one -j link show eth0 | jq -r '.[0].address')
        check "$driver: the host hears what comes by eth0" in_ct one ping -n -c 1 -W 5 10.99.0.1
        in_ct one ip link add ifb0 type ifb
        in_ct one ip link set ifb0 up
        in_ct one tc qdisc add dev eth0 clsact
        # Once through ifb: marked by the sender, and no more behind it.
        in_ct one tc filter add dev eth0 egress protocol all prio 1 handle 7 fw \
                action skbedit mark 0 pipe action mirred egress redirect dev ifb0
        export FORGE_MARK=7
        in_ct one "$here/net.py" forge eth0 "$mac" forged 10.99.0.1 "$(address4 two)" fd99::1 "$(address6 two)" -- \
                192.0.2.66 "$(address4 two)" 2001:db8::66 "$(address6 two)" >/dev/null
        check "$driver: the forged packets went through ifb" eventually \
                sh -c "ip netns exec one tc -s -j filter show dev eth0 egress | jq -e '[.. | .packets? // empty] | max >= 8'"
        check_equal "$driver: and the host heard none of them" 0 "$(heard)"
        unset FORGE_MARK
        shunt detach one
        shunt detach two
        ip netns del one
        ip netns del two
done
nothing_left
finish
