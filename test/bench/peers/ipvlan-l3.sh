#!/bin/bash
# CNI's ipvlan, mode l3.
. "$(dirname "$0")/../bench.bash"

world
cni_peer ipvlan '{"master": "wire", "mode": "l3"}' "$own_subnets"
measure one two
