#!/bin/bash
# lab: check=stable
# "routing": "kernel": the host's packet filter sees every packet with the container's own address, and masquerade works
# all the same, behind it. Who is not let through to a container, or sends too much at once, is told, in words that he knows.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

world
ip -n beyond route del 10.0.0.0/8
ip -n beyond -6 route del fd00::/8
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.51.0.0/24", "fd51::/64"], "routing": "kernel" }' >/etc/shunt/networks/stack.json
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
plain one --network stack --publish 7015:7005
nft -f - <<NFT
table inet seen {
        counter out { }
        counter back { }
        chain forward {
                type filter hook forward priority 0; policy drop;
                ip saddr $(address4 one) counter name out accept
                ip6 saddr $(address6 one) counter name out accept
                ip daddr $(address4 one) counter name back accept
                ip6 daddr $(address6 one) counter name back accept
        }
}
NFT
seen() { nft -j list counter inet seen "$1" | jq '.nftables[] | select(.counter).counter.packets'; }

background /tmp/beyond beyond "$here/net.py" serve
for way in "IPv4 10.99.0.2" "IPv6 fd99::2"; do
        read -r family server <<<"$way"
        check "$family: TCP both ways, 8 MiB of it there, and UDP both ways, whole and in fragments" in_ct one "$here/net.py" exchange "$server" 8
        check "$family: ping in fragments" in_ct one ping -n -q -c 3 -i 0.05 -W 5 -s 4000 "$server"
done
background /tmp/push ip netns exec one "$here/nat.py" push 7005
server=${backgrounds[-1]}
for host in 10.99.0.1 fd99::1; do
        gather /tmp/listen ip netns exec beyond "$here/nat.py" listen 5 "$host" 7015
        forget true
        kill -USR1 "$server"
        check_equal "by $host: a published port that speaks first is heard, when all flows are forgotten" "again 5" \
                "$(all_speak "${backgrounds[-1]}" /tmp/listen)"
done
check "FORWARD has seen it go" test "$(seen out)" -gt 100
check "and come back" test "$(seen back)" -gt 100
nft flush chain inet seen forward
check_not "and drops what nothing accepts" in_ct one ping -n -q -c 1 -W 1 10.99.0.2

ask() { beyond "$here/ports.py" ask "$@"; }
check "a port is published" shunt publish one 8080:7000 8080:7001/udp
nft add rule inet seen forward reject with icmpx admin-prohibited
for way in tcp udp; do
        check_equal "who is refused it by FORWARD hears so, IPv4, $way" EHOSTUNREACH "$(ask $way 10.99.0.1 8080)"
        check_equal "and IPv6" EACCES "$(ask $way fd99::1 8080)"
done

# What is too large for a container is the host's to say, which forwards it.
nft flush chain inet seen forward
nft add rule inet seen forward accept
plain small --network stack --mtu 1280 --publish 8090:7001/udp
check "who asked learns of an answer that is too large, IPv6" in_ct small ping -n -q -c 5 -i 0.2 -W 5 -s 1300 fd99::2
# knows_mtu HOST: sends too large a datagram, and waits until the size that gets through is known
knows_mtu() {
        # shellcheck disable=SC2016 # its own
        beyond timeout 10 bash -c 'exec 3<>"/dev/udp/$0/8090" && printf %1400s >&3
                until ip route get "$0" | grep -q "mtu 1280"; do sleep 0.05; done' "$1"
}
check "who sends too much to a published port does, IPv4" knows_mtu 10.99.0.1
beyond ip -6 route flush cache
check "and IPv6" knows_mtu fd99::1
finish_background
shunt detach one
shunt detach small
nothing_left
finish
