#!/bin/bash
# The packet tests on the lab's kernels, which have netkit and verifiers of their own opinion:
#
#	test/lab/lab run test/bpf/lab.sh
#
# lab: timeout=1200
set -u
status=0
modprobe tun
for t in test/bpf/*.c; do
        "build/${t%.c}" || status=1
done
exit $status
