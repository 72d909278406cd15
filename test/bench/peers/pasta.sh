#!/bin/bash
# pasta as podman calls it: a process that turns the container's packets into sockets of its own, and has to run between them: no
# sender has precedence. Its containers do not meet, and what it sends in one direction it sends later: a stream of datagrams
# would end before it has begun.
. "$(dirname "$0")/../bench.bash"

world
modprobe -q tun || true
ip netns add one
pasta --quiet --config-net --no-map-gw -t none -u none -T none -U none --runas 0 --netns /run/netns/one
BENCH_PRECEDENCE=no BENCH_TESTS=${BENCH_TESTS:-TCP_RR TCP_CRR TCP_STREAM UDP_RR} measure one
