#!/bin/bash
# A container speaks to a machine that has never heard of it, with the host's address and ports that are not the host's own.
. "$(dirname "$0")/lib.bash"

world
ip -n beyond route del 10.0.0.0/8
ip -n beyond -6 route del fd00::/8
plain one
plain two

for way in "4 10.99.0.2" "6 fd99::2"; do
        read -r family server <<<"$way"
        check "ping, IPv$family" in_ct one ping -n -q -c 3 -i 0.05 -W 5 "$server"
done
background /tmp/beyond beyond "$here/net.py" serve
for way in "IPv4 10.99.0.2" "IPv6 fd99::2"; do
        read -r family server <<<"$way"
        check "$family: TCP both ways, 8 MiB of it there, and UDP both ways, whole and in fragments" in_ct one "$here/net.py" exchange "$server" 8
        check "$family: ping in fragments" in_ct one ping -n -q -c 3 -i 0.05 -W 5 -s 4000 "$server"
done
finish_background
shunt detach one
shunt detach two
nothing_left
finish
