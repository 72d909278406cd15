#!/bin/bash
# The host's own processes, without netfilter: what all others are a share of. Two of them meet on lo.
. "$(dirname "$0")/../bench.bash"

world
measure host host
