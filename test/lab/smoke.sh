#!/bin/bash
# The least that every other scenario builds on: a netkit pair between two network namespaces carries packets.
set -eux
ip netns add peer
ip link add nk0 type netkit mode l3 forward peer forward name nk1
ip link set nk1 netns peer
ip addr add 192.0.2.1/24 dev nk0
ip link set nk0 up
ip -n peer addr add 192.0.2.2/24 dev nk1
ip -n peer link set nk1 up
ping -c 2 -i 0.2 -W 5 192.0.2.2
