#!/bin/bash
# shunt with netkit in L3 mode, masquerading as the bridges do.
. "$(dirname "$0")/../bench.bash"

world
no_way_back
shunt_peer '{"masquerade": true}' netkit
measure one two
