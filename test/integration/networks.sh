#!/bin/bash
# lab: check=backports
# Networks by their files: who reaches whom, who gets out and how, and what happens when one is full.
. "$(dirname "$0")/lib.bash"

world
mkdir -p /etc/shunt/networks
network() { printf '%s\n' "$2" >"/etc/shunt/networks/$1.json"; }
network red '{ "subnets": ["10.51.0.0/24", "fd51::/64"] }'
network blue '{ "subnets": ["10.52.0.0/24", "fd52::/64"] }'
network open1 '{ "subnets": ["10.53.0.0/24", "fd53::/64"], "isolate": false, "mtu": 1400 }'
network open2 '{ "subnets": ["10.54.0.0/24", "fd54::/64"], "isolate": false, "uplinks": ["wire"] }'
network inner '{ "subnets": ["10.55.0.0/24", "fd55::/64"], "internal": true }'
network slow '{ "subnets": ["10.56.0.0/24", "fd56::/64"], "routing": "kernel" }'
network tiny '{ "subnets": ["10.57.0.0/29"] }'
check_equal "all are listed" "blue default inner open1 open2 red slow tiny" "$(shunt network list --json | jq -r '[.[].name] | sort | join(" ")')"

# The container's name is its network's, with a number.
for name in red1 red2 blue1 open11 open21 inner1 inner2; do plain $name --network ${name%?} >/dev/null; done
reach() { in_ct "$1" ping -n -c 1 -W 5 "$2"; }
# Refused at once, or never answered: half a second is long on one host.
no_reach() { ! in_ct "$1" ping -n -q -c 1 -W 0.5 "$2"; }

echo "# who reaches whom"
check "red reaches red" reach red1 "$(address4 red2)"
check "red reaches red, IPv6" reach red1 "$(address6 red2)"
check "red gets out" reach red1 10.99.0.2
before=$(dropped red1 isolated)
check "red does not reach blue" no_reach red1 "$(address4 blue1)"
check "red does not reach blue, IPv6" no_reach red1 "$(address6 blue1)"
check_equal "which is counted" $((before + 2)) "$(dropped red1 isolated)"
check "blue does not reach red" no_reach blue1 "$(address4 red1)"
check "red does not reach one that does not isolate" no_reach red1 "$(address4 open11)"
check "nor the other way" no_reach open11 "$(address4 red1)"
check "two that do not isolate reach each other" reach open11 "$(address4 open21)"
check "two that do not isolate reach each other, IPv6" reach open21 "$(address6 open11)"
check_equal "a network's own MTU" 1400 "$(ip -n open11 -j link show eth0 | jq '.[0].mtu')"
check "its own uplinks" reach open21 fd99::2

echo "# inside only"
check "inner reaches inner" reach inner1 "$(address4 inner2)"
check "inner reaches inner, IPv6" reach inner2 "$(address6 inner1)"
check "inner reaches the host" reach inner1 10.99.0.1
before=$(dropped inner1 internal)
check "inner does not get out" no_reach inner1 10.99.0.2
check "inner does not get out, IPv6" no_reach inner1 fd99::2
check_equal "which is counted" $((before + 2)) "$(dropped inner1 internal)"
check_not "nor is it reached from beyond" beyond ping -n -q -c 1 -W 0.5 "$(address4 inner1)"
check_not "nor is it reached from beyond, IPv6" beyond ping -n -q -c 1 -W 0.5 "$(address6 inner1)"
check_equal "which is counted too" $((before + 4)) "$(dropped inner1 internal)"
check "inner does not reach open1" no_reach inner1 "$(address4 open11)"
for name in red1 red2 blue1 open11 open21 inner1 inner2; do shunt detach $name; ip netns del $name; done
nothing_left

echo "# through the host's stack"
nft 'table inet guard {
        counter forwarded { }
        chain forward { type filter hook forward priority 0; policy accept; counter name forwarded; }
}'
forwarded() { nft -j list counter inet guard forwarded | jq '.nftables[] | .counter? // empty | .packets'; }
plain slow1 --network slow
plain slow2 --network slow
check "routing by the kernel needs the host to forward: without, nobody gets out" no_reach slow1 10.99.0.2
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
check "with it, out" reach slow1 10.99.0.2
check "with it, out, IPv6" reach slow1 fd99::2
check "and in" beyond ping -n -c 1 -W 5 "$(address4 slow1)"
check "and in, IPv6" beyond ping -n -c 1 -W 5 "$(address6 slow1)"
check "and from one to the other" reach slow1 "$(address4 slow2)"
check "through the FORWARD chain" test "$(forwarded)" -ge 10
check "under its own name only" sh -c "ip -n slow1 addr add 192.0.2.9/32 dev eth0 && ! ip netns exec slow1 ping -n -q -c 1 -W 0.5 -I 192.0.2.9 10.99.0.2"
check "which is counted" test "$(dropped slow1 spoofed)" -ge 1
nft flush chain inet guard forward
nft add rule inet guard forward drop
check "and what that drops is dropped" no_reach slow1 10.99.0.2
nft delete table inet guard
shunt detach slow1
shunt detach slow2
nothing_left

echo "# full"
for i in 1 2 3 4 5; do plain tiny$i --network tiny >/dev/null; done
check_equal "five of a /29 are given, each once" 5 "$(shunt list --json | jq -r '.[].addresses[]' | sort -u | wc -l)"
check_equal "and none is free" 0 "$(shunt network show tiny --json | jq '.subnets[0].free')"
ip netns add tiny6
refuse 'network tiny: subnet 10.57.0.0/29 is full' shunt attach tiny6 --netns /run/netns/tiny6 --driver "$driver" --network tiny
gone=$(address4 tiny3)
shunt detach tiny3
check "after one detach there is room" shunt attach tiny6 --netns /run/netns/tiny6 --driver "$driver" --network tiny
check_equal "at the address that is free" "$gone" "$(address4 tiny6)"
gone=$(address4 tiny1) end=$(host_end tiny1)
ip netns del tiny1
eventually sh -c "! ip link show $end"
check "a dead container makes room without anyone's help" shunt attach tiny3 --netns /run/netns/tiny3 --driver "$driver" --network tiny
check_equal "at its address" "$gone" "$(address4 tiny3)"
gone=$(address4 tiny2) end=$(host_end tiny2)
ip netns del tiny2
eventually sh -c "! ip link show $end"
ip netns add tiny7
check "also where somebody asks for its very address" shunt attach tiny7 --netns /run/netns/tiny7 --driver "$driver" --network tiny --address "$gone"
for i in 3 4 5 6 7; do shunt detach tiny$i; done
nothing_left
unloaded
finish
