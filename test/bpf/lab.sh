#!/bin/bash
# The packet tests on the lab's kernels, which have netkit and verifiers of their own opinion:
#
#	test/lab/lab run test/bpf/lab.sh
#
# PACKETS  those whose names begin so (a-z); each of them costs an emulated guest half a minute
#
# lab: timeout=1200
set -u
status=0
modprobe tun
for t in test/bpf/[${PACKETS:-a-z}]*.c; do
        "build/${t%.c}" || status=1
done
exit $status
