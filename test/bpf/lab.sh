#!/bin/bash
# The packet tests whose outcome a kernel decides, on the lab's kernels, which have netkit and verifiers of their own opinion:
# what its helpers make of large and half checksummed packets, its routing table, sockets behind our programs, and how many
# instructions it follows.
#
#	test/lab/lab run test/bpf/lab.sh
#
# PACKETS=all  all of them, as they run natively: in an emulated guest a quarter of an hour
#
# lab: timeout=1500
set -u
status=0
modprobe tun
tests=(big errors fib live partial quotes tcp work)
if [ "${PACKETS:-}" = all ]; then
        tests=(test/bpf/*.c)
        tests=("${tests[@]##*/}")
fi
for t in "${tests[@]%.c}"; do
        "build/test/bpf/$t" || status=1
done
exit $status
