#!/bin/bash
# CNI's macvlan, in its default mode.
. "$(dirname "$0")/../bench.bash"

world
cni_peer macvlan '{"master": "wire", "mode": "bridge"}' "$wire_subnets"
measure one two
