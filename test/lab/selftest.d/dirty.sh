#!/bin/bash
# Leaves something of everything.
set -eux
touch /run/dirty /tmp/dirty /etc/dirty /var/dirty
mkdir /sys/fs/bpf/dirty
ip link add dirty type dummy
sleep 1000 &
