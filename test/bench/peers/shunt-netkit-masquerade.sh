#!/bin/bash
# shunt with netkit in L3 mode, masquerading as the bridges do.
. "$(dirname "$0")/../bench.bash"

world
no_way_back
shunt_peer '{"masquerade": true}' netkit
# A version that does not masquerade yet has no figures, rather than another peer's.
at one ping -n -q -c 1 -W 2 10.99.0.2 || { echo "no masquerading: not measured"; exit 0; }
measure one two
