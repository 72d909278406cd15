#!/bin/bash
# CNI's ipvlan, mode l2.
. "$(dirname "$0")/../bench.bash"

world
cni_peer ipvlan '{"master": "wire", "mode": "l2"}' "$wire_subnets"
measure one two
