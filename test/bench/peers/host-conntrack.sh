#!/bin/bash
# The host's own processes behind the smallest firewall that keeps state.
. "$(dirname "$0")/../bench.bash"

world
nft -f - <<'RULES'
table inet firewall {
        chain input { type filter hook input priority filter; ct state established,related accept; }
        chain output { type filter hook output priority filter; ct state established,related accept; }
}
RULES
measure host host
