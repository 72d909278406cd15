#!/bin/bash
# CNI's bridge, masquerading.
. "$(dirname "$0")/../bench.bash"

world
no_way_back
cni_peer bridge '{"bridge": "cni0", "isGateway": true, "ipMasq": true}' "$own_subnets"
measure one two
