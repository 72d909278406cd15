#!/bin/bash
# A plain routed veth pair, by CNI's ptp, without masquerading.
. "$(dirname "$0")/../bench.bash"

world
cni_peer ptp '{"ipMasq": false}' "$own_subnets"
measure one two
